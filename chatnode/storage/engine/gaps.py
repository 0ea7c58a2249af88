"""Zeroing the gaps of the database's pages, in slices between writes.

`secure_delete` zeroes a row where it is deleted. When SQLite moves rows to another page of a table or index, however,
it leaves their bytes in the unused middle of the old one, between the page's directory and its first row. No SQL
reaches them but VACUUM, which holds up every write while it copies the whole file. This zeroes them in the file itself:

- Only zeros are written, and only to bytes that the page's own header calls unused. No reader can see a difference, and
  a write that a crash cuts short leaves a page that is just as good.
- A slice runs in the writer thread, which alone writes and checkpoints, and only while the write-ahead log is empty, so
  that no older copy of a page can take the place of a clean one. The writer's cached copies are dropped first.
- Another process, such as an administrator's `sqlite3`, can neither write nor checkpoint meanwhile: the slice holds
  SQLite's write lock, and there is nothing in the log to move.
- SQLite moves pages among siblings, with their gaps, so that a page behind the sweep may get the gap of one before it.
  Both are in the write-ahead log then: each slice begins with the pages that were written since the last one.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Generator
from contextlib import contextmanager
from enum import Enum, auto
from pathlib import Path
from time import perf_counter

import trio

from chatnode.storage.engine.connection import Reader

SLICE_SECONDS = 0.005
BUSY_MS = 5
"""How long a slice waits for readers that need the write-ahead log."""

_TREES = frozenset({2, 5, 10, 13})  # the first byte of a page of a table or index
_INNER = frozenset({2, 5})  # its header is four bytes longer
_MOST_PAGES = 1 << 25  # from here on, the first byte of other pages may be one of these
_AT_ONCE = 64  # pages
_ZEROS = bytes(65_536)
_HEADER = struct.Struct(">BxxHH")  # kind, first free block, number of cells, first cell
_WAL_HEADER, _FRAME_HEADER = 32, 24


class Slice(Enum):
    """How a slice ended. DONE: every gap is zero that was not when the sweep began. BUSY: a reader was in the way."""

    DONE = auto()
    MORE = auto()
    BUSY = auto()


class Unswept(Exception):
    """The file is of a form whose pages cannot be told apart; says why."""


class RawFile:
    """The database's file, below SQLite.

    Opened once and closed after SQLite's connections: when a process closes any descriptor of a file, the system takes
    away the locks that SQLite holds on it (https://www.sqlite.org/howtocorrupt.html, 2.2).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sweeping = False
        """While it is, nothing but a slice may move the write-ahead log: the sweep learns from it what was written."""
        self.alone = trio.Lock()
        """Held by a sweep, and by whatever else cuts off the write-ahead log."""
        self._descriptor: int | None = None

    @property
    def descriptor(self) -> int:
        if self._descriptor is None:
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        return self._descriptor

    def sync(self) -> None:
        os.fsync(self.descriptor)

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class Sweep:
    """One way through the file, for `Database.maintain`. `zeroed` counts the pages with bytes in their gap."""

    def __init__(self, file: RawFile, seconds: float = SLICE_SECONDS) -> None:
        self._file = file
        self._seconds = seconds
        self._next = 1
        self._last = 0
        self._written: set[int] = set()
        self.zeroed = 0

    def go_on(self, connection: Reader) -> Slice:
        """One slice. Raises `Unswept`."""
        self._file.sweeping = True
        connection.execute("PRAGMA wal_autocheckpoint=0")
        size, count = _layout(connection)
        if self._last:  # else all pages are still to come
            self._written |= _pages_in(self._file.path, size)
        if not empty_log(connection):
            return Slice.BUSY
        with _writing_alone(connection, self._file.path) as alone:
            return self._clean_some(connection, size, count) if alone else Slice.BUSY

    def _clean_some(self, connection: Reader, size: int, count: int) -> Slice:
        connection.execute("PRAGMA shrink_memory")
        until = perf_counter() + self._seconds
        while self._written:  # as many as there are: to move them took longer, and else there might be no end
            self._clean(self._written.pop(), 1, size)
        self._last = self._last or count  # pages that come later are among those written
        while self._next <= self._last:
            several = min(_AT_ONCE, self._last + 1 - self._next)
            self._clean(self._next, several, size)
            self._next += several
            if perf_counter() >= until and self._next <= self._last:
                return Slice.MORE
        return Slice.DONE

    def end(self, connection: Reader, checkpoint_pages: int) -> None:
        """Let the write-ahead log be moved as usual again."""
        self._file.sweeping = False
        connection.execute(f"PRAGMA wal_autocheckpoint={checkpoint_pages:d}")

    def _clean(self, number: int, several: int, size: int) -> None:
        begin = (number - 1) * size
        pages = os.pread(self._file.descriptor, several * size, begin)
        for at in range(0, len(pages) - size + 1, size):
            start, end = gap_of(pages, at, size, first=begin + at == 0)
            if end > start and pages[start:end] != _ZEROS[: end - start]:
                os.pwrite(self._file.descriptor, _ZEROS[: end - start], begin + start)
                self.zeroed += 1


def gap_of(pages: bytes, at: int, size: int, *, first: bool) -> tuple[int, int]:
    """Where the gap of the page at `at` begins and ends; (0, 0) for a page that is of no table or index.

    `first`: the file's own header comes before the page's.
    """
    header = at + 100 if first else at
    kind, cells, content = _HEADER.unpack_from(pages, header)
    if kind not in _TREES:
        return 0, 0
    start = header + (12 if kind in _INNER else 8) + 2 * cells
    end = at + (content or 65_536)
    return (start, end) if start < end <= at + size else (0, 0)


def empty_log(connection: Reader, most_ms: int = BUSY_MS) -> bool:
    """Move the write-ahead log into the database and cut it off; whether no reader stood in the way for `most_ms`."""
    (usual,) = connection.execute("PRAGMA busy_timeout").fetchone()
    connection.execute(f"PRAGMA busy_timeout={most_ms:d}")
    try:
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        connection.execute(f"PRAGMA busy_timeout={usual:d}")
    return not busy


@contextmanager
def _writing_alone(connection: Reader, database: Path) -> Generator[bool]:
    """Keep other processes from writing, whose checkpoint could fill a gap between our reading and our writing of it.

    With SQLite's write lock held and the write-ahead log empty, no program can change the file. Gives False when
    another process wrote since the log was cut off.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        log = _log_of(database)
        yield not log.exists() or log.stat().st_size == 0
    finally:
        connection.execute("ROLLBACK")


def _log_of(database: Path) -> Path:
    return database.with_name(database.name + "-wal")


def _layout(connection: Reader) -> tuple[int, int]:
    """The size of a page, and how many there are."""
    size, moves, count = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_size", "auto_vacuum", "page_count")
    )
    if moves or count >= _MOST_PAGES:
        raise Unswept(f"it has {count} pages of at most {_MOST_PAGES}, and auto_vacuum is {moves}")
    return size, count


def _pages_in(database: Path, size: int) -> set[int]:
    """The pages that the write-ahead log has a copy of."""
    path = _log_of(database)
    frame = _FRAME_HEADER + size
    try:
        length = path.stat().st_size
    except FileNotFoundError:
        return set()
    if length <= _WAL_HEADER:
        return set()
    with path.open("rb") as log:  # SQLite takes no locks on this file
        return {int.from_bytes(os.pread(log.fileno(), 4, at)) for at in range(_WAL_HEADER, length - frame + 1, frame)}
