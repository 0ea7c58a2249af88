"""A node in a thread of its own: what `aio.py` and `threads.py` are built on."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Iterable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import attrs
import trio

from chatnode.concurrency import raise_single
from chatnode.errors import InUse, NodeGone, StartError
from chatnode.portal.calls import Call
from chatnode.portal.thread import Portal
from chatnode.protocol import codec

if TYPE_CHECKING:
    from chatnode.client.feed import Live, Pushed, Reset
    from chatnode.config import Config
    from chatnode.embed.attaching import SharedCaller, SharedNode
    from chatnode.embed.callers import EmbeddedCaller
    from chatnode.embed.consumer import ConsumerBatch, ProgramConsumer
    from chatnode.embed.shared_consumer import SharedBatch, SharedConsumer
    from chatnode.node import Node

    LocalItem = Pushed | Reset | Live
    Acting = EmbeddedCaller | SharedCaller
    Reading = ProgramConsumer | SharedConsumer
    Read = ConsumerBatch | SharedBatch

Attach = Literal["never", "auto", "only"]
"""What to do while another process owns the directory. `never`: raise `InUse`. `auto`: attach to it, and take over when
it ends. `only`: attach, or wait for a process to attach to; never own the directory."""
START_SECONDS = 120.0
"""How long a start may take by default: an upgrade of a large database takes a while."""
_WAYS_OUT = 'attach to it with attach="auto", serve from one process, or use another directory'
BEYOND_SHUTDOWN_SECONDS = 5.0
"""How long stopping may take besides `server.shutdown_seconds`."""
_ITEM_BYTES = 1_024  # roughly what an event costs beside its fields


@attrs.define(eq=False)
class NodePortal:
    """A node that is opened in the thread of a portal.

    `serve` is an address to serve on, such as `127.0.0.1:0`; empty: no port. `url` is where it serves then. `plugins`
    as in `open_node`. `attach` says what to do while another process owns the directory.
    """

    data: Path
    config: Config | None = None
    plugins: Iterable[Any] = ()
    serve: str = ""
    start_seconds: float = START_SECONDS
    attach: Attach = "never"
    _url: str = attrs.field(init=False, default="")
    _began: float = attrs.field(init=False, default=0.0)
    _portal: Portal | None = attrs.field(init=False, default=None)
    _node: Node | SharedNode | None = attrs.field(init=False, default=None)
    _shared: SharedNode | None = attrs.field(init=False, default=None)

    @property
    def url(self) -> str:
        """Where the node serves; empty without a port."""
        return self._url if self._shared is None else self._shared.url

    @property
    def portal(self) -> Portal:
        """Raises `NodeGone` before `start`."""
        if self._portal is None:
            raise NodeGone(f"{self.name} has not been started; use it in a with block, or call start()")
        return self._portal

    @property
    def was_started(self) -> bool:
        return self._portal is not None

    @property
    def node(self) -> Node | SharedNode:
        """The node itself; most of it is for the trio thread only. Raises `NodeGone` before it is ready."""
        if self._node is None:
            raise self.portal.gone()
        return self._node

    @property
    def name(self) -> str:
        return f"the node in {self.data}"

    @property
    def ending(self) -> Future[NodeGone | None] | None:
        """The end of a run that was closed, or whose start was given up: the next start waits for it."""
        portal = self._portal
        return portal.ended if portal is not None and portal.is_stopping else None

    def start(self) -> Portal:
        """Begin to open the node; the portal's `ready` says when it is. Raises `StartError` if it was started."""
        if self._portal is not None and not self._portal.ended.done():
            raise StartError(f"{self.name} was already started")
        self._node = self._shared = None
        self._url = ""
        self._began = time.monotonic()
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
        # Calls are carried out until the last session has ended: a session may be one of them.
        if self.attach == "never":
            async with self._open() as node, portal.accepting(), self._running(portal, node):
                await self._use(portal, node)
            return
        from chatnode.embed.attaching import open_shared

        own = partial(self._own, portal) if self.attach == "auto" else None
        left = self.start_seconds - (time.monotonic() - self._began)  # imports take their time
        within = max(left - 0.5, left / 2)  # sooner than who waits for `ready`
        async with portal.accepting(), open_shared(self.data, own, start_seconds=within) as shared:
            self._shared = shared
            await self._use(portal, shared)

    async def _use(self, portal: Portal, node: Node | SharedNode) -> None:
        self._node = node
        portal.opened(portal.patience)
        await portal.wait_stopping()

    @asynccontextmanager
    async def _own(self, portal: Portal) -> AsyncGenerator[Node]:
        async with self._open() as node, self._running(portal, node):
            yield node

    @asynccontextmanager
    async def _open(self) -> AsyncGenerator[Node]:
        from chatnode.node import open_node

        try:
            async with open_node(self.data, self.config, plugins=self.plugins) as node:
                yield node
        except InUse as error:
            raise InUse(error.directory, error.process, _WAYS_OUT) from None

    @asynccontextmanager
    async def _running(self, portal: Portal, node: Node) -> AsyncGenerator[None]:
        """Let the node do all that a node does beside answering calls."""
        portal.patience = node.core.config.server.shutdown_seconds + BEYOND_SHUTDOWN_SECONDS
        try:
            async with trio.open_nursery() as nursery:
                if self.serve:
                    self._url = await nursery.start(node.serve, self.serve)
                else:
                    await nursery.start(node.run)
                portal.batches = node.core.db
                yield
                nursery.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            raise_single(group)


def begin_command(call: Call, caller: Acting, name: str, fields: dict[str, Any]) -> None:
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
