"""Checks the SQL that a plugin declares when it is loaded: what SQLite cannot read would fail whenever it is needed."""

from __future__ import annotations

import sqlite3

from chatnode.errors import StartError
from chatnode.storage.engine.additions import Table
from chatnode.storage.engine.connection import Reader
from chatnode.storage.filters.collection import Collection
from chatnode.storage.log.consumers import explain_condition

EXPORT_TAKES = ("person", "after", "limit")


def check_export(connection: Reader, table: Table) -> None:
    """Raises `StartError`. Without one of its parameters, an export would show others' rows or never end."""
    if table.export is None:
        return
    taken = explain(connection, f"the export of the table {table.name}", table.export)
    if missing := [f":{name}" for name in EXPORT_TAKES if name not in taken]:
        raise StartError(f"the export of the table {table.name} does not take {', '.join(missing)}")
    if more := sorted(taken - {*EXPORT_TAKES}):
        raise StartError(f"the export of the table {table.name} takes :{more[0]}, which it is not given")


def check_collection(connection: Reader, collection: Collection) -> None:
    """Raises `StartError`."""
    explain(connection, f"the collection {collection.name}", everything(collection))


def check_condition(connection: Reader, consumer: str, where: str) -> None:
    """Of `Consumer.where`. Raises `StartError`."""
    explain(connection, f"`where` of the consumer {consumer}", explain_condition(where))


def everything(collection: Collection) -> str:
    """A query of all that the collection can show."""
    fields = ", ".join(field.sql for field in collection.fields) or "1"
    return f"SELECT {fields} FROM {collection.source} WHERE {collection.visible}"  # noqa: S608


def explain(connection: Reader, what: str, sql: str) -> frozenset[str]:
    """The parameters that the SQL takes. Raises `StartError`."""
    taken = AskedParameters()
    try:
        connection.execute(f"EXPLAIN {sql}", taken)
    except (sqlite3.Error, sqlite3.Warning) as error:
        raise StartError(f"{what} cannot be read: {error}") from error
    return frozenset(taken.names)


class AskedParameters(dict[str, int]):
    """A value for each parameter that there is; `names` are those that were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __missing__(self, name: str) -> int:
        self.names.add(name)
        return 0
