"""Are a plugin's tables fit for what the node does with them? Every column that is searched needs an index."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from chatnode.storage.engine.additions import Table
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.promised import watch
from chatnode.storage.filters.collection import Collection
from chatnode.storage.node.declared_sql import AskedParameters, everything


def faults(connection: Reader, tables: Iterable[Table], collections: Iterable[Collection]) -> Iterator[str]:
    """A line for each fault."""
    declared = {f"what {table.name} exports": table.export for table in tables if table.export is not None}
    declared |= {f"the collection {each.name}": everything(each) for each in collections}
    yield from _unpromised(connection, declared)
    for table in tables:
        for column in (*table.people, *([table.message] if table.message is not None else [])):
            if _scans(connection, table.name, f"SELECT 1 FROM {table.name} WHERE {column} = 1"):  # noqa: S608
                yield f"{table.name}.{column} has no index: erasing a user would read every row"
        yield from _faults_of_export(connection, table)


def _faults_of_export(connection: Reader, table: Table) -> Iterator[str]:
    if table.export is None:
        return
    cursor = connection.execute(table.export, {"person": 1, "after": 0, "limit": 1})
    if len(cursor.description) < 2:
        yield f"the export of {table.name} has only the column that is not shown"
    if _scans(connection, table.name, table.export, {"person": 1, "after": 0, "limit": 1}):
        yield f"the export of {table.name} reads every row; give it an index"


def _unpromised(connection: Reader, queries: Mapping[str, str]) -> Iterator[str]:
    """What SQL that a plugin declares, by what it is, reads of the core's tables without a promise."""
    found: list[str] = []
    for what, sql in queries.items():
        watch(connection, lambda _, what=what: what, found.append)
        connection.execute(f"EXPLAIN {sql}", AskedParameters())
        connection.set_authorizer(None)
    yield from dict.fromkeys(found)


def _scans(connection: Reader, table: str, sql: str, values: dict[str, int] | None = None) -> bool:
    """Whether SQLite would look at every row of the table: none is found by what it is equal to, such as (person=?)."""
    aliases = {table, *_aliases(table, sql)}
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values or {})]
    return any(
        detail.split()[0] in ("SCAN", "SEARCH") and detail.split()[1] in aliases and "=" not in detail
        for detail in plan
    )


def _aliases(table: str, sql: str) -> Iterator[str]:
    words = sql.replace(",", " ").split()
    for place, word in enumerate(words[:-1]):
        if word == table:
            yield words[place + 2] if words[place + 1].upper() == "AS" and place + 2 < len(words) else words[place + 1]
