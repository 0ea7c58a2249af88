"""A node for asyncio programs.

    from chatnode.embed.aio import Node

    async with Node("chat-data", serve="127.0.0.1:0") as chat:
        await chat.operator.call("people.create", handle="ann")
        print(chat.url)

The node runs in a thread of its own, so a program that blocks its loop does not block the node. One `Node` may be used
from several loops in several threads. Cancelling a call ends the waiting at once: a command that was handed over may
still be carried out. Every call raises `Refusal` if the node refuses it, and `NodeGone` if there is no node any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import attrs

from chatnode.dispatch.acting import AsOperator, AsPerson
from chatnode.embed.portal import START_SECONDS, NodePortal, begin_command
from chatnode.errors import NodeGone
from chatnode.logs import get_logger
from chatnode.portal.loops import LoopPortal, wait_for

if TYPE_CHECKING:
    from chatnode.config import Config

logger = get_logger("embed")


class Node:
    """A node over the directory `data`. Nothing happens before `start`, or `async with`.

    Without `config`, the directory's own config.toml and the environment are read. `plugins` are modules or objects
    with hooks, besides those that are installed. With `serve`, an address such as `127.0.0.1:0`, clients can connect,
    at `url`.
    """

    def __init__(
        self,
        data: Path | str,
        *,
        config: Config | None = None,
        plugins: Iterable[Any] = (),
        serve: str = "",
        start_seconds: float = START_SECONDS,
    ) -> None:
        self._inside = NodePortal(Path(data), config, plugins, serve, start_seconds)

    async def start(self) -> Self:
        """Open the node; returns when it can be used, after migrations.

        Raises `StartError` with the reason, also when it takes longer than `start_seconds`.
        """
        portal = self._inside.start()
        self._loops = LoopPortal(portal)
        try:
            async with asyncio.timeout(self._inside.start_seconds):
                await wait_for(portal.ready)
        except TimeoutError:
            raise self._inside.too_slow() from None
        except asyncio.CancelledError:
            portal.stop()
            raise
        return self

    async def close(self) -> None:
        """Stop the node in order: sessions are told to resume, and what was handed over is written."""
        portal = self._inside.portal
        portal.stop()
        try:
            async with asyncio.timeout(portal.patience):
                await wait_for(portal.ended)
        except TimeoutError:
            logger.error("%s did not stop within %g s", portal.name, portal.patience)

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    @property
    def url(self) -> str:
        """Where the node serves; empty without `serve`."""
        return self._inside.url

    async def wait_closed(self) -> NodeGone | None:
        """Wait until the node has ended: with the reason if it was not closed."""
        return await wait_for(self._inside.portal.ended)

    async def health(self) -> tuple[bool, dict[str, Any]]:
        """Whether the node is well, and each part's own word."""
        return await self._loops.run(self._inside.node.health)

    @property
    def operator(self) -> Caller:
        """The operator, who may run every command but takes part in nothing."""
        return Caller(self._loops, AsOperator(self._inside.node.core))

    def person(self, who: str) -> Caller:
        """The user with this handle or id."""
        return Caller(self._loops, AsPerson(self._inside.node.core, who))


@attrs.frozen
class Caller:
    """Runs commands as one requester."""

    _loops: LoopPortal
    _acting: AsOperator | AsPerson

    async def call(self, name: str, /, **fields: Any) -> Any:
        """Run a command by its name, with plain values; returns its result as plain values."""
        return await self._loops.ask(begin_command, self._acting, name, fields)
