"""A node in a thread of its own: what `aio.py` and `threads.py` are built on."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import trio

from chatnode.errors import NodeGone, StartError
from chatnode.portal.calls import Call
from chatnode.portal.thread import Portal
from chatnode.protocol import codec

if TYPE_CHECKING:
    from chatnode.client.feed import Live, Pushed, Reset
    from chatnode.config import Config
    from chatnode.embed.callers import EmbeddedCaller
    from chatnode.node import Node

    LocalItem = Pushed | Reset | Live

START_SECONDS = 120.0
"""How long a start may take by default: an upgrade of a large database takes a while."""
BEYOND_SHUTDOWN_SECONDS = 5.0
"""How long stopping may take besides `server.shutdown_seconds`."""
_ITEM_BYTES = 1_024  # roughly what an event costs beside its fields


@attrs.define(eq=False)
class NodePortal:
    """A node that is opened in the thread of a portal.

    `serve` is an address to serve on, such as `127.0.0.1:0`; empty: no port. `url` is where it serves then. `plugins`
    as in `open_node`.
    """

    data: Path
    config: Config | None = None
    plugins: Iterable[Any] = ()
    serve: str = ""
    start_seconds: float = START_SECONDS
    url: str = attrs.field(init=False, default="")
    _portal: Portal | None = attrs.field(init=False, default=None)
    _node: Node | None = attrs.field(init=False, default=None)

    @property
    def portal(self) -> Portal:
        """Raises `NodeGone` before `start`."""
        if self._portal is None:
            raise NodeGone(f"{self.name} has not been started; use it in a with block, or call start()")
        return self._portal

    @property
    def node(self) -> Node:
        """The node itself; most of it is for the trio thread only. Raises `NodeGone` before it is ready."""
        if self._node is None:
            raise self.portal.gone()
        return self._node

    @property
    def name(self) -> str:
        return f"the node in {self.data}"

    def start(self) -> Portal:
        """Begin to open the node; the portal's `ready` says when it is. Raises `StartError` if it was started."""
        if self._portal is not None and not self._portal.ended.done():
            raise StartError(f"{self.name} was started already")
        self._node, self.url = None, ""
        self._portal = Portal(self.name)
        self._portal.start(self._main)
        return self._portal

    def too_slow(self) -> StartError:
        """It did not start in time: it is told to stop, and what to raise."""
        self.portal.stop()
        return StartError(
            f"{self.name} did not start within {self.start_seconds:g} s; if it has to upgrade a large database, "
            "set start_seconds to more"
        )

    async def _main(self, portal: Portal) -> None:
        from chatnode.node import open_node

        async with open_node(self.data, self.config, plugins=self.plugins) as node:
            # Calls are carried out until the last session has ended: a session may be one of them.
            async with portal.accepting(), trio.open_nursery() as serving:
                if self.serve:
                    self.url = await serving.start(node.serve, self.serve)
                else:
                    await serving.start(node.run)
                self._node = node
                portal.batches = node.core.db
                portal.opened(node.core.config.server.shutdown_seconds + BEYOND_SHUTDOWN_SECONDS)
                await portal.wait_stopping()
                serving.cancel_scope.cancel()


def begin_command(call: Call, caller: EmbeddedCaller, name: str, fields: dict[str, Any]) -> None:
    """A `Start`: run a command; its result is an object of its reply class. What needs no task gets none: most posts
    and reads are plans, which the database carries out."""
    begun = caller.begin(name, fields)
    if begun is None:
        call.run_in_task(caller.run, name, fields)
    elif begun.is_planned:
        begun.submit(call.answer)
    else:
        call.run_in_task(begun.finish)


def size_of(item: LocalItem) -> int:
    """About how many bytes an event takes: by its JSON, as it is quicker to write that than to look at each text."""
    fields: Any = getattr(item, "fields", None)
    return _ITEM_BYTES + (len(codec.encode(fields)) if fields else 0)
