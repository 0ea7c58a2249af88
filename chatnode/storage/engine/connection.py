"""Connections to the file: the one that writes, and those that only read."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

from chatnode.config import Storage as StorageSettings
from chatnode.errors import StartError
from chatnode.model.folding import caseless, folded
from chatnode.model.ids import keyed_hash
from chatnode.model.records import record
from chatnode.storage.engine.durable_files import sync_directory
from chatnode.storage.engine.file_owners import cause, chown_like_parent


class Querying(Protocol):
    """What runs SQL: a `Reader`, or a `Transaction` in a write. For functions that only query, and serve both."""

    @property
    def connection(self) -> Reader:
        """The connection that runs it."""
        ...

    def execute(self, sql: str, parameters: Any = ..., /) -> sqlite3.Cursor:
        """Run one statement, as `sqlite3.Connection.execute` does."""
        ...


class Reader(sqlite3.Connection):
    """A connection to the database."""

    additions: object = None
    """The node's `Additions`; read by `chatnode.storage.engine.additions.additions`, which knows the type."""
    cutter: Callable[[], bool] | None = None
    """Says whether the statement that runs is to be cut (`chatnode/storage/engine/deadlines.py`)."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        add_functions(self)

    @property
    def connection(self) -> Reader:
        """Itself, as for `Querying`."""
        return self


IntegrityError = sqlite3.IntegrityError
DatabaseError = sqlite3.DatabaseError


SQLITE = sqlite3.sqlite_version
OLDEST_SQLITE = (3, 39, 0)
"""`IS DISTINCT FROM` came with it."""


def refuse_old_sqlite() -> None:
    """Raises `StartError`."""
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        oldest = ".".join(map(str, OLDEST_SQLITE))
        raise StartError(
            f"this Python has SQLite {sqlite3.sqlite_version}, chatnode needs {oldest} or newer: use a Python that was "
            "built with a newer one (Debian 12 has it)"
        )


def connect_writer(path: Path, settings: StorageSettings) -> Reader:
    """The one connection that writes and checkpoints.

    Raises `StartError` when this SQLite is too old, and unless the file is in WAL mode with synchronous=FULL
    afterwards.
    """
    refuse_old_sqlite()
    try:
        if not path.exists():
            _create(path)
        for suffix in ("", "-wal", "-shm"):
            chown_like_parent(Path(f"{path}{suffix}"))
        connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, cached_statements=512, factory=Reader
        )
        mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA secure_delete=ON")  # what is deleted is gone from the file (traces.py)
        connection.execute("PRAGMA temp_store=MEMORY")  # what savepoints remember never goes to a file
        connection.execute(f"PRAGMA cache_size=-{settings.cache_kib:d}")
        connection.execute(f"PRAGMA wal_autocheckpoint={settings.checkpoint_pages:d}")
        synchronous = connection.execute("PRAGMA synchronous").fetchone()[0]
    except (sqlite3.Error, OSError) as error:
        raise StartError(f"{path}: cannot be opened as a database: {cause(path, error)}") from None
    if mode != "wal" or synchronous != 2:
        raise StartError(f"{path}: the file system does not support SQLite's write-ahead log (journal mode {mode})")
    return connection


def _create(path: Path) -> None:
    """Make a database without tables. It gets its name when it is on disk: one that is empty, as a kill could leave it,
    is taken for one that was lost (`DataDirectory.refuse_lost_database`)."""
    path = Path(os.path.realpath(path))  # a link may lead to another disk, where nothing is yet
    new = path.with_name(path.name + ".new")
    for suffix in ("", "-wal", "-shm", "-journal"):
        Path(f"{new}{suffix}").unlink(missing_ok=True)
    new.touch(mode=0o600)  # SQLite would leave it to the umask; its side files are as readable as this one
    try:
        with closing(sqlite3.connect(new, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
        new.rename(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


@record(frozen=True)
class FileStatistics:
    """`free_bytes` are those of `bytes` that hold nothing."""

    bytes: int
    free_bytes: int


def file_statistics(reader: Reader) -> FileStatistics:
    """How large the database is."""
    pages, free, size = (
        reader.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return FileStatistics(pages * size, free * size)


def connect_reader(path: Path, cache_kib: int = 4_096) -> Reader:
    """A connection that can only read, and never checkpoints."""
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, cached_statements=256, factory=Reader
    )
    connection.execute("PRAGMA query_only=ON")
    connection.execute("PRAGMA wal_autocheckpoint=0")
    connection.execute(f"PRAGMA cache_size=-{cache_kib:d}")
    return connection


def add_functions(connection: sqlite3.Connection) -> None:
    """What our SQL calls and SQLite does not have."""
    connection.create_function("caseless", 1, _caseless, deterministic=True)
    connection.create_function("folded", 1, folded, deterministic=True)
    connection.create_function("keyed_hash", 3, keyed_hash, deterministic=True)


def shrink(connection: Reader) -> None:
    """Give back the memory of its page cache; what is needed of it is read again."""
    connection.execute("PRAGMA shrink_memory")


def _caseless(text: str | None) -> str | None:
    """SQLite's own `lower` knows only A to Z."""
    return None if text is None else caseless(text)


def was_interrupted(error: BaseException) -> bool:
    """Whether a statement ended because a progress handler said so."""
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT
