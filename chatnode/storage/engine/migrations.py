"""Migrations: named steps, each applied once, recorded in the transaction that makes it.

A step is keyed `(set, name)`. The core's set is `core` and its steps are the files of `schema/`, in the order
of their names. A database that records a step this program does not know was written by a newer one and is
left alone.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

import attrs

from chatnode.errors import StartError
from chatnode.model.ids import new_id
from chatnode.model.permissions import ADMIN, PERMISSIONS, ROLES
from chatnode.model.records import record
from chatnode.model.times import now_ms

CORE = "core"


@record(frozen=True)
class Migration:
    """`sql` may hold several statements, which may call `functions` by their names."""

    set: str
    name: str
    sql: str
    functions: Mapping[str, Callable[..., Any]] = attrs.field(factory=dict[str, "Callable[..., Any]"])


def core_migrations() -> list[Migration]:
    """The steps in `schema/`."""
    folder = resources.files("chatnode.storage").joinpath("schema")
    files = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".sql")), key=lambda file: file.name)
    return [Migration(CORE, file.name.removesuffix(".sql"), file.read_text(encoding="utf-8")) for file in files]


@cache
def own_prefixes() -> frozenset[str]:
    """What names of the node's own tables and indexes begin with, before a _: no plugin can have such a name."""
    made = re.compile(r"CREATE (?:UNIQUE |VIRTUAL )?(?:TABLE|INDEX) (\w+?)_")
    prefixes = (made.findall(step.sql) for step in core_migrations())
    return frozenset({CORE, "sqlite"}.union(*prefixes))


def migrate(connection: sqlite3.Connection, migrations: Sequence[Migration]) -> list[Migration]:
    """Apply what is missing; returns what was applied. Each has a transaction of its own; but if all are missing, they
    share one, which saves dozens of flushes.

    Raises `StartError` when one fails, after its transaction was rolled back, and for a database of a newer chatnode.
    """
    missing = pending(connection, migrations)
    connection.execute(
        'CREATE TABLE IF NOT EXISTS migrations ("set" TEXT NOT NULL, name TEXT NOT NULL, at INTEGER NOT NULL, '
        'PRIMARY KEY ("set", name)) WITHOUT ROWID'
    )
    if len(missing) == len(migrations):
        _apply(connection, missing)
    else:
        for migration in missing:
            _apply(connection, [migration])
    return missing


def is_new(connection: sqlite3.Connection) -> bool:
    """Whether there is nothing in this database yet."""
    return connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'migrations'").fetchone() is None


def pending(connection: sqlite3.Connection, migrations: Sequence[Migration]) -> list[Migration]:
    """What `migrate` would apply. Raises `StartError` on a database of a newer chatnode."""
    if is_new(connection):
        return list(migrations)
    present = set(connection.execute('SELECT "set", name FROM migrations'))
    known = {(migration.set, migration.name) for migration in migrations}
    newer = sorted(f"{owner}/{name}" for owner, name in present - known if owner == CORE)
    if newer and any(migration.set == CORE for migration in migrations):
        raise StartError(
            f"this database was written by a newer chatnode (it has {', '.join(newer)}); "
            "install that version, or restore a backup from before the upgrade"
        )
    return [migration for migration in migrations if (migration.set, migration.name) not in present]


def _apply(connection: sqlite3.Connection, migrations: Sequence[Migration]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for migration in migrations:
            _run(connection, migration)
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        _roll_back(connection)
        raise StartError(f"the migrations up to {migrations[-1].set}/{migrations[-1].name} failed: {error}") from error
    except BaseException:
        _roll_back(connection)
        raise


def _run(connection: sqlite3.Connection, migration: Migration) -> None:
    try:
        for name, function in migration.functions.items():
            connection.create_function(name, -1, function, deterministic=True)
        for statement in statements(migration.sql):
            connection.execute(statement)
        connection.execute("INSERT INTO migrations VALUES (?, ?, ?)", (migration.set, migration.name, now_ms()))
    except (sqlite3.Error, ValueError) as error:
        raise StartError(f"migration {migration.set}/{migration.name} failed: {error}") from error


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:  # SQLite has done so itself when the disk is full
        connection.execute("ROLLBACK")


def statements(sql: str) -> Iterator[str]:
    """The statements of a script. `executescript` would commit the open transaction first, so it is not used.

    Raises `ValueError` for a script that ends within a statement.
    """
    pending = ""
    for piece in re.split("(?<=;)", sql):
        pending += piece
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
    if without_remarks(pending).strip():
        raise ValueError("the last statement does not end in a semicolon")


_REMARKS = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)


def without_remarks(sql: str) -> str:
    """A script without its comments; near enough for one that has dashes in a string."""
    return _REMARKS.sub("", sql)


def initialize(connection: sqlite3.Connection) -> None:
    """What a new database needs beside its tables: an epoch, and the roles."""
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO node (key, value) VALUES ('epoch', ?) ON CONFLICT DO NOTHING", (new_id(),))
    if connection.execute("SELECT count(*) FROM role_permissions").fetchone()[0] == 0:
        rows = [(role, permission) for role, permissions in ROLES.items() for permission in sorted(permissions)]
        connection.executemany("INSERT INTO role_permissions (role, permission) VALUES (?, ?)", rows)
    connection.executemany(  # those that came with a later version
        "INSERT INTO role_permissions (role, permission) VALUES (?, ?) ON CONFLICT DO NOTHING",
        [(ADMIN, p) for p in PERMISSIONS],
    )
    connection.execute("COMMIT")
