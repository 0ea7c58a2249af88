"""What changed in contacts, and by whom. Events are made from it for as long as it is kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from chatnode.api import Querying, Transaction, json_array, record
from chatnode_crm.contacts.custom import read_custom
from chatnode_crm.contacts.finding import ContactRow

_DERIVED = frozenset({"email_key", "phone_key"})
_OF_DELETED = (
    "email", "external_id", "first_name", "last_name", "company", "phone", "country", "city", "description", "custom",
    "owner", "opted_out_at", "source", "created_at",
)  # fmt: skip
_INSERT = "INSERT INTO crm_changes (gid, contact, before, after, reason, actor, at) VALUES (?, ?, ?, ?, ?, ?, ?)"
_SELECT = "SELECT gid, contact, before, after, reason, actor, at FROM crm_changes"


@record(frozen=True)
class JournalEntry:
    """A change or, without `after`, a deletion.

    `before` and `after` have the changed fields by name: texts, users by key, times in milliseconds; `custom` is an
    object by the field's key. None means no value.
    """

    gid: int
    contact: int
    before: dict[str, Any]
    after: dict[str, Any] | None
    reason: str | None
    actor: int | None
    at: int


# ---- writing


def note_updates(
    tx: Transaction, changes: Iterable[tuple[ContactRow, dict[str, Any]]], first: int, actor: int | None
) -> None:
    """Note what becomes of rows; `first` is the gid of the event of the first one, and so on."""
    rows: list[tuple[Any, ...]] = []
    for gid, (row, new) in enumerate(changes, first):
        before = {name: getattr(row, name) for name in new if name not in _DERIVED}
        after = {name: value for name, value in new.items() if name not in _DERIVED}
        if "custom" in new:
            before["custom"], after["custom"] = _changed(read_custom(row.custom), read_custom(new["custom"]))
        rows.append((gid, row.key, _json(before), _json(after), None, actor, tx.now))
    tx.executemany(_INSERT, rows)


def note_deletions(
    tx: Transaction, contacts: Iterable[ContactRow], first: int, reason: str | None, actor: int | None
) -> None:
    """Note what is deleted; `first` is the gid of the event of the first one, and so on."""
    rows: list[tuple[Any, ...]] = []
    for gid, row in enumerate(contacts, first):
        before = {name: value for name in _OF_DELETED if (value := getattr(row, name)) is not None}
        if row.custom is not None:
            before["custom"] = orjson.loads(row.custom)
        rows.append((gid, row.key, _json(before), None, reason, actor, tx.now))
    tx.executemany(_INSERT, rows)


def move_to_gids(tx: Transaction, first: int, gids: Sequence[int]) -> None:
    """Move entries that were noted with the gids from `first` on to those that their events have. They differ if other
    plugins recorded events of their own meanwhile."""
    moved = [(gid, expected) for expected, gid in enumerate(gids, first) if gid != expected]
    for gid, expected in reversed(moved):  # gids only grow, so that none is taken
        tx.execute("UPDATE crm_changes SET gid = ? WHERE gid = ?", (gid, expected))


def forget_contacts(tx: Transaction, keys: Sequence[int]) -> None:
    """Remove what is noted about contacts; their events say ids only from now on."""
    tx.execute("DELETE FROM crm_changes WHERE contact IN (SELECT value FROM json_each(?))", (json_array(keys),))


def remove_old(tx: Transaction, until: int, most: int) -> int:
    """Remove up to `most` entries from before a time; returns how many."""
    return tx.execute(
        "DELETE FROM crm_changes WHERE gid IN (SELECT gid FROM crm_changes WHERE at < ? ORDER BY at LIMIT ?)",
        (until, most),
    ).rowcount


# ---- reading


def entry_at(reader: Querying, gid: int, contact: int) -> JournalEntry | None:
    """The entry of an event about a contact, by its gid; None if it is not kept any more."""
    row = reader.execute(f"{_SELECT} WHERE gid = ? AND contact = ?", (gid, contact)).fetchone()
    return _entry(row) if row is not None else None


def entries_of(reader: Querying, contact: int, before_gid: int, most: int) -> list[JournalEntry]:
    """Up to `most` entries of a contact, newest first, from before a gid."""
    found = reader.execute(
        f"{_SELECT} WHERE contact = ? AND gid < ? ORDER BY gid DESC LIMIT ?", (contact, before_gid, most)
    )
    return [_entry(row) for row in found]


def first_values(reader: Querying, contact: int, now: ContactRow | None) -> dict[str, Any] | None:
    """What a contact was when it was created, by name as in `JournalEntry`; `now` is its row, None if it is gone.

    None if the journal does not tell. Of a contact that has changed more often than a page can show, what it is now.
    """
    values = _values(now) if now is not None else None
    for entry in entries_of(reader, contact, 2**62, _MOST):
        custom = {**(values or {}).get("custom", {}), **entry.before.get("custom", {})}
        values = {**(values or {}), **entry.before, "custom": custom}
    return values


_MOST = 1_000


def _values(row: ContactRow) -> dict[str, Any]:
    return {**{name: getattr(row, name) for name in _OF_DELETED}, "custom": read_custom(row.custom)}


def _entry(row: tuple[Any, ...]) -> JournalEntry:
    gid, contact, before, after, reason, actor, at = row
    return JournalEntry(
        gid, contact, orjson.loads(before), None if after is None else orjson.loads(after), reason, actor, at
    )


def _changed(before: dict[str, Any], after: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    names = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
    return {name: before.get(name) for name in names}, {name: after.get(name) for name in names}


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
