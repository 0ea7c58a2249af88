"""What an alert says: made from the tables when it is sent, so that it never tells what was deleted meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from chatnode.api import PersonRef, Querying, Transaction, json_array, now_ms, record

MOST_BODY = 500
"""Characters of a body."""


@record(frozen=True)
class Note:
    """An item in words. `key` is that of the item and `id` its public id; `message` and `conversation` are public ids,
    None for a note of the node itself. `body` is at most 500 characters. `silent`: the user wants no sound for this
    conversation. Times are in milliseconds."""

    key: int
    id: str
    person: int
    kind: str
    personal: bool
    silent: bool
    conversation: str | None
    message: str | None
    seq: int | None
    count: int
    title: str
    body: str
    sender: PersonRef | None
    url: str
    created_at: int


@record(frozen=True)
class NewItem:
    """An item that was just closed; keys are those of the tables."""

    key: int
    person: int
    conversation: int | None
    personal: bool
    created_at: int


Follower = Callable[[Transaction, Sequence[NewItem]], None]
"""Called in the transaction that adds items, to say how they are to be delivered."""


# ---- SQL about `notifications_items item`

SOURCE = (
    "notifications_items item JOIN people owner ON owner.key = item.person "
    "LEFT JOIN messages m ON m.key = item.message LEFT JOIN conversations conv ON conv.key = item.conversation "
    "LEFT JOIN people sender ON sender.key = item.sender"
)
"""What follows FROM for the expressions below."""

TITLE = (
    "(CASE WHEN item.conversation IS NULL THEN coalesce(item.title, '') WHEN conv.kind = 'direct' THEN sender.name "
    "ELSE sender.name || ' · ' || conv.title END)"
)
BODY = (
    f"(CASE WHEN item.conversation IS NULL THEN coalesce(item.body, '') WHEN coalesce(m.deleted_at, 0) > 0 THEN '' "
    f"WHEN m.text <> '' THEN substr(m.text, 1, {MOST_BODY}) WHEN m.kind = 'image' THEN 'Image' "
    "WHEN m.kind = 'file' THEN 'File' WHEN m.kind = 'location' THEN 'Location' ELSE '' END)"
)
"""Empty for a message that was deleted."""

MAY_SEE = (
    "(item.conversation IS NULL OR (item.message IS NOT NULL "
    "AND EXISTS (SELECT 1 FROM members mine WHERE mine.conversation = item.conversation AND mine.person = item.person "
    "AND mine.left_gid IS NULL AND mine.first <= item.last_seq) "
    "AND NOT EXISTS (SELECT 1 FROM blocks b WHERE b.person = item.person AND b.blocked = item.sender)))"
)
"""A condition: the item's user may see the message that it tells of, and has not blocked its sender."""

_TO_BE_TOLD = (
    f"{MAY_SEE} AND item.read_at IS NULL AND owner.deactivated_at IS NULL AND owner.bot = 0 "  # noqa: S608 -- constants
    "AND (item.conversation IS NULL OR (m.deleted_at IS NULL "
    "AND EXISTS (SELECT 1 FROM members w WHERE w.conversation = item.conversation AND w.person = item.person "
    "AND w.read_seq < item.last_seq) "
    "AND coalesce(s.notify, 'all') <> 'none' "
    "AND NOT (coalesce(s.notify, 'all') = 'mentions' AND item.reason = 'ordinary') "
    "AND NOT (coalesce(s.muted_until, 0) > :now "
    "AND NOT (item.personal = 1 AND coalesce(chosen.mentions_through_mute, 0) = 1))))"
)

_NOTES = (
    "SELECT item.key, item.id, item.person, item.kind, item.personal, coalesce(s.sounds, 1) = 0, conv.id, m.id, "  # noqa: S608
    f"item.last_seq, item.count, {TITLE}, {BODY}, sender.id, sender.handle, item.url, item.created_at "
    f"FROM {SOURCE} "
    "LEFT JOIN conversation_settings s ON s.person = item.person AND s.conversation = item.conversation "
    "LEFT JOIN notifications_people chosen ON chosen.person = item.person "
    f"WHERE item.key IN (SELECT value FROM json_each(:items)) AND {_TO_BE_TOLD}"
)


def notes_of(reader: Querying, items: Collection[int], base_url: str) -> dict[int, Note]:
    """The notes of items, by key. An item that must not be told any more is not among them: it was read or deleted, or
    its user left, was deactivated, muted the conversation or blocked the sender."""
    rows = reader.execute(_NOTES, {"items": json_array(items), "now": now_ms()})
    return {row[0]: _note(row, base_url) for row in rows}


def _note(row: Sequence[Any], base_url: str) -> Note:
    (
        key, id, person, kind, personal, silent, conversation, message, seq, count, title, body, sender, handle, url,
        created_at,
    ) = row  # fmt: skip
    return Note(
        key, id, person, kind, bool(personal), bool(silent), conversation, message, seq, count, title, body,
        PersonRef(sender, handle) if sender is not None else None, address_of(base_url, conversation, message, url),
        created_at,
    )  # fmt: skip


def address_of(base_url: str, conversation: str | None, message: str | None, url: str | None) -> str:
    """Where a note leads: to its message, or to what `notifications.send` was given, which may be relative to the
    node."""
    if conversation is not None:
        return f"{base_url}/?conversation={conversation}&message={message}"
    if url is not None and not url.startswith("/"):
        return url
    return base_url + (url or "/")
