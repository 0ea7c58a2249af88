"""A database without a node around it, writes that can be counted, and a writer thread that can be held up."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import attrs
import outcome
import pytest
import trio
import trio.testing

from chatnode.config import Storage
from chatnode.dispatch.subject import additions_of
from chatnode.errors import Refusal
from chatnode.model.events import SessionRevoked
from chatnode.services import SUBJECTS
from chatnode.storage.engine.connection import Reader, connect_reader, connect_writer
from chatnode.storage.engine.database import Database, _in_snapshot
from chatnode.storage.engine.group import QueuedCall
from chatnode.storage.engine.migrations import core_migrations, initialize, migrate
from chatnode.storage.engine.transaction import Committed, Read, Recorded, Transaction, Write
from tests import quick

T = TypeVar("T")


def make_file(path: Path) -> Path:
    """A database file with the core's tables, and one of numbered notes."""
    if not path.exists():
        quick.new_database(path)
    connection = connect_writer(path, Storage())
    migrate(connection, core_migrations())
    initialize(connection)
    connection.execute("CREATE TABLE notes (number INTEGER PRIMARY KEY, text)")
    connection.close()
    return path


class Published(Database):
    """A database that keeps what it handed to `on_commit`."""

    def __init__(self, path: Path, settings: Storage | None = None, *, inline: bool = False) -> None:
        super().__init__(path, settings, inline=inline, additions=additions_of(SUBJECTS))
        self.published: list[Committed] = []
        self.on_commit = self.published.extend

    @property
    def published_gids(self) -> list[int]:
        return [each.gid for each in self.published]


@asynccontextmanager
async def opened(path: Path, settings: Storage | None = None, *, inline: bool = False) -> AsyncIterator[Published]:
    """An open database, closed at the end whatever happens."""
    db = Published(path, settings, inline=inline)
    db.open()
    try:
        yield db
    finally:
        await db.aclose()


@attrs.define
class Note:
    """A write of one row and one event, which gives the event's gid; then it may fail."""

    number: int
    text: str = ""
    then: Exception | None = None

    def __call__(self, tx: Transaction) -> int:
        tx.execute("INSERT INTO notes VALUES (?, ?)", (self.number, self.text))
        gid = tx.record(SessionRevoked(self.number), people=(1,), subject=self.number)
        if self.then is not None:
            raise self.then
        return gid


async def noted(db: Database) -> list[int]:
    """The numbers of the notes that are there."""
    return await db.read(lambda reader: [row[0] for row in reader.execute("SELECT number FROM notes ORDER BY number")])


async def logged(db: Database) -> list[int]:
    """The gids of the log."""
    return await db.read(lambda reader: [row[0] for row in reader.execute("SELECT gid FROM log ORDER BY gid")])


# ---- holding the writer up, so that writes meet in one group


class Gate:
    """A function for one of the database's threads, which waits in it until the gate is opened."""

    def __init__(self) -> None:
        self._opened = threading.Event()
        self._token = trio.lowlevel.current_trio_token()
        self.reached = trio.Event()

    def __call__(self, _: object) -> None:
        self._token.run_sync_soon(self.reached.set)
        assert self._opened.wait(10), "nobody opened the gate"

    def open(self) -> None:
        self._opened.set()


@asynccontextmanager
async def held_up(db: Database) -> AsyncIterator[trio.Nursery]:
    """Writes started in the block wait; after it they are carried out together, and it ends when all are done.

    Inline databases are not held up: there every write commits alone.
    """
    gate = Gate()
    async with trio.open_nursery() as nursery:
        if not db.inline:
            nursery.start_soon(db.write, gate)
            await gate.reached.wait()
        try:
            yield nursery
            await trio.testing.wait_all_tasks_blocked()
        finally:
            gate.open()


# ---- counting and breaking


@contextmanager
def statements_of(db: Database) -> Iterator[list[str]]:
    """What the writing connection executes within the block."""
    seen: list[str] = []
    db._writer.set_trace_callback(seen.append)
    try:
        yield seen
    finally:
        db._writer.set_trace_callback(None)


class Breakable(Reader):
    """A connection that calls `before` with each statement, which may raise in its place."""

    before: Callable[[str], None] = staticmethod(lambda sql: None)

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        self.before(sql)
        return super().execute(sql, *args)

    def executemany(self, sql: str, *args: Any) -> sqlite3.Cursor:
        self.before(sql)
        return super().executemany(sql, *args)


