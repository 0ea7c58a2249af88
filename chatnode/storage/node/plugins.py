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
from chatnode.model.permissions import ADMIN, PERMISSIONS
from chatnode.model.records import record
from chatnode.model.times import now_ms
from chatnode.storage.engine import catalogue
from chatnode.storage.engine.additions import CoreTable, Table
from chatnode.storage.engine.connection import Querying, Reader
from chatnode.storage.engine.migrations import CORE, Migration, migrate, pending
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.node import step_hashes
from chatnode.storage.node.declared_sql import check_export


@record(frozen=True)
class KnownPlugin:
    """A plugin that has run here, or was disabled before it did. `tables` as it declared them the last time."""

    name: str
    version: str
    disabled: bool
    tables: tuple[Table, ...]


def known(reader: Querying) -> dict[str, KnownPlugin]:
    """By name."""
    rows = reader.execute("SELECT name, version, disabled_at, tables FROM plugins ORDER BY name")
    return {
        name: KnownPlugin(name, version, disabled_at is not None, tuple(_table(each) for each in orjson.loads(tables)))
        for name, version, disabled_at, tables in rows
    }


def _table(values: dict[str, object]) -> Table:
    return Table(**values | {"people": tuple(values["people"])})  # type: ignore[arg-type]


# ---- when the node opens


def applied(connection: Querying, plugin: str) -> set[str]:
    """The names of the steps that were applied."""
    return {name for (name,) in connection.execute('SELECT name FROM migrations WHERE "set" = ?', (plugin,))}


def prepare(
    connection: Reader,
    plugin: str,
    version: str,
    steps: Sequence[Migration],
    tables: Sequence[Table],
    permissions: Mapping[str, Iterable[str]],
    roles: Mapping[str, Iterable[str]],
    extends: Mapping[str, str],
) -> None:
    """Bring the plugin's tables up to its version and note what they are. `permissions`: by name, the roles that get
    it; `roles`: those that the plugin brings, with their permissions; `extends`: whose permissions they get too.

    Raises `StartError`; of a plugin that was here before, the steps before the one that failed stay.
    """
    if plugin == CORE:
        raise StartError(f"{plugin} is a prefix of the node's own tables; choose another name")
    if not applied(connection, plugin) and catalogue.drop_order(connection, f"{plugin}_"):
        raise StartError(f"the database has tables named {plugin}_… that are not its own")
    newer = sorted(applied(connection, plugin) - {step.name for step in steps})
    if newer:
        raise StartError(
            f"its tables were written by a newer version (with {', '.join(newer)}); install that version. If you have "
            "renamed a step, give it its name back: a step that was applied is never renamed"
        )
    with _nothing_half_done(connection):
        if pending(connection, steps):
            with _only_own_tables(connection, plugin):
                migrate(connection, steps)
        step_hashes.store_new(connection, plugin, steps)
        _check_tables(connection, plugin, tables)
        stored = orjson.dumps([attrs.asdict(table) for table in tables]).decode()
        if _is_noted(connection, plugin, version, stored, permissions, roles):
            return
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(
            "INSERT INTO plugins (name, version, installed_at, tables) VALUES (?, ?, ?, ?) ON CONFLICT (name) "
            "DO UPDATE SET version = excluded.version, tables = excluded.tables",
            (plugin, version, now_ms(), stored),
        )
        _make_roles(connection, plugin, roles, extends)
        for permission, holders in permissions.items():
            _grant(connection, permission, holders)
        connection.execute("COMMIT")


def _is_noted(
    connection: Reader, plugin: str, version: str, tables: str, permissions: Iterable[str], roles: Iterable[str]
) -> bool:
    """Whether there is nothing to write down, as nearly always: each transaction of a start waits for the disk."""
    row = connection.execute("SELECT version, tables FROM plugins WHERE name = ?", (plugin,)).fetchone()
    granted = connection.execute("SELECT permission FROM role_permissions WHERE role = ?", (ADMIN,))
    return (
        row == (version, tables)
        and {permission for (permission,) in granted}.issuperset(permissions)
        and _offered_roles(connection, plugin).keys() >= set(roles)
    )


