"""The hub: one task reads all plain client sockets.

A task for each would be woken for every request, and each wake-up costs a call to the kernel and several coroutines.
The hub has an epoll of its own, reads what is ready, and lets each reader begin what needs no task. Rules:

- A reader that raises ends its own connection: there is a barrier around each call.
- Writes that readers begin in one turn are handed to the writer together.
- Between turns all other tasks get theirs; a turn reads each ready socket once, and at most `MOST_READ` of them.
- A descriptor is removed before it is closed: the kernel gives its number to the next connection.
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
    """Reads one socket. Nothing of it may wait."""

    def on_readable(self, now: float) -> None:
        """There are bytes, or the end; called again until they are received or the socket is removed."""
        ...

    def failed(self, error: Exception) -> None:
        """`on_readable` raised: end the connection."""
        ...


class Hub:
    """`add` and `remove` take the number of a non-blocking socket. All of it is called on the trio thread."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._epoll = select.epoll()
        self._readers: dict[int, SocketReader] = {}

    def __len__(self) -> int:
        return len(self._readers)

    def add(self, number: int, reader: SocketReader) -> None:
        """Raises OSError when the kernel watches no more sockets, or `run` has ended."""
        if self._epoll.closed:
            raise OSError(errno.EBADF, "the hub has ended")
        self._epoll.register(number, _EVENTS)
        self._readers[number] = reader

    def remove(self, number: int) -> None:
        """Does nothing when it is not there."""
        if self._readers.pop(number, None) is not None:
            self._epoll.unregister(number)

    async def run(self) -> None:
        """Read until cancelled."""
        number = self._epoll.fileno()
        try:
            while True:
                await trio.lowlevel.wait_readable(number)
                self._read_ready(trio.current_time())
        finally:
            self._readers.clear()
            trio.lowlevel.notify_closing(number)
            self._epoll.close()

    def _read_ready(self, now: float) -> None:
        self._db.hold()
        try:
            for number, _ in self._epoll.poll(0, MOST_READ):
                reader = self._readers.get(number)  # another's turn may have removed it
                if reader is not None:
                    try:
                        reader.on_readable(now)
                    except Exception as error:
                        self._give_up(number, reader, error)
        finally:
            self._db.hand_over()

    def _give_up(self, number: int, reader: SocketReader, error: Exception) -> None:
        try:
            reader.failed(error)
        except Exception as again:
            logger.error("a client socket failed and could not be ended: %s", kinds_of(again))
            self.remove(number)
