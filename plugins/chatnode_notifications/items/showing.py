"""Notifications as their users see them: of what they may not see any more, nothing."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from chatnode.api import Event, PersonRef, Querying, Reader, Row, json_array, rfc3339, rfc3339_or_none
from chatnode_notifications.items.model import Notification, NotificationAdded, NotificationRead, NotificationsRead
from chatnode_notifications.notes import BODY, IS_LEFT, MAY_SEE, SEEN, TITLE

MOST_COUNTED = 1_000

_SHOWN = (
    f"SELECT item.key, item.id, {SEEN.kind}, {SEEN.personal}, {TITLE}, {BODY}, {SEEN.count}, item.created_at, "  # noqa: S608
    f"conv.id, m.id, m.seq, sender.id, sender.handle, item.url, item.read_at FROM {SEEN.source()} WHERE {IS_LEFT} AND "
)


def shown(reader: Querying, keys: Collection[int]) -> dict[int, Notification]:
    """Items by key, each as its user sees it."""
    rows = reader.execute(
        f"{_SHOWN} item.key IN (SELECT value FROM json_each(?))",  # noqa: S608 -- constants
        (json_array(keys),),
    )
    return {row[0]: _notification(row) for row in rows}


def page(reader: Querying, person: int, before: int | None, limit: int, unread: bool) -> dict[int, Notification]:
    """A user's items, newest first: those with keys below `before`."""
    rows = reader.execute(
        f"{_SHOWN} item.person = :person AND item.key < :before "
        "AND (:unread = 0 OR item.read_at IS NULL) ORDER BY item.key DESC LIMIT :limit",
        {"person": person, "before": before if before is not None else 2**62, "unread": unread, "limit": limit},
    )
    return {row[0]: _notification(row) for row in rows}


def unread_count(reader: Querying, person: int) -> int:
    """How many a user has not read, of those that they may see; not more than `MOST_COUNTED`."""
    (count,) = reader.execute(
        "SELECT count(*) FROM (SELECT 1 FROM notifications_items item WHERE item.person = :person "  # noqa: S608
        f"AND item.read_at IS NULL AND {MAY_SEE} LIMIT :most)",
        {"person": person, "most": MOST_COUNTED},
    ).fetchone()
    return count


def _notification(row: Sequence[Any]) -> Notification:
    (
        _, id, kind, personal, title, body, count, created_at, conversation, message, seq, sender, handle, url, read_at,
    ) = row  # fmt: skip
    return Notification(
        id, kind, bool(personal), title, body, count, rfc3339(created_at), conversation, message,
        seq, PersonRef(sender, handle) if sender is not None else None, url, rfc3339_or_none(read_at),
    )  # fmt: skip


# ---- events


def make_added(reader: Reader, row: Row) -> Event | None:
    found = shown(reader, [row.subject]).get(row.subject)
    return NotificationAdded(found) if found is not None else None


def make_read(reader: Reader, row: Row) -> Event | None:
    id = _id_of(reader, row.subject)
    return NotificationRead(id, rfc3339(row.at)) if id is not None else None


def make_all_read(reader: Reader, row: Row) -> Event | None:
    id = _id_of(reader, row.subject)
    return NotificationsRead(id, rfc3339(row.at)) if id is not None else None


def _id_of(reader: Querying, key: int) -> str | None:
    row = reader.execute("SELECT id FROM notifications_items WHERE key = ?", (key,)).fetchone()
    return row[0] if row is not None else None
