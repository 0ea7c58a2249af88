"""Items on their way out of a trio run: an async iterator there is read from a thread, or from asyncio.

They cross in batches, as many as are there when the reader looks. The trio side is at most `most_bytes` ahead, and then
waits until half of that was taken. An iterator that is closed, or that nobody refers to any more, ends it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from functools import partial
from types import TracebackType
from typing import Any, Generic, TypeVar

import outcome
import trio

from chatnode.concurrency import OneReader
from chatnode.errors import NodeGone
from chatnode.portal.calls import BlockingAnswer, Call, OneThread, Result, running_future
from chatnode.portal.thread import Portal

T = TypeVar("T")
MOST_BYTES = 2**20
TURN_ITEMS = 50
"""After which other tasks of an asyncio loop get a turn."""
Source = Callable[[], AbstractAsyncContextManager[AsyncIterator[T]]]
"""Called on the trio thread."""


class _Stream(Generic[T]):
    """What both sides share. The trio side puts, and counts what it has put; the reader takes, and counts what it has
    taken: so neither needs a lock."""

    def __init__(self, portal: Portal, source: Source[T], size: Callable[[T], int], most_bytes: int) -> None:
        """Raises `NodeGone`."""
        self.items: deque[T] = deque()
        self.begun: Future[None] = running_future()
        """Done when the source was entered, or it ended."""
        self.ended: Result | None = None
        self._portal = portal
        self._source = source
        self._size = size
        self._most_bytes = most_bytes
        self._sizes: deque[int] = deque()
        self._put = self._taken = 0
        self._room = trio.Event()
        self._is_full = False
        self._waiter: Callable[[], object] | None = None
        self._call = portal.hand_over(self._end, Call.run_in_task, self._read)

    # ---- the reader's thread

    def pop_item(self) -> T:
        """The next of `items`, of which there must be one."""
        item = self.items.popleft()
        self._taken += self._sizes.popleft()
        if self._is_full and not self._ahead_by_half:
            self._is_full = False
            with contextlib.suppress(NodeGone):
                self._portal.call_soon(self._make_room)
        return item

    def wants(self, tell: Callable[[], object]) -> bool:
        """Whether the reader has to wait: then `tell` is called, in any thread, when there is an item, or the end."""
        self._waiter = tell
        return not self.items and self.ended is None  # else that was put before `_waiter` could be seen

    def raise_failure(self) -> None:
        """Raises, once, what the trio side has raised, after the last item."""
        if self.ended is not None and not self.items:
            ended, self.ended = self.ended, outcome.Value(None)
            ended.unwrap()

    def close(self) -> None:
        """End the trio side. From any thread."""
        self._call.cancel()

    # ---- the trio thread

    async def _read(self) -> None:
        async with self._source() as items:
            self.begun.set_result(None)
            async for item in items:
                size = self._size(item)
                self._put += size
                self._sizes.append(size)
                self.items.append(item)
                self._tell()
                if self._put - self._taken >= self._most_bytes:
                    await self._wait_room()

    async def _wait_room(self) -> None:
        self._room = trio.Event()
        self._is_full = True
        if self._ahead_by_half:  # else it was taken before `_is_full` could be seen
            await self._room.wait()

    def _make_room(self) -> None:
        self._room.set()

    def _tell(self) -> None:
        tell, self._waiter = self._waiter, None
        if tell is not None:
            tell()

    def _end(self, result: Result) -> None:
        self.ended = result
        if not self.begun.done():
            self.begun.set_result(None)
        self._tell()

    # ---- both

    @property
    def _ahead_by_half(self) -> bool:
        return (self._put - self._taken) * 2 > self._most_bytes


class AsyncStream(Generic[T]):
    """An async iterator for asyncio. For one task at a time, or it raises `RuntimeError`; cancelling loses nothing."""

    def __init__(
        self, portal: Portal, source: Source[T], size: Callable[[T], int], most_bytes: int = MOST_BYTES
    ) -> None:
        """Raises `NodeGone`."""
        self._stream = _Stream(portal, source, size, most_bytes)
        self._reader = OneReader()
        self._count = 0

    def __aiter__(self) -> AsyncStream[T]:
        return self

    async def __anext__(self) -> T:
        """Raises what the source raises, and `NodeGone`."""
        stream = self._stream
        self._count += 1
        if not self._count % TURN_ITEMS:
            await asyncio.sleep(0)
        with self._reader:
            while not stream.items:
                if stream.ended is not None:
                    stream.raise_failure()
                    raise StopAsyncIteration
                news = Future[None]()
                if stream.wants(partial(_tell, news)):
                    await asyncio.wrap_future(news)
            return stream.pop_item()

    async def aclose(self) -> None:
        """End it. Closing twice does nothing."""
        self._stream.close()

    async def __aenter__(self) -> AsyncStream[T]:
        """Wait until the source has begun. Raises what that raises."""
        await asyncio.wrap_future(self._stream.begun)
        self._stream.raise_failure()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stream.close()

    def __del__(self) -> None:
        _close(self)


class BlockingStream(Generic[T]):
    """The same for a thread: an iterator whose `next` blocks."""

    def __init__(
        self,
        portal: Portal,
        source: Source[T],
        size: Callable[[T], int],
        most_bytes: int = MOST_BYTES,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """`check` is called before each wait, and raises if the thread must not block. Raises `NodeGone`."""
        self._stream = _Stream(portal, source, size, most_bytes)
        self._reader = OneThread()
        self._check = check

    def __iter__(self) -> BlockingStream[T]:
        return self

    def __next__(self) -> T:
        """Raises what the source raises, and `NodeGone`."""
        stream = self._stream
        with self._reader:
            while not stream.items:
                if stream.ended is not None:
                    stream.raise_failure()
                    raise StopIteration
                self._check()
                news = BlockingAnswer()
                if stream.wants(partial(news.set_outcome, outcome.Value(None))):
                    news.wait()
            return stream.pop_item()

    def close(self) -> None:
        """End it; from any thread. Closing twice does nothing."""
        self._stream.close()

    def __enter__(self) -> BlockingStream[T]:
        """Wait until the source has begun. Raises what that raises."""
        self._check()
        self._stream.begun.result()
        self._stream.raise_failure()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stream.close()

    def __del__(self) -> None:
        _close(self)


def _tell(news: Future[None]) -> None:
    if news.set_running_or_notify_cancel():
        news.set_result(None)


def _close(items: Any) -> None:
    stream = getattr(items, "_stream", None)  # it is not there if the portal was gone from the start
    if stream is not None:
        stream.close()
