"""What the database knows of plugins: which have run here, their tables, whether they are disabled."""

from __future__ import annotations

import sqlite3
from base64 import b64encode
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import attrs
import orjson

from chatnode.errors import Refusal, StartError
from chatnode.model.permissions import ADMIN
from chatnode.model.times import now_ms
from chatnode.storage.connection import Reader
from chatnode.storage.hooks import Table
from chatnode.storage.migrations import Migration, migrate
from chatnode.storage.transaction import Transaction


@attrs.frozen
class Known:
    """A plugin that has run here, or was disabled before it did. `tables` as it declared them the last time."""

    name: str
    version: str
    disabled: bool
    tables: tuple[Table, ...]


def known(reader: Reader | Transaction) -> dict[str, Known]:
    """By name."""
    rows = reader.execute("SELECT name, version, disabled_at, tables FROM plugins ORDER BY name")
    return {
        name: Known(name, version, disabled_at is not None, tuple(_table(each) for each in orjson.loads(tables)))
        for name, version, disabled_at, tables in rows
    }


def _table(values: dict[str, object]) -> Table:
    return Table(**values | {"people": tuple(values["people"])})  # type: ignore[arg-type]


# ---- when the node opens


def applied(connection: Reader, plugin: str) -> set[str]:
    """The names of the steps that were applied."""
    return {name for (name,) in connection.execute('SELECT name FROM migrations WHERE "set" = ?', (plugin,))}


def prepare(
    connection: Reader,
    plugin: str,
    version: str,
    steps: Sequence[Migration],
    tables: Sequence[Table],
    permissions: Mapping[str, Iterable[str]],
) -> None:
    """Bring the plugin's tables up to its version and note what they are. `permissions`: by name, the roles.

    Raises `StartError`; the steps before the one that failed stay.
    """
    if not applied(connection, plugin) and own_tables(connection, plugin):
        raise StartError(f"there are tables here whose names begin with {plugin}_, and are not its own")
    newer = sorted(applied(connection, plugin) - {step.name for step in steps})
    if newer:
        raise StartError(f"its tables were written by a newer version (they have {', '.join(newer)}); install that one")
    with _only_own_tables(connection, plugin):
        migrate(connection, steps)
    _check_tables(connection, plugin, tables)
    stored = orjson.dumps([attrs.asdict(table) for table in tables]).decode()
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(
        "INSERT INTO plugins (name, version, installed_at, tables) VALUES (?, ?, ?, ?) ON CONFLICT (name) "
        "DO UPDATE SET version = excluded.version, tables = excluded.tables",
        (plugin, version, now_ms(), stored),
    )
    for permission, roles in permissions.items():
        _give(connection, permission, roles)
    connection.execute("COMMIT")


def _give(connection: Reader, permission: str, roles: Iterable[str]) -> None:
    """Roles get a permission when it is new here; what administrators changed since stays as they want it."""
    there = connection.execute(
        "SELECT 1 FROM role_permissions WHERE role = ? AND permission = ?", (ADMIN, permission)
    ).fetchone()
    if there is None:
        connection.execute("INSERT INTO role_permissions (role, permission) VALUES (?, ?)", (ADMIN, permission))
        connection.executemany(
            "INSERT OR IGNORE INTO role_permissions (role, permission) "
            "SELECT DISTINCT role, ? FROM role_permissions WHERE role = ?",
            [(permission, role) for role in roles],
        )


@contextmanager
def _only_own_tables(connection: Reader, plugin: str) -> Generator[None]:
    """Within the block, statements may only make and change what the plugin's prefix says is its own."""

    def allowed(action: int, first: str | None, second: str | None, *_: object) -> int:
        if action in _ON_FIRST:
            own = _is_own(plugin, first)
        elif action in _ON_SECOND:
            own = _is_own(plugin, second)
        else:
            own = action not in _NEVER
        return sqlite3.SQLITE_OK if own else sqlite3.SQLITE_DENY

    connection.set_authorizer(allowed)
    try:
        yield
    finally:
        connection.set_authorizer(None)


_ON_FIRST = {
    sqlite3.SQLITE_CREATE_TABLE, sqlite3.SQLITE_CREATE_INDEX, sqlite3.SQLITE_CREATE_TRIGGER,
    sqlite3.SQLITE_CREATE_VIEW, sqlite3.SQLITE_CREATE_VTABLE, sqlite3.SQLITE_DROP_TABLE, sqlite3.SQLITE_DROP_INDEX,
    sqlite3.SQLITE_DROP_TRIGGER, sqlite3.SQLITE_DROP_VIEW, sqlite3.SQLITE_DROP_VTABLE, sqlite3.SQLITE_INSERT,
    sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE,
}  # fmt: skip
_ON_SECOND = {sqlite3.SQLITE_ALTER_TABLE}
_NEVER = {sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH, sqlite3.SQLITE_PRAGMA}
_SHARED = {"migrations", "sqlite_master", "sqlite_schema", "sqlite_sequence", "sqlite_stat1"}


def _is_own(plugin: str, name: str | None) -> bool:
    return name is not None and (name.startswith((f"{plugin}_", f"sqlite_autoindex_{plugin}_")) or name in _SHARED)


