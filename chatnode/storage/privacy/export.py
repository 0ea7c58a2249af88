"""Everything that is held about a person, table by table, in pages that never need much memory.

Each table that has something of people says so itself, by its `export`, also that of a plugin that does not run: what
is held is held. Keys are rowids where the table has them; else the key of the conversation, of which a person has a row
each.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import orjson

from chatnode.errors import Refusal
from chatnode.model.commands.privacy import ExportEntry, ExportPage
from chatnode.model.people import Account
from chatnode.model.times import rfc3339
from chatnode.storage.engine.additions import CoreTable, Table, additions
from chatnode.storage.engine.connection import Reader

Row = dict[str, Any]

SPAN = 20_000
"""Rows of a table without an index by person that one page looks through."""


def page(reader: Reader, account: Account, after: str | None, limit: int) -> ExportPage:
    """Up to `limit` things; `next` is absent after the last."""
    tables = [table for table in additions(reader).tables if table.export is not None]
    names_of = [_entry(table) for table in tables]
    number, key = _place(after, names_of)
    table = tables[number]
    assert table.export is not None
    until = key + SPAN
    cursor = reader.execute(
        table.export, {"person": account.key, "id": account.id, "after": key, "until": until, "limit": limit}
    )
    names = [column[0] for column in cursor.description]
    rows = cursor.fetchall()
    entries = [ExportEntry(names_of[number], _finished(reader, table, _row(names, row, table))) for row in rows]
    if len(rows) == limit:
        _check_goes_on(table, rows[-1][0], key)
        return ExportPage(entries, f"{names_of[number]}:{rows[-1][0]}")
    if isinstance(table, CoreTable) and table.in_spans:
        (newest,) = reader.execute(f"SELECT coalesce(max(key), 0) FROM {table.name}").fetchone()  # noqa: S608
        if until < newest:
            return ExportPage(entries, f"{names_of[number]}:{until}")
    return ExportPage(entries, f"{names_of[number + 1]}:0" if number + 1 < len(tables) else None)


def _check_goes_on(table: Table, last: object, after: int) -> None:
    """Raises `Refusal` if the next page would not come after this one: an export would never end."""
    if not isinstance(last, int) or last <= after:
        what = f"the export of the table {table.name} cannot be read in pages: it ignores :after, or its order"
        raise Refusal("internal", f"{what}; update the plugin")


def _entry(table: Table) -> str:
    """What the entries of a table are called."""
    return table.entry or table.name if isinstance(table, CoreTable) else table.name


def _finished(reader: Reader, table: Table, row: Row) -> Row:
    return table.finish(reader, row) if isinstance(table, CoreTable) and table.finish is not None else row


def _place(after: str | None, kinds: list[str]) -> tuple[int, int]:
    if after is None:
        return 0, 0
    kind, _, key = after.partition(":")
    if kind not in kinds or not (key.isascii() and key.isdecimal() and len(key) < 19):
        raise Refusal("invalid", "after must be the `next` of the previous page", path="after")
    return kinds.index(kind), int(key)


def _row(names: list[str], values: tuple[Any, ...], table: Table) -> Row:
    """A row as it is shown: no keys, times as everywhere, nothing that is not set."""
    show = _shown if isinstance(table, CoreTable) else _shown_of_plugin
    return dict(show(name, value) for name, value in zip(names[1:], values[1:], strict=True) if value is not None)


def _shown(name: str, value: Any) -> tuple[str, Any]:
    if name.endswith("_json"):
        return name.removesuffix("_json"), orjson.loads(value)
    if name.endswith("_flag"):
        return name.removesuffix("_flag"), bool(value)
    if name == "at" or name.endswith("_at") or name in ("muted_until", "until"):
        return name, rfc3339(value)
    return name, value


def _shown_of_plugin(name: str, value: Any) -> tuple[str, Any]:
    """The same where it fits, else as it is stored: nobody is refused their data for a word in another sense."""
    if isinstance(value, bytes):
        return name, {"base64": b64encode(value).decode()}
    try:
        return _shown(name, value)
    except (TypeError, ValueError, OverflowError):
        return name, value
