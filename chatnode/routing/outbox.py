"""The outbox of a connection: send at once, queue only what the kernel does not take.

A writer task per connection would cost a wake-up per push; here there is one only while something is queued. The queue
is bounded in bytes. A reader that is too slow for it is told to resume, because the log has everything.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

import trio

DRAIN_SECONDS = 5.0
"""Seconds that sending the last bytes of an ending session may take."""


class Wire(Protocol):
    """The bytes of a connection, as an outbox writes them."""

    def send_now(self, data: bytes | memoryview) -> int:
        """Pass to the kernel what fits, without waiting; returns the number of bytes. Raises OSError."""
        ...

    async def send_rest(self, data: bytes | memoryview) -> int:
        """Wait until something can be sent, and send it; returns the number of bytes. Raises OSError or
        `trio.BrokenResourceError`."""
        ...


class Outbox:
    """`overflow` is called, instead of queueing, when more than `most_bytes` would be queued; 0 means no limit. While
    nothing is queued, a send of any size is accepted. `start` runs a task."""

    __slots__ = (
        "_draining", "_empty", "_most_bytes", "_overflow", "_pending", "_queue", "_queued", "_start", "_wire", "broken",
        "closed",
    )  # fmt: skip

    def __init__(
        self,
        wire: Wire,
        most_bytes: int,
        overflow: Callable[[], None],
        start: Callable[[Callable[[], Awaitable[object]]], None],
    ) -> None:
        self._wire = wire
        self._most_bytes = most_bytes
        self._overflow = overflow
        self._start = start
        self._pending: list[bytes] = []
        self._queue: deque[bytes | memoryview] | None = None
        self._queued = 0
        self._draining = False
        self._empty: trio.Event | None = None
        self.closed = False
        """Nothing more is accepted."""
        self.broken = False
        """Nothing more can be sent; then it is closed, too."""

    def add(self, data: bytes) -> None:
        """Put `data` behind what was added; it goes out with the next `flush`."""
        if not self.closed:
            self._pending.append(data)

    def flush(self) -> None:
        """Send what was added, in one system call if the kernel accepts everything."""
        pending = self._pending
        if pending:
            data = pending[0] if len(pending) == 1 else b"".join(pending)
            pending.clear()
            self._put(data)

    def send(self, data: bytes) -> None:
        """`add` and `flush`."""
        if self._pending:
            self.add(data)
            self.flush()
        elif not self.closed:
            self._put(data)

    def _put(self, data: bytes) -> None:
        if self.broken:
            return
        sent = 0
        if self._queue is None:
            try:
                sent = self._wire.send_now(data)
            except OSError:
                self._break()  # the reading side of the connection notices and ends it
                return
            if sent == len(data):
                return
            self._queue = deque()
        elif self._most_bytes and self._queued + len(data) > self._most_bytes and not self.closed:
            self._overflow()
            return
        self._queue.append(memoryview(data)[sent:] if sent else data)
        self._queued += len(data) - sent
        if not self._draining:
            self._draining = True
            self._start(self._drain)

    async def _drain(self) -> None:
        """Send the queue, in a task that exists only while there is one. Ends by itself, or when cancelled."""
        try:
            while self._queue:
                data = self._queue[0]
                sent = await self._wire.send_rest(data)
                self._queued -= sent
                if sent == len(data):
                    self._queue.popleft()
                else:
                    self._queue[0] = memoryview(data)[sent:]
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError):
            self._break()
        except trio.Cancelled:
            self._break()  # in the middle of a frame: nothing may follow
            raise
        finally:
            self._queue = None
            self._queued = 0
            self._draining = False
            if self._empty is not None:
                self._empty.set()
                self._empty = None

    def _break(self) -> None:
        self.broken = self.closed = True

    def close_with(self, last: bytes, *, now: bool = False) -> None:
        """Send `last` and accept nothing more. With `now`, drop the queue, except for a frame that is half sent."""
        self.flush()
        if self.closed:
            return
        self.closed = True
        if now and self._queue:
            first = self._queue[0]
            self._queue.clear()
            self._queue.append(first)
            self._queued = len(first)
        self._put(last)

    @property
    def queued_bytes(self) -> int:
        return self._queued

    @property
    def waiting(self) -> bool:
        """Whether something is queued."""
        return self._draining

    async def wait_empty(self) -> None:
        """Until the kernel has everything, or the connection is broken."""
        self.flush()
        while self._draining:
            if self._empty is None:
                self._empty = trio.Event()
            await self._empty.wait()


class SocketWire:
    """A plain TCP connection: sends straight to the kernel."""

    __slots__ = ("_socket",)

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def send_now(self, data: bytes | memoryview) -> int:
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0

    async def send_rest(self, data: bytes | memoryview) -> int:
        await trio.lowlevel.wait_writable(self._socket)
        return self.send_now(data)


class StreamWire:
    """A TLS stream: encryption keeps state, so everything goes through its own awaiting send."""

    __slots__ = ("_stream",)

    def __init__(self, stream: trio.abc.SendStream) -> None:
        self._stream = stream

    def send_now(self, data: bytes | memoryview) -> int:
        return 0

    async def send_rest(self, data: bytes | memoryview) -> int:
        await self._stream.send_all(data)
        return len(data)
