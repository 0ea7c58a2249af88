"""Broadcasts in the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import attrs

from chatnode.api import Querying, Refusal, Transaction, record
from chatnode_crm.broadcasts.model import BroadcastState
from chatnode_crm.broadcasts.windows import Window


@record(frozen=True)
class BroadcastRow:
    """A row of `crm_broadcasts`. `list` is the key of the list in its selection (see `lists_of` for all whose opt-outs
    apply), `zone_field` that of a custom field."""

    key: int
    id: str
    title: str
    text: str
    bot: str
    selection: str
    list: int | None
    per_minute: int
    opens: int | None
    closes: int | None
    zone: str
    zone_field: int | None
    starts_at: int
    state: BroadcastState
    work: str | None
    created_at: int
    created_by: int | None
    ended_at: int | None
    error: str | None

    @property
    def window(self) -> Window | None:
        return Window(self.opens, self.closes) if self.opens is not None and self.closes is not None else None


_COLUMNS = ", ".join(each.name for each in attrs.fields(BroadcastRow))


def find_broadcast(reader: Querying, id: str) -> BroadcastRow:
    """Raises `Refusal("not_found")`."""
    found = _rows(reader, "id = ?", id)
    if not found:
        raise Refusal("not_found", "no such broadcast", path="broadcast")
    return found[0]


def broadcasts_page(reader: Querying, before: int | None, limit: int) -> Sequence[BroadcastRow]:
    """Newest first."""
    return _rows(reader, "key < ? ORDER BY key DESC LIMIT ?", before if before is not None else 2**62, limit)


def insert_broadcast(tx: Transaction, values: dict[str, Any]) -> BroadcastRow:
    names, places = ", ".join(values), ", ".join(f":{name}" for name in values)
    tx.execute(f"INSERT INTO crm_broadcasts ({names}) VALUES ({places})", values)  # noqa: S608 -- our own names
    return find_broadcast(tx, values["id"])


def begin_sending(tx: Transaction, broadcast: BroadcastRow) -> None:
    """The audience is stored. What it was chosen by is forgotten: it may name contacts, who may be erased."""
    tx.execute("UPDATE crm_broadcasts SET state = 'sending', selection = '{}' WHERE key = ?", (broadcast.key,))


def end_broadcast(tx: Transaction, broadcast: BroadcastRow, state: Literal["done", "cancelled"]) -> None:
    """Nothing more is sent. If the audience was not stored yet, what it was to be chosen by is forgotten now."""
    tx.execute(
        "UPDATE crm_broadcasts SET state = ?, ended_at = ?, selection = '{}' WHERE key = ?",
        (state, tx.now, broadcast.key),
    )


def set_error(tx: Transaction, broadcast: BroadcastRow, error: str | None) -> None:
    """Why it could not be sent, or that this is tried again. It stays when the work is removed."""
    tx.execute("UPDATE crm_broadcasts SET error = ? WHERE key = ?", (error, broadcast.key))


def _rows(reader: Querying, condition: str, *values: object) -> list[BroadcastRow]:
    sql = f"SELECT {_COLUMNS} FROM crm_broadcasts WHERE {condition}"  # noqa: S608 -- constants
    return [BroadcastRow(*row) for row in reader.execute(sql, values)]
