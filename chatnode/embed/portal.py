"""A node in a thread of its own: what `aio.py` and `threads.py` are built on."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import trio

from chatnode.errors import NodeGone, StartError
from chatnode.portal.thread import Call, Portal

if TYPE_CHECKING:
    from chatnode.config import Config
    from chatnode.dispatch.acting import AsOperator, AsPerson
    from chatnode.node import Node

START_SECONDS = 120.0
"""How long a start may take by default: an upgrade of a large database takes a while."""
_BEYOND_SHUTDOWN_SECONDS = 5.0
"""How long stopping may take besides `server.shutdown_seconds`."""


@attrs.define(eq=False)
class NodePortal:
    """Where the node is, how it is opened, and its portal. `portal` and `node` are there from `start` on.

    `serve` is an address to serve on, such as `127.0.0.1:0`; empty: no port. `plugins` as in `open_node`.
    """

    data: Path
    config: Config | None = None
    plugins: Iterable[Any] = ()
    serve: str = ""
    start_seconds: float = START_SECONDS
    url: str = ""
    _portal: Portal | None = None
    _node: Node | None = None

    @property
    def portal(self) -> Portal:
        """Raises `NodeGone` before `start`."""
        if self._portal is None:
            raise NodeGone(f"{self.name} has not been started; use it in a with block, or call start")
        return self._portal

    @property
    def node(self) -> Node:
        """The node itself, for code that runs on the trio thread. Raises `NodeGone` before it is ready."""
        if self._node is None:
            raise self.portal.gone()
        return self._node

    @property
    def name(self) -> str:
        return f"the node in {self.data}"

    def start(self) -> Portal:
        """Begin to open the node; the portal's `ready` says when it is open. Raises `StartError` if it was started."""
        if self._portal is not None and not self._portal.ended.done():
            raise StartError(f"{self.name} was started already")
        self._node, self.url = None, ""
        self._portal = Portal(self.name)
        self._portal.start(self._main)
        return self._portal

    def too_slow(self) -> StartError:
        """It did not start in time: it is left to stop by itself."""
        self.portal.stop()
        return StartError(
            f"{self.name} did not start within {self.start_seconds:g} s; if it has to upgrade a large database, "
            "set start_seconds to more"
        )

    async def _main(self, portal: Portal) -> None:
        from chatnode.node import open_node

        async with open_node(self.data, self.config, plugins=self.plugins) as node:
            async with portal.accepting(), trio.open_nursery() as serving:
                if self.serve:
                    self.url = await serving.start(node.serve, self.serve)
                else:
                    await serving.start(node.run)
                self._node = node
                portal.batches = node.core.db
                portal.opened(node.core.config.server.shutdown_seconds + _BEYOND_SHUTDOWN_SECONDS)
                await portal.wait_stopping()
                serving.cancel_scope.cancel()


def begin_command(call: Call, caller: AsOperator | AsPerson, name: str, fields: dict[str, Any]) -> None:
    """A `Start`: run a command; its result is plain values."""
    call.run_in_task(partial(caller.call, name, **fields))
