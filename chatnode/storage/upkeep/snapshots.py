"""Copies of the database: made while others write, opened without leaving a trace.

Only reading connections are used on the living file: they never checkpoint. The file itself is never opened but by
SQLite, whose locks would end when any other handle of this process on it is closed.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from chatnode.storage.engine.connection import Reader, file_statistics
from chatnode.storage.engine.file_owners import cause, chown_like_parent
from chatnode.storage.upkeep.sealing import BackupError

Progress = Callable[[str, int, int], None]
"""What is being done, how many bytes of it are done, of how many. It may raise, which ends the work."""

_STEPS = 200_000
"""Of SQLite's virtual machine, between two reports; some ten milliseconds."""

_PAGES = 4_096
"""To copy between two reports; 16 MiB."""


def no_progress(stage: str, done: int, total: int) -> None:
    """Ignore progress."""


@contextmanager
def open_read_only(database: Path, *, resting: bool = False) -> Generator[Reader]:
    """A read-only connection, in one snapshot. `resting`: nobody writes to the file, so no side files are created,
    unless it has a log: that of a node that was killed may hold all that was committed last."""
    immutable = resting and not _has_log(database)
    uri = f"file:{quote(str(database.absolute()))}?mode=ro" + ("&immutable=1" if immutable else "")
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None, factory=Reader)) as connection:
        connection.execute("PRAGMA query_only=ON")
        connection.execute("BEGIN")
        yield connection


def _has_log(database: Path) -> bool:
    file = database.resolve()  # SQLite too looks for a log where the file is, not a link to it
    logs = (file.with_name(file.name + suffix) for suffix in ("-wal", "-journal"))
    return any(log.exists() and log.stat().st_size for log in logs)


def copy_pages(database: Path, into: Path, progress: Progress = no_progress) -> None:
    """Copy a database that may be damaged, page by page, with what is in its log, to a file that is empty.

    Raises `DatabaseError` if it cannot be read.
    """
    with open_read_only(database, resting=True) as source, closing(sqlite3.connect(into)) as target:
        source.execute("PRAGMA schema_version").fetchone()  # from here on it is one moment's
        source.backup(target, pages=_PAGES, progress=lambda _, left, total: progress("copying", total - left, total))


def copy(database: Path, into: Path, progress: Progress = no_progress) -> None:
    """Copy a database, in use or not, as it is at one moment, without what was deleted; flushed to disk.

    Raises `BackupError`, and what `progress` raises; then there is no copy.
    """
    if not database.exists():
        raise BackupError(f"{database}: no database here")
    into.unlink(missing_ok=True)
    raised: list[BaseException] = []
    uri = f"file:{quote(str(database.absolute()))}?mode=ro"
    try:
        os.close(os.open(into, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        chown_like_parent(into)
        with closing(
            sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, factory=Reader)
        ) as connection:
            now = file_statistics(connection)
            total = now.bytes - now.free_bytes
            connection.set_progress_handler(_report(progress, into, total, raised), _STEPS)
            connection.execute("VACUUM INTO ?", (str(into),))
        with into.open("rb+") as file:
            os.fsync(file.fileno())
        progress("copying", total, total)
    except BaseException as error:
        into.unlink(missing_ok=True)
        if raised:
            raise raised[0] from None
        if isinstance(error, sqlite3.Error | OSError):
            why = cause(into, error)
            if why == str(error):
                why = cause(database, error)
            raise BackupError(f"{database}: cannot be copied to {into}: {why}") from error
        raise


def _report(progress: Progress, into: Path, total: int, raised: list[BaseException]) -> Callable[[], int]:
    def report() -> int:
        try:
            progress("copying", min(into.stat().st_size, total), total)
        except BaseException as error:  # SQLite would drop it; it is raised again when SQLite has stopped
            raised.append(error)
            return 1
        return 0

    return report
