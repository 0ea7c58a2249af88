"""All the SQL. Functions take a transaction or a reader, and run in a database thread."""

from __future__ import annotations

from typing import Any

from chatnode.api import Account, PersonRef, Place, Reader, Row, Transaction, new_id, rfc3339

from .model import Item, ItemAdded

EXPORT_ITEMS = (
    "SELECT i.key, i.id AS item, c.id AS conversation, i.text, i.at FROM plugname_items i "
    "JOIN conversations c ON c.key = i.conversation "
    "WHERE i.person = :person AND i.key > :after ORDER BY i.key LIMIT :limit"
)
EXPORT_TOTALS = (
    "SELECT person, items FROM plugname_totals WHERE person = :person AND person > :after ORDER BY person LIMIT :limit"
)

_ITEMS = (
    "SELECT i.id, c.id, p.id, p.handle, i.text, i.at FROM plugname_items i "
    "JOIN conversations c ON c.key = i.conversation JOIN people p ON p.key = i.person "
)


def _item(row: tuple[Any, ...]) -> Item:
    id, conversation, person, handle, text, at = row
    return Item(id, conversation, PersonRef(person, handle), text, rfc3339(at))


def add(tx: Transaction, place: Place, person: Account, text: str) -> tuple[int, Item]:
    """Add an item; returns it and its key."""
    id = new_id()
    (key,) = tx.execute(
        "INSERT INTO plugname_items (id, conversation, person, text, at) VALUES (?, ?, ?, ?, ?) RETURNING key",
        (id, place.key, person.key, text, tx.now),
    ).fetchone()
    return key, Item(id, place.id, person.ref, text, rfc3339(tx.now))


def count(tx: Transaction, place: Place, person: Account) -> int:
    """How many items a user has added to a conversation."""
    (found,) = tx.execute(
        "SELECT count(*) FROM plugname_items WHERE conversation = ? AND person = ?", (place.key, person.key)
    ).fetchone()
    return found


def items_of(reader: Reader, place: Place) -> list[Item]:
    """The items of a conversation, oldest first."""
    return [_item(row) for row in reader.execute(_ITEMS + "WHERE i.conversation = ? ORDER BY i.key", (place.key,))]


def make_added(reader: Reader, row: Row) -> ItemAdded | None:
    """The event again, for a client that missed it; None if the item is gone."""
    found = reader.execute(_ITEMS + "WHERE i.key = ?", (row.subject,)).fetchone()
    return ItemAdded(row.conversation, _item(found)) if found is not None else None


def count_up(tx: Transaction, person: int, items: int) -> None:
    """Add to a user's total."""
    tx.execute(
        "INSERT INTO plugname_totals (person, items) VALUES (?, ?) "
        "ON CONFLICT (person) DO UPDATE SET items = items + excluded.items",
        (person, items),
    )


def totals(reader: Reader) -> list[tuple[str, int]]:
    """Handles with the number of items each user added, highest first."""
    return reader.execute(
        "SELECT p.handle, t.items FROM plugname_totals t JOIN people p ON p.key = t.person "
        "ORDER BY t.items DESC, p.handle LIMIT 100"
    ).fetchall()
