"""A connection for programs that read a node's database with SQL of their own.

It only reads, and it lets go: while anybody reads, the write-ahead log cannot be cut off, and what was erased cannot be
swept out of the file. So a statement has a time limit, and so has a transaction.
"""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakSet

from chatnode.storage.engine.connection import refuse_old_sqlite, was_interrupted

T = TypeVar("T")

_STEPS_BETWEEN_LOOKS = 20_000
"""Of SQLite's virtual machine: below a millisecond."""


def connect_guarded(path: Path, seconds: float, views: Mapping[str, str]) -> GuardedConnection:
    """A connection that reads the database at `path`, in use or not, and has these views: by name, what they select.

    It cannot write, neither to this database nor to one that is attached. Everything is in autocommit: a query sees
    what was committed when it began. Raises `StartError` when this SQLite is too old, else `sqlite3.Error`.
    """
    refuse_old_sqlite()
    # A path may have characters that mean something in a URI, and bytes that are no text: `as_uri` escapes both.
    uri = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, timeout=seconds, isolation_level=None, factory=GuardedConnection)
    try:
        connection.execute("PRAGMA wal_autocheckpoint=0")
        connection.execute("PRAGMA temp_store=MEMORY")  # what a query sorts never goes to a file
        for name, select in views.items():
            connection.execute(f"CREATE TEMP VIEW {name} AS {select}")
        connection.execute("PRAGMA query_only=ON")
        connection.guard()
    except BaseException:
        connection.close()
        raise
    connection.seconds = seconds
    return connection


def _authorize(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    """Reading `PRAGMA query_only` is allowed, and setting it is not."""
    lifts = action == sqlite3.SQLITE_PRAGMA and first is not None and first.lower() == "query_only"
    return sqlite3.SQLITE_DENY if lifts and second is not None else sqlite3.SQLITE_OK


class GuardedConnection(sqlite3.Connection):
    """`seconds` is how long a statement may take, from when it begins until its last row was fetched, and how long a
    transaction may stay open.

    What takes longer is stopped, and the next call raises `sqlite3.OperationalError`. `end_overdue` stops what nobody
    calls for.
    """

    seconds = math.inf
    _ends = math.inf
    _transaction_ends: float | None = None
    _rolled_back = False

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._cursors: WeakSet[TimedCursor] = WeakSet()
        super().set_progress_handler(lambda: time.monotonic() > self._ends, _STEPS_BETWEEN_LOOKS)

    def guard(self) -> None:
        """From now on no statement can lift what keeps this from writing."""
        super().set_authorizer(_authorize)

    def set_authorizer(self, *_: Any, **__: Any) -> None:
        """Raises `sqlite3.ProgrammingError`, as the next."""
        raise sqlite3.ProgrammingError("this connection has an authorizer, which keeps it from writing")

    def set_progress_handler(self, *_: Any, **__: Any) -> None:
        raise sqlite3.ProgrammingError("this connection has a progress handler, which is its time limit")

    def cursor(self, factory: object = None) -> TimedCursor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Always a `TimedCursor`."""
        cursor = super().cursor(TimedCursor)
        self._cursors.add(cursor)
        return cursor

    # Python's own need not make their cursor with `cursor`.

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        return self.cursor().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        return self.cursor().executemany(sql, parameters)

    def executescript(self, sql_script: str, /) -> sqlite3.Cursor:
        return self.cursor().executescript(sql_script)

    def run(self, cursor: TimedCursor, call: Callable[..., T], *arguments: Any) -> T:
        """Work on the cursor's statement, which is stopped when its time is up."""
        if time.monotonic() > cursor.ends:
            raise self._stop(cursor)
        self._ends = cursor.ends
        try:
            return call(*arguments)
        except sqlite3.OperationalError as error:
            if was_interrupted(error) and time.monotonic() > cursor.ends:
                raise self._stop(cursor) from None
            raise
        finally:
            self._ends = math.inf
            if self.in_transaction and self._transaction_ends is None:
                self._transaction_ends = time.monotonic() + self.seconds

    def end_of_statement(self) -> float:
        """When a statement that begins now must have ended. Raises if the transaction took too long that it is for."""
        self._end_overdue_transaction()
        if self._rolled_back:
            self._rolled_back = False
            raise self.took_too_long("the transaction was rolled back")
        return min(time.monotonic() + self.seconds, self._transaction_ends or math.inf)

    def end_overdue(self) -> None:
        """Stop the statements and the transaction whose time is up. Call it often, in the connection's thread."""
        now = time.monotonic()
        for cursor in [each for each in self._cursors if each.ends < now]:
            self._stop(cursor)
        self._end_overdue_transaction()

    def _end_overdue_transaction(self) -> None:
        if not self.in_transaction:
            self._transaction_ends = None
        elif self._transaction_ends is not None and self._transaction_ends < time.monotonic():
            self.rollback()
            self._transaction_ends, self._rolled_back = None, True

    def _stop(self, cursor: TimedCursor) -> sqlite3.OperationalError:
        cursor.stop()
        return self.took_too_long("the statement was stopped")

    def took_too_long(self, what: str) -> sqlite3.OperationalError:
        """The error that says so, as an interrupted statement raises it."""
        error = sqlite3.OperationalError(
            f"{what} after {self.seconds:g} seconds, because it keeps the node from tidying up its database; read less "
            "at once, fetch all rows before you wait for anything else, or increase `seconds`"
        )
        error.sqlite_errorcode, error.sqlite_errorname = sqlite3.SQLITE_INTERRUPT, "SQLITE_INTERRUPT"
        return error


class TimedCursor(sqlite3.Cursor):
    """A cursor of a `GuardedConnection`. `ends` is when its statement must have ended; never, if it has."""

    ends = math.inf
    _stopped = False

    def execute(self, sql: str, parameters: Any = (), /) -> TimedCursor:
        return self._begin(super().execute, sql, parameters)

    def executemany(self, sql: str, seq_of_parameters: Iterable[Any], /) -> TimedCursor:
        return self._begin(super().executemany, sql, seq_of_parameters)

    def executescript(self, sql_script: str, /) -> TimedCursor:
        return self._begin(super().executescript, sql_script)

    def fetchone(self) -> Any:
        return self._fetch(super().fetchone)

    def fetchmany(self, size: int | None = None) -> list[Any]:
        wanted = self.arraysize if size is None else size
        rows = self._fetch(super().fetchmany, wanted)
        if len(rows) < wanted:
            self.ends = math.inf
        return rows

    def fetchall(self) -> list[Any]:
        rows = self._fetch(super().fetchall)
        self.ends = math.inf
        return rows

    def __next__(self) -> Any:
        row = self.fetchone()
        if row is None:
            raise StopIteration
        return row

    def stop(self) -> None:
        """Let go of the database. Fetching more raises an error that says why there is none."""
        self._stopped, self.ends = True, math.inf
        super().close()

    @property
    def _guard(self) -> GuardedConnection:
        assert isinstance(self.connection, GuardedConnection)
        return self.connection

    def _begin(self, call: Callable[..., object], *arguments: Any) -> TimedCursor:
        self.ends = self._guard.end_of_statement()
        try:
            self._guard.run(self, call, *arguments)
        except BaseException:
            self.ends = math.inf
            raise
        if self.description is None:
            self.ends = math.inf
        return self

    def _fetch(self, call: Callable[..., T], *arguments: Any) -> T:
        if self._stopped:
            raise self._guard.took_too_long("the statement was stopped")
        try:
            rows = self._guard.run(self, call, *arguments)
        except BaseException:
            self.ends = math.inf
            raise
        if not rows:
            self.ends = math.inf
        return rows
