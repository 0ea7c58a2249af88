"""The hub: one task reads all plain client sockets.

With a task for each socket, every request would wake one, and each wake-up costs a system call and several coroutines.
The hub has an epoll of its own and tells the reader of each ready socket, which begins whatever needs no task. Rules:

- There is a barrier around each call of a reader: one that raises ends its own connection and no other.
- Writes that readers begin in one turn are handed to the writer together.
- A turn reads each ready socket once, and at most `MOST_READ` of them. All other tasks run between two turns.
- A file descriptor is removed before it is closed, because the kernel reuses its number for the next connection.
"""

from __future__ import annotations

import errno
import select
from typing import Protocol

import trio

from chatnode.logs import get_logger, kinds_of
from chatnode.storage.engine.database import Database

logger = get_logger("socket")

MOST_READ = 256
_EVENTS = select.EPOLLIN | select.EPOLLRDHUP


class SocketReader(Protocol):
    """Reads one socket. Its methods must not block."""

    def on_readable(self, now: float) -> None:
        """There are bytes to receive, or the end of them. Called again until they are received or the socket is
        removed. `now` is trio's clock, in seconds."""
        ...

    def failed(self, error: Exception) -> None:
        """`on_readable` raised: end the connection."""
        ...


class Hub:
    """`add` and `remove` take the file descriptor of a non-blocking socket. Call all methods on the trio thread."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._epoll = select.epoll()
        self._readers: dict[int, SocketReader] = {}

    def __len__(self) -> int:
        return len(self._readers)

    def add(self, fd: int, reader: SocketReader) -> None:
        """Raises OSError if the kernel can watch no more sockets, or `run` has ended."""
        if self._epoll.closed:
            raise OSError(errno.EBADF, "the hub has ended")
        self._epoll.register(fd, _EVENTS)
        self._readers[fd] = reader

    def remove(self, fd: int) -> None:
        """Does nothing if it was not added."""
        if self._readers.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    async def run(self) -> None:
        """Read until cancelled."""
        epoll = self._epoll.fileno()
        try:
            while True:
                await trio.lowlevel.wait_readable(epoll)
                self._read_ready(trio.current_time())
        finally:
            self._readers.clear()
            trio.lowlevel.notify_closing(epoll)
            self._epoll.close()

    def _read_ready(self, now: float) -> None:
        self._db.hold()
        try:
            for fd, _ in self._epoll.poll(0, MOST_READ):
                reader = self._readers.get(fd)  # a reader before it in this turn may have removed it
                if reader is not None:
                    try:
                        reader.on_readable(now)
                    except Exception as error:
                        self._end(fd, reader, error)
        finally:
            self._db.hand_over()

    def _end(self, fd: int, reader: SocketReader, error: Exception) -> None:
        try:
            reader.failed(error)
        except Exception as again:
            logger.error("a client socket failed and could not be ended: %s", kinds_of(again))
            self.remove(fd)
