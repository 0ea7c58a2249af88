"""What a restore leaves for each plugin to be told when it runs next, also if that is much later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import orjson

from chatnode.model.records import record
from chatnode.model.times import now_ms
from chatnode.storage.engine.additions import CoreTable
from chatnode.storage.engine.connection import Querying, Reader
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.node import plugins


@record(frozen=True)
class RestoreNote:
    """A backup was restored: `at`, in milliseconds. `missing` are the names of the plugin's files that its tables know
    and that could not be restored."""

    at: int
    missing: Sequence[str]


def leave_notes(connection: Reader, missing: Mapping[str, Sequence[str]]) -> None:
    """Leave a note for every plugin of a database."""
    names = {*plugins.known(connection), *missing}
    connection.executemany(
        "INSERT INTO restored (plugin, at, missing) VALUES (:plugin, :at, :missing) "
        "ON CONFLICT (plugin) DO UPDATE SET at = excluded.at, missing = excluded.missing",
        [{"plugin": name, "at": now_ms(), "missing": orjson.dumps(missing.get(name, ())).decode()} for name in names],
    )


def noted(reader: Querying) -> frozenset[str]:
    """The plugins that have a note."""
    return frozenset(name for (name,) in reader.execute("SELECT plugin FROM restored"))


def find(reader: Querying, plugin: str) -> RestoreNote | None:
    row = reader.execute("SELECT at, missing FROM restored WHERE plugin = ?", (plugin,)).fetchone()
    return None if row is None else RestoreNote(row[0], tuple(orjson.loads(row[1])))


def forget(tx: Transaction, plugin: str) -> None:
    """The plugin was told."""
    tx.execute("DELETE FROM restored WHERE plugin = ?", (plugin,))


TABLES = (CoreTable("restored", left_out="what plugins are told at the next start"),)
