"""A node for programs without an event loop: scripts, Django, Flask, any threads.

    from chatnode.embed.threads import Node

    with Node("chat-data") as chat:
        chat.operator.call("people.create", handle="ann")

The node runs in a thread of its own; any number of threads may call it. Every call blocks until it is answered. It
raises `Refusal` if the node refuses it, and `NodeGone` if there is no node any more. On a thread that runs an event
loop, it raises `RuntimeError`: there the loop, and with it everything else in the thread, would stand still.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import attrs
import trio

from chatnode.dispatch.acting import AsOperator, AsPerson
from chatnode.embed.portal import START_SECONDS, NodePortal, begin_command
from chatnode.errors import NodeGone
from chatnode.logs import get_logger
from chatnode.portal.thread import Portal

if TYPE_CHECKING:
    from chatnode.config import Config

T = TypeVar("T")
logger = get_logger("embed")


class Node:
    """A node over the directory `data`. Nothing happens before `start`, or `with`.

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

    def start(self) -> Self:
        """Open the node; returns when it can be used, after migrations.

        Raises `StartError` with the reason, also when it takes longer than `start_seconds`.
        """
        refuse_on_loop()
        portal = self._inside.start()
        try:
            portal.ready.result(self._inside.start_seconds)
        except TimeoutError:
            raise self._inside.too_slow() from None
        except KeyboardInterrupt:
            portal.stop()
            raise
        return self

    def close(self) -> None:
        """Stop the node in order: sessions are told to resume, and what was handed over is written."""
        refuse_on_loop()
        portal = self._inside.portal
        portal.stop()
        if not portal.join(portal.patience):
            logger.error("%s did not stop within %g s", portal.name, portal.patience)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """Where the node serves; empty without `serve`."""
        return self._inside.url

    def wait_closed(self, seconds: float | None = None) -> NodeGone | None:
        """Wait until the node has ended: with the reason if it was not closed. Raises `TimeoutError`."""
        refuse_on_loop()
        return self._inside.portal.ended.result(seconds)

    def health(self) -> tuple[bool, dict[str, Any]]:
        """Whether the node is well, and each part's own word."""
        refuse_on_loop()
        return result_of(self._inside.portal.submit(self._inside.node.health))

    @property
    def operator(self) -> Caller:
        """The operator, who may run every command but takes part in nothing."""
        return Caller(self._inside.portal, AsOperator(self._inside.node.core))

    def person(self, who: str) -> Caller:
        """The user with this handle or id."""
        return Caller(self._inside.portal, AsPerson(self._inside.node.core, who))


@attrs.frozen
class Caller:
    """Runs commands as one requester."""

    _portal: Portal
    _acting: AsOperator | AsPerson

    def call(self, name: str, /, **fields: Any) -> Any:
        """Run a command by its name, with plain values; returns its result as plain values."""
        refuse_on_loop()
        return result_of(self._portal.ask(begin_command, self._acting, name, fields))


def refuse_on_loop() -> None:
    """Raises `RuntimeError` on a thread that runs an event loop, which must not block: the loop could never answer what
    the node asks it."""
    if asyncio._get_running_loop() is not None:  # pyright: ignore[reportPrivateUsage] - without the cost of an exception
        raise RuntimeError("this would block the event loop of this thread; use chatnode.embed.aio here")
    if trio.lowlevel.in_trio_run():
        raise RuntimeError("this would block the trio run of this thread; use chatnode.embed.open_node here")


def result_of(future: Future[T]) -> T:
    """Wait for a call. An interrupt, as by Ctrl-C, cancels it."""
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise
