"""Everything in words and numbers of the protocol: a line of JSON each, with public ids, without secrets.

The first line says what this is; each other has a `type`: that of a table of the core, as its `CoreTable` declares it,
or `plugin`. Rows come in the order of their making, and what others refer to comes before them. Password hashes, token
hashes and invite codes are not in it. Tables of plugins are exported as they are:
`{"type": "plugin", "table": …, "row": {…}}`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from chatnode import __version__
from chatnode.model.times import now_ms, rfc3339
from chatnode.storage.engine.additions import CoreTable, Table
from chatnode.storage.engine.connection import Reader
from chatnode.storage.log import log
from chatnode.storage.node import plugins
from chatnode.storage.upkeep.snapshots import Progress, no_progress

VERSION = 1
_BATCH = 500
_TIMES = ("at", "until", "muted_until")


def lines(reader: Reader, tables: Iterable[Table], progress: Progress = no_progress) -> Iterator[bytes]:
    """The lines of an export, each with its line break, from one snapshot. `tables` are those of the core."""
    exported = [(table.name, *table.lines) for table in tables if isinstance(table, CoreTable) and table.lines]
    counts = {
        kind: reader.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
        for table, kind, _ in exported
    }
    yield _line(
        {
            "type": "export", "version": VERSION, "chatnode": __version__, "made_at": rfc3339(now_ms()),
            "epoch": log.epoch(reader), "head": log.head(reader), "counts": counts,
        }
    )  # fmt: skip
    done, total = 0, sum(counts.values())
    for _, kind, sql in exported:
        rows = reader.execute(sql)
        names = [column[0] for column in rows.description]
        while batch := rows.fetchmany(_BATCH):
            for row in batch:
                yield _line({"type": kind} | dict(_field(*each) for each in zip(names, row, strict=True)))
            done += len(batch)
            progress("exporting", done, total)
    for table in (table for plugin in plugins.known(reader) for table in plugins.own_tables(reader, plugin)):
        for row in plugins.rows(reader, table):
            yield _line(
                {"type": "plugin", "table": table, "row": dict(_field_of_plugin(*each) for each in row.items())}
            )


def _line(fields: dict[str, Any]) -> bytes:
    return orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE)


def _field(name: str, value: Any) -> tuple[str, Any]:
    if name.endswith("_json"):
        return name.removesuffix("_json"), orjson.loads(value) if value is not None else None
    if (name in _TIMES or name.endswith("_at")) and value is not None:
        return name, rfc3339(value)
    return name, value


def _field_of_plugin(name: str, value: Any) -> tuple[str, Any]:
    """Like a core field where possible, else as stored: a plugin's column need not hold what its name suggests."""
    try:
        return _field(name, value)
    except (TypeError, ValueError, OverflowError):
        return name, value
