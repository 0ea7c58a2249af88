"""Marking notifications as read: by hand, or because the conversation was read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial

import orjson

from chatnode.api import (
    Consumer,
    Context,
    MessagePosted,
    Reader,
    ReceiptRead,
    Row,
    Transaction,
    Write,
    json_array,
    rfc3339,
)
from chatnode_notifications.items.model import NotificationRead, NotificationsRead
from chatnode_notifications.notes import SEEN

Marks = Mapping[tuple[int, int], int]
"""Up to which seq users have read, by their key and that of the conversation."""


def read_some(tx: Transaction, person: int, ids: Collection[str]) -> int:
    """Mark those with these ids; returns how many were not read before. Ids of others' notifications mean nothing."""
    rows = tx.execute(
        "SELECT key, id FROM notifications_items WHERE id IN (SELECT value FROM json_each(?)) AND person = ? "
        "AND read_at IS NULL ORDER BY key",
        (json_array(ids), person),
    ).fetchall()
    for key, id in rows:
        mark(tx, person, key, id)
    return len(rows)


def read_all(tx: Transaction, person: int, upto: str) -> int | None:
    """Mark all up to one of the user's notifications; returns how many were not read before, None if there is no such
    notification."""
    row = tx.execute("SELECT key FROM notifications_items WHERE id = ? AND person = ?", (upto, person)).fetchone()
    if row is None:
        return None
    count = tx.execute(
        "UPDATE notifications_items SET read_at = ? WHERE person = ? AND key <= ? AND read_at IS NULL",
        (tx.now, person, row[0]),
    ).rowcount
    if count:
        tx.record(NotificationsRead(upto, rfc3339(tx.now)), people=(person,), subject=row[0], actor=person)
    return count


def mark(tx: Transaction, person: int, key: int, id: str) -> None:
    """One of them."""
    tx.execute("UPDATE notifications_items SET read_at = ? WHERE key = ?", (tx.now, key))
    tx.record(NotificationRead(id, rfc3339(tx.now)), people=(person,), subject=key, actor=person)


# ---- following what is read in conversations


def _read_at(seq: str) -> str:
    """SQL, a condition on `notifications_items item`: nothing is left of it after the message with this seq."""
    return f"(item.last_seq <= {seq} OR NOT EXISTS (SELECT 1 {SEEN.found} AND told.seq > {seq}))"


async def follow_reading(ctx: Context, rows: Sequence[Row]) -> Write[object] | None:
    """Who reads a conversation has read its notifications; so has who posts in it."""
    marks: dict[tuple[int, int], int] = {}
    for row in rows:
        if row.actor is not None and row.conversation_key is not None:
            place = row.actor, row.conversation_key
            marks[place] = max(marks.get(place, 0), row.subject)
    found = await ctx.read(partial(concerned, marks=marks))
    return partial(apply_marks, marks=found) if found else None


def concerned(reader: Reader, marks: Marks) -> dict[tuple[int, int], int]:
    """Those of the marks below which something is not read, or not due yet."""
    asked = orjson.dumps([[person, conversation, seq] for (person, conversation), seq in marks.items()]).decode()
    rows = reader.execute(
        "WITH mark (person, conversation, seq) AS (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?)) "  # noqa: S608
        "SELECT person, conversation, seq FROM mark WHERE EXISTS (SELECT 1 FROM notifications_items item "
        "WHERE item.person = mark.person AND item.conversation = mark.conversation AND item.read_at IS NULL "
        f"AND {_read_at('mark.seq')}) OR EXISTS (SELECT 1 FROM notifications_bundles b "
        "WHERE b.person = mark.person AND b.conversation = mark.conversation AND b.last_seq <= mark.seq)",
        (asked,),
    )
    return {(person, conversation): seq for person, conversation, seq in rows}


def apply_marks(tx: Transaction, marks: Marks) -> None:
    """Mark what is read, and drop what was about to be told of it."""
    for (person, conversation), seq in marks.items():
        tx.execute(
            "DELETE FROM notifications_bundles WHERE person = ? AND conversation = ? AND last_seq <= ?",
            (person, conversation, seq),
        )
        for key, id in tx.execute(
            "SELECT item.key, item.id FROM notifications_items item WHERE item.person = :person "  # noqa: S608
            f"AND item.conversation = :conversation AND item.read_at IS NULL AND {_read_at(':seq')} ORDER BY item.key",
            {"person": person, "conversation": conversation, "seq": seq},
        ).fetchall():
            mark(tx, person, key, id)


CONSUMER = Consumer(
    "reading",
    follow_reading,
    frozenset({ReceiptRead.name, MessagePosted.name}),
    most=2_000,
    pause=0.5,
    where="EXISTS (SELECT 1 FROM notifications_items item WHERE item.person = log.actor "
    "AND item.conversation = log.conversation AND item.read_at IS NULL) OR EXISTS (SELECT 1 "
    "FROM notifications_bundles b WHERE b.person = log.actor AND b.conversation = log.conversation)",
    repeatable=True,
)
