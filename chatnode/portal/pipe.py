"""One way between an asyncio loop and a trio run in another thread: items in order, bounded in bytes.

An item counts until its reader asks for the next one, so a writer is slowed down by what the reader does with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Generic, TypeVar

import trio

from chatnode.errors import NodeGone
from chatnode.portal.loops import LoopQueue
from chatnode.portal.thread import Portal

T = TypeVar("T")
Waiter = Callable[[], tuple[Awaitable[object], Callable[[], object]]]
"""Called by who is going to wait: gives what to await, and what ends that, from any thread."""
_EACH = 64
"""Bytes that an item counts at least: many small ones are something, too."""


class PipeBroken(Exception):
    """Nobody reads any more."""


class Pipe(Generic[T]):
    """At most `most_bytes` are under way, or one item that is larger."""

    def __init__(self, most_bytes: int, writer: Waiter, reader: Waiter) -> None:
        self._most_bytes = most_bytes
        self._waiter_of_writer = writer
        self._waiter_of_reader = reader
        self._lock = threading.Lock()
        self._items: deque[tuple[T, int]] = deque()
        self._bytes = 0
        self._in_hand = 0
        self._ended = False
        self._broken = False
        self._wake_writers: list[Callable[[], object]] = []
        self._wake_reader: list[Callable[[], object]] = []

    async def put(self, item: T, size: int) -> None:
        """Waits for room. Raises `PipeBroken`. If it is cancelled, nothing was put."""
        size += _EACH
        while True:
            with self._lock:
                if self._broken or self._ended:
                    raise PipeBroken
                if not self._bytes or self._bytes + size <= self._most_bytes:
                    self._items.append((item, size))
                    self._bytes += size
                    wake, self._wake_reader = self._wake_reader, []
                    break
                room, tell = self._waiter_of_writer()
                self._wake_writers.append(tell)
            await room
        _call(wake)

    async def receive(self) -> T | None:
        """The next item; None at the end. If it is cancelled, nothing was taken."""
        while True:
            with self._lock:
                self._bytes -= self._in_hand
                self._in_hand = 0
                wake, self._wake_writers = self._wake_writers, []
                item, news = None, None
                if self._items:
                    item, self._in_hand = self._items.popleft()
                elif not (self._ended or self._broken):
                    news, tell = self._waiter_of_reader()
                    self._wake_reader.append(tell)
            _call(wake)
            if item is not None or news is None:
                return item
            await news

    def end(self) -> None:
        """Nothing more is put; what is under way can be taken. From any thread."""
        self._close(broken=False)

    def abandon(self) -> None:
        """Nothing more is taken. From any thread."""
        self._close(broken=True)

    def _close(self, *, broken: bool) -> None:
        with self._lock:
            self._ended = True
            self._broken |= broken
            wake = [*self._wake_writers, *self._wake_reader]
            self._wake_writers, self._wake_reader = [], []
        _call(wake)


def _call(functions: list[Callable[[], object]]) -> None:
    for each in functions:
        each()


def on_loop(queue: LoopQueue) -> Waiter:
    """For a side that is in an asyncio loop."""

    def make() -> tuple[Awaitable[object], Callable[[], object]]:
        future: asyncio.Future[None] = queue.loop.create_future()
        return future, partial(queue.call_soon, _finish, future)

    return make


def on_trio(portal: Portal) -> Waiter:
    """For a side that is in the portal's trio run."""

    def make() -> tuple[Awaitable[object], Callable[[], object]]:
        event = trio.Event()

        def tell() -> None:
            with contextlib.suppress(NodeGone):  # then nobody waits there
                portal.call_soon(event.set)

        return event.wait(), tell

    return make


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