@contextmanager
def _nothing_half_done(connection: Reader) -> Generator[None]:
    """A transaction that the block leaves open when it raises is undone."""
    try:
        yield
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _make_roles(
    connection: Reader, plugin: str, roles: Mapping[str, Iterable[str]], extends: Mapping[str, str]
) -> None:
    """Roles are made when they are new here. One that was there already, was changed or deleted stays as it is."""
    offered = _offered_roles(connection, plugin)
    for role in roles.keys() - offered.keys():
        offered[role] = not _is_there(connection, role)
        if offered[role]:
            connection.executemany(
                "INSERT INTO role_permissions (role, permission) VALUES (?, ?)",
                [(role, permission) for permission in roles[role]],
            )
            connection.execute(
                "INSERT INTO role_permissions (role, permission) "
                "SELECT ?, permission FROM role_permissions WHERE role = ? ON CONFLICT DO NOTHING",
                (role, extends.get(role)),
            )
    connection.execute("UPDATE plugins SET roles = ? WHERE name = ?", (orjson.dumps(offered).decode(), plugin))


def _offered_roles(source: Querying, plugin: str) -> dict[str, bool]:
    """By name, whether it was made here for the plugin."""
    row = source.execute("SELECT roles FROM plugins WHERE name = ?", (plugin,)).fetchone()
    return orjson.loads(row[0]) if row is not None else {}


def _is_there(source: Querying, role: str) -> bool:
    return source.execute("SELECT 1 FROM role_permissions WHERE role = ?", (role,)).fetchone() is not None


def _grant(connection: Reader, permission: str, roles: Iterable[str]) -> None:
    """Roles get a permission when it is new here; what administrators changed since stays as they want it."""
    there = connection.execute(
        "SELECT 1 FROM role_permissions WHERE role = ? AND permission = ?", (ADMIN, permission)
    ).fetchone()
    if there is None:
        connection.execute("INSERT INTO role_permissions (role, permission) VALUES (?, ?)", (ADMIN, permission))
        connection.executemany(
            "INSERT INTO role_permissions (role, permission) "
            "SELECT DISTINCT role, ? FROM role_permissions WHERE role = ? ON CONFLICT DO NOTHING",
            [(permission, role) for role in roles],
        )


@contextmanager
def _only_own_tables(connection: Reader, plugin: str) -> Generator[None]:
    """Within the block, statements may only make and change what the plugin's prefix says is its own."""
    denied: list[str] = []

    def allowed(action: int, first: str | None, second: str | None, *_: object) -> int:
        if action in _ON_FIRST:
            own = _is_own(plugin, first)
        elif action in _ON_SECOND:
            own = _is_own(plugin, second)
        else:
            own = action not in _NEVER or (action, first) == _OF_FULL_TEXT
        if not own:
            denied.append(str(second if action in _ON_SECOND else first))
        return sqlite3.SQLITE_OK if own else sqlite3.SQLITE_DENY

    connection.set_authorizer(allowed)
    try:
        yield
    except StartError as error:
        if not denied:
            raise
        raise StartError(
            f"{error}: a step may create and change only what has a name that begins with {plugin}_, not {denied[0]}"
        ) from error
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
_OF_FULL_TEXT = (sqlite3.SQLITE_PRAGMA, "data_version")
"""What SQLite asks itself when it makes a table of fts5."""
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
        for column, other in catalogue.references(connection, name):
            known_columns = {"people": table.people, "messages": (table.message,)}.get(other.lower())
            if known_columns is not None and column not in known_columns:
                raise StartError(f"{name}.{column} refers to {other}, which no Table declares")
    if declared:
        raise StartError(
            f"it declares the table {min(declared)}, which does not exist: no step creates it, or it was dropped"
        )
    for table in tables:
        _check_columns(connection, table)


def _check_columns(connection: Reader, table: Table) -> None:
    """What the node does with the table must be possible: else nobody could be erased, and no message deleted."""
    if not catalogue.numbers_rows(connection, table.name):
        raise StartError(f"the table {table.name} is WITHOUT ROWID, so its rows could not be erased")
    there = set(catalogue.columns(connection, table.name))
    wanted = {*table.people, *([table.message] if table.message is not None else [])}
    if missing := sorted(wanted - there):
        raise StartError(f"the table {table.name} is declared with the column {missing[0]}, which does not exist")
    check_export(connection, table)


def declared_tables(connection: Reader) -> tuple[list[Table], list[str]]:
    """What was declared of the tables of all plugins, also of those that do not run; and the names of those that are
    not there, because they were dropped by hand."""
    found: list[Table] = []
    missing: list[str] = []
    there = set(catalogue.tables_named(connection, ""))
    for plugin in known(connection).values():
        found += [table for table in plugin.tables if table.name in there]
        missing += [table.name for table in plugin.tables if table.name not in there]
    return found, missing


def own_tables(reader: Querying, plugin: str) -> list[str]:
    """The names of a plugin's tables, also when it does not run; none of what a virtual table keeps beside itself.

    What a plugin's steps have not made is not its own, whatever it is called: `log_audience` is the node's.
    """
    if plugin == CORE or not applied(reader, plugin):
        return []
    return catalogue.tables_named(reader, f"{plugin}_")


