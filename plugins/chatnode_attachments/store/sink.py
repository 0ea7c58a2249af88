"""The file that an upload is received in. All of it blocks, and runs in the plugin's threads, a call at a time."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, Self

import attrs

from chatnode.api import record, sync_directory

BLOCK = 1 << 20
"""What is written at a time."""
SYNC_EVERY = 1 << 20
"""What may be in the page cache only: the database's own flush waits for it. Half of it makes uploads a quarter slower
(docs/performance.md)."""


class _Hash(Protocol):
    def update(self, part: bytes | memoryview, /) -> None: ...
    def digest(self) -> bytes: ...
    def copy(self) -> Self: ...


class Unreliable(OSError):
    """The file does not hold what was written to it, and no retry would help."""


class Full(OSError):
    """There is no room for more, on the disk or within the limits of the process. What was written stays good."""


@record(frozen=True)
class Checksum:
    """What the client says of the bytes of one request."""

    algorithm: str
    digest: bytes


@attrs.define(eq=False)
class Hasher:
    """The SHA-256 of the first `at` bytes of an upload, kept between requests: it cannot be stored."""

    sha256: _Hash = attrs.field(factory=hashlib.sha256)
    at: int = 0

    def copy(self) -> Hasher:
        return Hasher(self.sha256.copy(), self.at)


class Sink:
    """An open file of an upload, from `start` on. `end` is where the next byte goes; up to `synced` all is on disk."""

    def __init__(self, path: Path, start: int, hasher: Hasher | None, checksum: Checksum | None) -> None:
        self.start = self.end = self.synced = start
        self._before = hasher
        self.hasher = None if hasher is None else hasher.copy()
        self._checksum = checksum
        self._sum = None if checksum is None else hashlib.new(checksum.algorithm)
        self._file = open_at(path, start)

    def write(self, blocks: Sequence[bytes]) -> None:
        """Write and hash. Raises `Full`, with `end` and the hashes after what could be written, and `Unreliable`."""
        rest = memoryview(b"".join(blocks))
        while rest:
            try:
                count = os.pwrite(self._file, rest, self.end)
            except OSError as error:
                kind = Full if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else Unreliable
                raise kind(error.errno, error.strerror) from error
            self._hash(rest[:count])
            self.end += count
            rest = rest[count:]
        if self.end - self.synced >= SYNC_EVERY:
            self.sync()

    def _hash(self, part: memoryview) -> None:
        if self.hasher is not None:
            self.hasher.sha256.update(part)
            self.hasher.at += len(part)
        if self._sum is not None:
            self._sum.update(part)

    def sync(self) -> None:
        """Put everything on disk, and out of the page cache. Raises `Unreliable`: after a failed flush the kernel has
        dropped what it could not write, and a second one would succeed without it."""
        if self.synced == self.end:
            return
        try:
            os.fdatasync(self._file)
        except OSError as error:
            raise Unreliable(error.errno, error.strerror) from error
        os.posix_fadvise(self._file, self.synced, self.end - self.synced, os.POSIX_FADV_DONTNEED)
        self.synced = self.end

    def agrees(self) -> bool:
        """Whether the checksum is that of what was written; True without one."""
        return self._checksum is None or self._sum is None or self._sum.digest() == self._checksum.digest

    def cut_back(self) -> None:
        """Keep nothing of what was written."""
        os.ftruncate(self._file, self.start)
        self.end = self.synced = self.start
        self.hasher = self._before

    def close(self) -> None:
        os.close(self._file)


def open_at(path: Path, start: int) -> int:
    """Open the file, and cut off what was written after the last flush that the upload's row knows of.

    Raises `Unreliable` when it lacks bytes.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        size = os.fstat(file).st_size
        if size < start:
            raise Unreliable(None, f"{path.name} has {size} bytes of {start}")
        if size > start:
            os.ftruncate(file, start)
            os.fdatasync(file)
        if start == 0:
            sync_directory(path.parent)
    except BaseException:
        os.close(file)
        raise
    return file


def digest_of(path: Path) -> bytes:
    """The SHA-256 of a whole file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
