"""The client library for asyncio: the same names as in `chatnode.client`.

    from chatnode.client.aio import connect

    async with connect("http://127.0.0.1:8008", token) as client:
        await client.post(await client.direct("ann"), "hello")
        async for item in client.events():
            ...

All clients of the process share one thread, in which the connections are kept. What a client calls (`progress`,
`created`) is called in the loop that it is used in. Cancelling a call ends the waiting at once, and says nothing of
whether it was carried out.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Coroutine
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import partial, wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import attrs
import trio

from chatnode import client as on_trio
from chatnode.client.client import Client
from chatnode.client.errors import SignedOut, Unreachable
from chatnode.client.feed import Interrupted, Item, Live, Pushed, Reset
from chatnode.client.imports import SPREAD_SECONDS
from chatnode.client.parts import Asking, Feeding, Parts, Transferring, events_of
from chatnode.client.uploaded import DownloadOptions, Source, UploadedFile, UploadOptions
from chatnode.concurrency import OneReader
from chatnode.errors import ConnectionLost, NodeGone, Refusal
from chatnode.model.cids import new_cid
from chatnode.model.commands.resume import Cursor
from chatnode.model.events import ConversationImported
from chatnode.portal.calls import running_future
from chatnode.portal.loops import LoopPortal, LoopQueue, running_loop, wait_for
from chatnode.portal.stream import AsyncStream
from chatnode.portal.thread import Portal

__all__ = [
    "Client",
    "ConnectionLost",
    "Cursor",
    "Imports",
    "Interrupted",
    "Item",
    "Live",
    "Pushed",
    "Refusal",
    "Reset",
    "SignedOut",
    "Unreachable",
    "UploadedFile",
    "accept_invite",
    "connect",
    "new_cid",
    "sign_in",
]

T = TypeVar("T")
P = ParamSpec("P")
MOST_AHEAD = 64
"""Events that are on their way out of the thread; more of them wait there."""
STOP_SECONDS = 5.0
"""How long open connections may take to end when the interpreter exits."""


# ---- the thread


async def _hold_open(portal: Portal) -> None:
    async with portal.accepting():
        portal.opened(patience=STOP_SECONDS)
        await portal.wait_stopping()


_lock = threading.Lock()
_thread: LoopPortal | None = None


def _loops() -> LoopPortal:
    """The thread of all clients, which is started for the first of the process."""
    global _thread
    with _lock:
        if _thread is None or _thread.portal.ended.done():  # it is not there after a fork
            portal = Portal("the thread of chatnode's clients")
            portal.start(_hold_open)
            portal.ready.result()
            _thread = LoopPortal(portal)
        return _thread


def _crossing(function: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """The same function for asyncio."""

    @wraps(function)
    async def run(*args: P.args, **kwargs: P.kwargs) -> T:
        return await _loops().run(partial(function, *args, **kwargs))

    return run


sign_in = _crossing(on_trio.sign_in)
accept_invite = _crossing(on_trio.accept_invite)


# ---- clients


def _connecting(
    function: Callable[P, AbstractAsyncContextManager[Client]],
) -> Callable[P, AbstractAsyncContextManager[Client]]:
    """The same function for asyncio."""

    @wraps(function)
    @asynccontextmanager
    async def connect(*args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[Client]:
        running_loop()
        loops, connection = _loops(), _Connection()
        held = loops.portal.submit(connection.hold, partial(function, *args, **kwargs))
        try:
            parts = await wait_for(connection.opened)
        except asyncio.CancelledError:
            held.cancel()
            raise
        try:
            feed = _Feed(loops.portal, parts.feed)
            yield Client(Parts(parts.link, _Calls(loops, parts.calls), feed, _Transfers(loops, parts.transfers)))
        finally:
            connection.close(loops.portal)
            await wait_for(held)

    return connect


connect = _connecting(on_trio.connect)


class _Connection:
    """Keeps a client connected in the thread."""

    def __init__(self) -> None:
        self.opened: Future[Parts] = running_future()
        self._closing = trio.Event()

    async def hold(self, connect: Callable[[], AbstractAsyncContextManager[Client]]) -> None:
        try:
            async with connect() as client:
                self.opened.set_result(client.parts)
                await self._closing.wait()
        except Exception as error:
            if self.opened.done():
                raise
            self.opened.set_exception(error)

    def close(self, portal: Portal) -> None:
        with contextlib.suppress(NodeGone):
            portal.call_soon(self._closing.set)


@attrs.frozen
class _Calls:
    _loops: LoopPortal
    _calls: Asking

    async def ask(self, command: str, fields: dict[str, Any], /) -> dict[str, Any]:
        return await self._loops.run(self._calls.ask, command, fields)


class _Feed:
    """Takes events out of the thread, some ahead of the app. So it notes itself what was dealt with."""

    def __init__(self, portal: Portal, feed: Feeding) -> None:
        self.dealt_with = self._handed = feed.dealt_with
        self._portal = portal
        self._feed = feed
        self._items: AsyncStream[Item] | None = None
        self._reader = OneReader()

    async def next(self) -> Item:
        with self._reader:
            return await self._next()

    async def _next(self) -> Item:
        self.dealt_with = self._handed
        if self._items is None:
            source = partial(nullcontext[AsyncIterator[Item]], events_of(self._feed))
            self._items = AsyncStream(self._portal, source, lambda _: 1, MOST_AHEAD)
        try:
            item = await anext(self._items)
        except StopAsyncIteration:
            raise trio.EndOfChannel from None
        if item.cursor is not None:
            self._handed = item.cursor
        return item


@attrs.frozen
class _Transfers:
    """What it calls is called in the loop; a stream is read there."""

    _loops: LoopPortal
    _transfers: Transferring

    async def upload(self, source: Source, options: UploadOptions) -> UploadedFile:
        queue = self._loops.queue()
        given = _pieces(queue, source) if isinstance(source, AsyncIterable) else source
        told = attrs.evolve(
            options,
            progress=partial(queue.call_soon, options.progress),
            created=partial(queue.call_soon, options.created),
        )
        return await self._loops.run(self._transfers.upload, given, told)

    async def download(self, file: str, target: Path, options: DownloadOptions) -> None:
        told = attrs.evolve(options, progress=partial(self._loops.queue().call_soon, options.progress))
        await self._loops.run(self._transfers.download, file, target, told)


async def _pieces(queue: LoopQueue, source: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """In the thread: what an async iterable in the loop gives."""
    pieces = aiter(source)

    async def piece() -> bytes | None:
        return await anext(pieces, None)

    while (each := await queue.run(piece)) is not None:
        yield each


class Imports:
    """See `chatnode.client.Imports`."""

    def __init__(self, spread_seconds: float = SPREAD_SECONDS) -> None:
        self._loops = _loops()
        self._imports = on_trio.Imports(spread_seconds)

    def note(self, event: ConversationImported) -> None:
        """Something was imported."""
        self._loops.portal.call_soon(self._imports.note, event)

    async def next(self) -> ConversationImported:
        """The newest event of a conversation, when its time has come."""
        return await self._loops.run(self._imports.next)