def _check_tables(connection: Reader, plugin: str, tables: Sequence[Table]) -> None:
    """What refers to people or messages must be declared, so that it goes when they go."""
    declared = {table.name: table for table in tables}
    for name in declared:
        if not _is_own(plugin, name):
            raise StartError(f"it declares the table {name}, whose name does not begin with {plugin}_")
    for name in own_tables(connection, plugin):
        table = declared.pop(name, Table(name))
        for _, _, other, column, *_ in connection.execute(f"PRAGMA foreign_key_list({name})").fetchall():
            known_columns = {"people": table.people, "messages": (table.message,)}.get(other)
            if known_columns is not None and column not in known_columns:
                raise StartError(f"{name}.{column} refers to {other}, and no Table declares it")
    if declared:
        raise StartError(f"it declares the table {min(declared)}, which none of its steps makes")


def own_tables(reader: Reader | Transaction, plugin: str) -> list[str]:
    """The names of a plugin's tables, also when it does not run."""
    rows = reader.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND substr(name, 1, ?) = ? ORDER BY name",
        (len(plugin) + 1, f"{plugin}_"),
    )
    return [name for (name,) in rows]


def rows(reader: Reader, table: str, after: int = 0, limit: int = -1) -> Iterator[dict[str, Any]]:
    """The rows of a plugin's table in the order of their rowids, above `after`, with `rowid`; -1 is without limit.

    People and messages are told by their public ids, and bytes in hexadecimal digits.
    """
    referred = {column: other for _, _, other, column, *_ in reader.execute(f"PRAGMA foreign_key_list({table})")}
    names = [row[1] for row in reader.execute(f"PRAGMA table_info({table})")]
    columns = ", ".join(_public(name, referred.get(name)) for name in names)
    sql = f"SELECT t.rowid, {columns} FROM {table} t WHERE t.rowid > ? ORDER BY t.rowid LIMIT ?"  # noqa: S608
    for row in reader.execute(sql, (after, limit)):
        values = (value.hex() if isinstance(value, bytes) else value for value in row)
        yield dict(zip(("rowid", *names), values, strict=True))


def _public(column: str, refers_to: str | None) -> str:
    if refers_to in ("people", "messages", "conversations"):
        return f"(SELECT o.id FROM {refers_to} o WHERE o.key = t.{column})"  # noqa: S608
    return f"t.{column}"


# ---- while it runs


def set_disabled(tx: Transaction, plugin: str, disabled: bool) -> None:
    """From the next start of the node on."""
    tx.execute(
        "INSERT INTO plugins (name, version, installed_at, disabled_at) VALUES (:name, '', :now, :disabled) "
        "ON CONFLICT (name) DO UPDATE SET disabled_at = excluded.disabled_at",
        {"name": plugin, "now": tx.now, "disabled": tx.now if disabled else None},
    )


def drop(tx: Transaction, plugin: str) -> list[str]:
    """Drop everything of a plugin that does not run; gives the names of its tables.

    Raises `Refusal("not_found")` when there is nothing of it.
    """
    tables = own_tables(tx, plugin)
    if not tables and plugin not in known(tx):
        raise Refusal("not_found", f"there is nothing of a plugin {plugin} here", path="plugin")
    tx.hooks.tables = [table for table in tx.hooks.tables if table.name not in tables]
    tx.execute("PRAGMA defer_foreign_keys=ON")
    for table in tables:
        tx.execute(f"DROP TABLE {table}")
    tx.execute('DELETE FROM migrations WHERE "set" = ?', (plugin,))
    tx.execute("DELETE FROM consumers WHERE plugin = ?", (plugin,))
    tx.execute("DELETE FROM set_aside WHERE plugin = ?", (plugin,))
    tx.execute("DELETE FROM role_permissions WHERE substr(permission, 1, ?) = ?", (len(plugin) + 1, f"{plugin}."))
    tx.execute("DELETE FROM plugins WHERE name = ?", (plugin,))
    return tables


def export(reader: Reader, table: str, after: int | None, limit: int) -> tuple[list[dict[str, object]], int | None]:
    """Rows, and where the next page begins. `table` is one of `own_tables`.

    Rows are in the order of their rowids; of a table without, by the place in it, which changes when others write.
    """
    with_rowid = not reader.execute("SELECT wr FROM pragma_table_list(?)", (table,)).fetchone()[0]
    columns = [name for _, name, *_ in reader.execute(f"PRAGMA table_info({table})")]
    if with_rowid:
        start = -(2**63) if after is None else after
        found = reader.execute(
            f"SELECT rowid, * FROM {table} WHERE rowid > ? ORDER BY rowid LIMIT ?",  # noqa: S608 - a table's name
            (start, limit),
        ).fetchall()
    else:
        place = after or 0
        page = reader.execute(f"SELECT * FROM {table} LIMIT ? OFFSET ?", (limit, place))  # noqa: S608 - a table's name
        found = [(place + number, *row) for number, row in enumerate(page, 1)]
    rows = [dict(zip(columns, map(_plain, values), strict=True)) for _, *values in found]
    return rows, found[-1][0] if len(found) == limit else None


def _plain(value: object) -> object:
    return {"base64": b64encode(value).decode()} if isinstance(value, bytes) else value