def rows(reader: Reader, table: str, after: int = 0, limit: int = -1) -> Iterator[dict[str, Any]]:
    """The rows of a plugin's table in the order of their rowids, above `after`, with `rowid`; -1 is without limit.

    People and messages are told by their public ids, and bytes in hexadecimal digits.
    """
    referred = dict(catalogue.references(reader, table))
    names = catalogue.columns(reader, table)
    columns = ", ".join(_public(name, referred.get(name)) for name in names)
    if not catalogue.numbers_rows(reader, table):
        numbered = f"SELECT row_number() OVER () AS rowid, * FROM {table}"  # noqa: S608 - a table's name
        sql = f"SELECT t.rowid, {columns} FROM ({numbered}) t WHERE t.rowid > ? LIMIT ?"  # noqa: S608
    else:
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


def drop(tx: Transaction, plugin: str, may_have_none: bool = False) -> list[str]:
    """Drop everything of a plugin that does not run; gives the names of its tables.

    A role that it brought goes when no account has it, else it keeps the permissions that are not the plugin's. Raises
    `Refusal`: `not_found` when there is nothing of the plugin, `conflict` when an account's role would be left empty.
    """
    tables = own_tables(tx, plugin)
    if not tables and plugin not in known(tx) and not may_have_none:
        raise Refusal("not_found", f"there is no data of a plugin {plugin}", path="plugin")
    catalogue.postpone_references(tx)
    for kind, name in catalogue.drop_order(tx, f"{plugin}_") if tables else ():
        tx.execute(f"DROP {kind} IF EXISTS {name}")  # a virtual table takes others with it
    if plugin != CORE:
        tx.execute('DELETE FROM migrations WHERE "set" = ?', (plugin,))
    step_hashes.forget(tx, plugin)
    tx.execute("DELETE FROM consumers WHERE plugin = ?", (plugin,))
    tx.execute("DELETE FROM set_aside WHERE plugin = ?", (plugin,))
    tx.execute("DELETE FROM restored WHERE plugin = ?", (plugin,))
    _remove_permissions(tx, plugin)
    tx.execute("DELETE FROM plugins WHERE name = ?", (plugin,))
    return tables


def _remove_permissions(tx: Transaction, plugin: str) -> None:
    held = [role for (role,) in tx.execute("SELECT DISTINCT role FROM people")]
    tx.executemany(
        "DELETE FROM role_permissions WHERE role = ?",
        [(role,) for role, made in _offered_roles(tx, plugin).items() if made and role not in held],
    )
    before = [role for role in held if _is_there(tx, role)]
    tx.executemany(
        "DELETE FROM role_permissions WHERE permission = ?",
        [(each,) for each in _permissions_of(tx, plugin) if each not in PERMISSIONS],
    )
    for role in before:
        if not _is_there(tx, role):
            raise Refusal(
                "conflict",
                f"the role {role} has only permissions of this plugin, and accounts have the role: give them another "
                "one first, or the role another permission",
                path="plugin",
            )


def _permissions_of(tx: Transaction, plugin: str) -> list[str]:
    rows = tx.execute(
        "SELECT DISTINCT permission FROM role_permissions WHERE substr(permission, 1, ?) = ?",
        (len(plugin) + 1, f"{plugin}."),
    )
    return [permission for (permission,) in rows]


def export(reader: Reader, table: str, after: int | None, limit: int) -> tuple[list[dict[str, object]], int | None]:
    """Rows, and where the next page begins. `table` is one of `own_tables`.

    Rows are in the order of their rowids; of a table without, by the place in it, which changes when others write.
    """
    if catalogue.numbers_rows(reader, table):
        start = -(2**63) if after is None else after
        page = reader.execute(
            f"SELECT rowid, * FROM {table} WHERE rowid > ? ORDER BY rowid LIMIT ?",  # noqa: S608 - a table's name
            (start, limit),
        )
        columns, found = [name for name, *_ in page.description][1:], page.fetchall()
    else:
        place = after or 0
        page = reader.execute(f"SELECT * FROM {table} LIMIT ? OFFSET ?", (limit, place))  # noqa: S608 - a table's name
        columns = [name for name, *_ in page.description]
        found = [(place + number, *row) for number, row in enumerate(page, 1)]
    rows = [dict(zip(columns, map(_plain, values), strict=True)) for _, *values in found]
    return rows, found[-1][0] if len(found) == limit else None


def _plain(value: object) -> object:
    return {"base64": b64encode(value).decode()} if isinstance(value, bytes) else value


TABLES = (CoreTable("plugins", left_out="depends on what is installed"),)
