"""Lines over a Unix socket, for both ends: read as they come, sent in batches."""

from __future__ import annotations

from collections.abc import Sequence

import trio

from chatnode.concurrency import Signal

LINE_BYTES = 64 * 1024 * 1024
"""The longest line: a batch of an import."""
UNSENT_BYTES = 256 * 1024
"""How much may wait to be sent before `LineSender.wait_room` waits."""


class LineReader:
    """The lines of a stream, for one task at a time."""

    def __init__(self, stream: trio.abc.ReceiveStream) -> None:
        self._stream = stream
        self._buffered = bytearray()
        self._put_back: list[bytes] = []

    def put_back(self, lines: list[bytes]) -> None:
        """Lines that were read and are for the next to read."""
        self._put_back = lines + self._put_back

    async def read(self) -> list[bytes]:
        """The next lines, at least one; none at the end of the stream, or if one is longer than `LINE_BYTES`.

        Cancelling loses nothing.
        """
        if self._put_back:
            await trio.lowlevel.checkpoint()
            lines, self._put_back = self._put_back, []
            return lines
        while True:
            try:
                chunk = await self._stream.receive_some()
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return []
            if not chunk:
                return []
            self._buffered += chunk
            if len(self._buffered) > LINE_BYTES:
                return []
            if b"\n" in chunk:
                *lines, rest = bytes(self._buffered).split(b"\n")
                self._buffered[:] = rest
                return lines


class LineSender:
    """Sends lines in the order in which they are put; those that wait go out together.

    Nothing is sent but while `run` runs. Once it has ended, what is put is dropped, and nothing waits.
    """

    def __init__(self, stream: trio.abc.SendStream) -> None:
        self._stream = stream
        self._waiting: list[bytes] = []
        self._bytes = 0
        self._changed = Signal()
        self._ended = False

    @property
    def full(self) -> bool:
        return self._bytes > UNSENT_BYTES

    def put(self, line: bytes) -> None:
        """A line, without its end. Never waits."""
        if not self._ended:
            self._waiting.append(line)
            self._bytes += len(line)
            self._changed.notify()

    async def wait_room(self) -> None:
        """Until no more than `UNSENT_BYTES` wait."""
        while self.full:
            await self._changed.wait()

    async def wait_sent(self) -> None:
        """Until the kernel has everything."""
        while self._bytes:
            await self._changed.wait()

    async def run(self) -> None:
        """Until cancelled, or until the other end takes nothing more."""
        try:
            while True:
                while not self._waiting:
                    await self._changed.wait()
                lines, self._waiting = self._waiting, []
                await send_lines(self._stream, lines)
                self._bytes -= sum(map(len, lines))
                self._changed.notify()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the reading side sees the end
        finally:
            self._ended = True
            self._waiting, self._bytes = [], 0
            self._changed.notify()


async def send_lines(stream: trio.abc.SendStream, lines: Sequence[bytes]) -> None:
    """Raises `trio.BrokenResourceError` when the other end is gone."""
    await stream.send_all(b"\n".join([*lines, b""]))
