"""What is uploaded, read in pieces from any place that may still be needed. Memory does not grow with its size."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing, asynccontextmanager
from typing import BinaryIO, Protocol

import trio

from chatnode.client.uploaded import Source
from chatnode.errors import Refusal

PIECE_BYTES = 2**18
_HASHED_AT_A_TIME = 2**24
WINDOW_BYTES = 2**23
"""What is held of a stream until the node has it: it cannot be read twice."""


class Readable(Protocol):
    """Bytes with a running hash. For one task."""

    @property
    def length(self) -> int | None:
        """Of the whole; None while it is not known."""
        ...

    @property
    def kept_from(self) -> int:
        """What comes before this cannot be read any more."""
        ...

    async def reach(self, offset: int, most: int) -> int:
        """How many bytes there are from `offset` on, up to `most`; fewer only at the end."""
        ...

    async def read(self, offset: int, count: int) -> bytes:
        """So many bytes, which `reach` found there. Raises `Refusal` when they are gone since."""
        ...

    def forget(self, before: int) -> None:
        """The node has everything before this offset."""
        ...

    async def sha256(self) -> str:
        """Of the whole, in hexadecimal."""
        ...


@asynccontextmanager
async def open_source(source: Source) -> AsyncGenerator[Readable]:
    """What to read from; the file at a path is closed at the end. Raises `OSError`."""
    if isinstance(source, str | os.PathLike):
        path = os.fspath(source)
        descriptor = await trio.to_thread.run_sync(_open_file, path)
        try:
            yield FileSource(path, descriptor)
        finally:
            os.close(descriptor)
    elif isinstance(source, AsyncIterable):
        yield StreamSource(source)
    else:
        async with aclosing(_pieces(source)) as pieces:
            yield StreamSource(pieces)


def _open_file(path: str) -> int:
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0))
    try:
        # A pipe has no size, and opening one without O_NONBLOCK would wait for a writer.
        if not os.path.isfile(descriptor):
            raise Refusal("invalid", f"{path} is not a file")
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


async def _pieces(file: BinaryIO) -> AsyncGenerator[bytes]:
    while piece := await trio.to_thread.run_sync(file.read, PIECE_BYTES):
        yield piece


class FileSource:
    """A file of a fixed length. It must not change while it is uploaded; that is noticed."""

    kept_from = 0

    def __init__(self, path: str, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self._before = _stamp(descriptor)
        self._hash = hashlib.sha256()
        self._hashed = 0
        self.length: int = self._before[0]

    async def reach(self, offset: int, most: int) -> int:
        return max(0, min(most, self.length - offset))

    async def read(self, offset: int, count: int) -> bytes:
        return await trio.to_thread.run_sync(self._read, offset, count)

    def forget(self, before: int) -> None:
        pass

    async def sha256(self) -> str:
        """Reads what was not sent by this program, as it was there already."""
        while self._hashed < self.length:
            await self.read(self._hashed, min(_HASHED_AT_A_TIME, self.length - self._hashed))
        if _stamp(self._descriptor) != self._before:
            raise self._changed()
        return self._hash.hexdigest()

    def _read(self, offset: int, count: int) -> bytes:
        piece = os.pread(self._descriptor, count, offset)
        if len(piece) < count:
            raise self._changed()
        if offset <= self._hashed < offset + count:
            self._hash.update(memoryview(piece)[self._hashed - offset :])
            self._hashed = offset + count
        return piece

    def _changed(self) -> Refusal:
        return Refusal("conflict", f"{self._path} was changed while it was being uploaded; upload it again")


def _stamp(descriptor: int) -> tuple[int, int]:
    found = os.fstat(descriptor)
    return found.st_size, found.st_mtime_ns


class StreamSource:
    """Bytes that come once. What the node does not have yet is held, up to `WINDOW_BYTES` and a piece."""

    def __init__(self, pieces: AsyncIterable[bytes]) -> None:
        self._pieces = aiter(pieces)
        self._held = bytearray()
        self._hash = hashlib.sha256()
        self.kept_from = 0
        self.length: int | None = None

    async def reach(self, offset: int, most: int) -> int:
        most = min(most, WINDOW_BYTES)
        while self.length is None and self._end - offset < most:
            try:
                piece = await anext(self._pieces)
            except StopAsyncIteration:
                self.length = self._end
            else:
                self._hash.update(piece)
                self._held += piece
        return max(0, min(most, self._end - offset))

    async def read(self, offset: int, count: int) -> bytes:
        start = offset - self.kept_from
        return bytes(self._held[start : start + count])

    def forget(self, before: int) -> None:
        if before > self.kept_from:
            del self._held[: before - self.kept_from]
            self.kept_from = before

    async def sha256(self) -> str:
        return self._hash.hexdigest()

    @property
    def _end(self) -> int:
        return self.kept_from + len(self._held)