def break_commit(db: Database, error: sqlite3.Error, *, let_pass: int = 0) -> None:
    """Let `let_pass` commits of a database on a `Breakable` connection pass, then fail one, then work again."""
    assert isinstance(db._writer, Breakable)
    commits = iter(range(let_pass + 1))

    def before(sql: str) -> None:
        if sql == "COMMIT" and next(commits, None) == let_pass:
            raise error

    db._writer.before = before


def connecting_as(monkeypatch: pytest.MonkeyPatch, factory: Callable[..., sqlite3.Connection]) -> None:
    """From now on connections are made by `factory`."""
    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **kwargs: real(*args, **kwargs | {"factory": factory}))


def full_disk() -> sqlite3.OperationalError:
    """What SQLite raises when there is no space left."""
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    return error


async def stored(db: Database, *numbers: int) -> dict[int, str]:
    """Write notes of these numbers, in one group; what became of each: `stored`, or the code of its refusal."""
    found: dict[int, str] = {}

    async def write(number: int) -> None:
        try:
            await db.write(Note(number))
            found[number] = "stored"
        except Refusal as refusal:
            found[number] = refusal.code

    async with held_up(db) as writes:
        for number in numbers:
            writes.start_soon(write, number)
            await trio.testing.wait_all_tasks_blocked()
    return found


# ---- without threads and without trio


class Store:
    """The storage core with plain calls: jobs run as the writer thread runs them, and a crash is a copy of the files.

    What a crash of the machine does to unflushed writes is tested elsewhere, so nothing is flushed here. The
    writer's page cache is tiny, so that uncommitted pages do get into the files that a crash leaves.
    """

    def __init__(self, folder: Path, database: type[Database] = Database) -> None:
        self._folder = folder
        self._database = database
        self._number = 0
        self._path(0).write_bytes(_new_file())
        self._open()

    def _path(self, number: int) -> Path:
        return self._folder / f"{number}.sqlite3"

    def _open(self) -> None:
        path = self._path(self._number)
        self.db = self._database(path, inline=True, additions=additions_of(SUBJECTS))
        self.db._writer = connect_writer(path, self.db.settings)
        self.db._writer.execute("PRAGMA synchronous=OFF")
        self.db._writer.execute("PRAGMA cache_size=8")
        self.reader = connect_reader(path)
        self.db._writer.additions = self.reader.additions = self.db.additions

    def write(self, function: Write[T]) -> tuple[T, list[Recorded]]:
        """What the function gives and the events it recorded; raises what it raised."""
        return self.write_together([function])[0].unwrap()

    def write_together(self, functions: Sequence[Write[T]]) -> list[outcome.Outcome[tuple[T, list[Recorded]]]]:
        """Carry several writes out in one group commit, in one savepoint as long as none fails."""
        jobs = [QueuedCall(function, None, repeatable=True) for function in functions]
        self.db._commit(jobs)
        return [outcome.capture(lambda job=job: (job.outcome.unwrap(), job.recorded)) for job in jobs]

    def read(self, function: Read[T]) -> T:
        return _in_snapshot(self.reader, function)

    def close(self) -> None:
        self.reader.close()
        self.db._writer.close()

    def reopen(self) -> None:
        """An orderly stop and a start."""
        self.close()
        self._open()

    def crash(self) -> None:
        """The process dies now, and another one opens what it left."""
        files = [self._path(self._number), self._path(self._number).with_name(f"{self._number}.sqlite3-wal")]
        left = [file.read_bytes() for file in files]
        self.close()
        self._number += 1
        for file, content in zip(files, left, strict=True):
            file.with_name(file.name.replace(str(self._number - 1), str(self._number), 1)).write_bytes(content)
        self._open()

    def crash_within(self, function: Write[object]) -> None:
        """The process dies when it has carried out the function and before it commits."""
        writer = self.db._writer
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("SAVEPOINT job")
        function(Transaction(writer, writer.execute("SELECT coalesce(max(gid), 0) + 1 FROM log").fetchone()[0]))
        writer.execute("RELEASE job")
        self.crash()


@cache
def _new_file() -> bytes:
    """A database with the core's tables, as bytes."""
    with TemporaryDirectory() as folder:
        return make_file(Path(folder) / "new.sqlite3").read_bytes()
