"""What the node does with messages by itself: exporting them, and making the events about them again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chatnode.model.events import Event, MessageDeleted, MessageEdited, MessagePinned, MessagePosted
from chatnode.model.times import rfc3339
from chatnode.storage.engine.additions import CoreTable, EventKind
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.row import Row
from chatnode.storage.log import log
from chatnode.storage.messages import messages


def _about_message(kind: Any) -> Callable[[Reader, Row], Event | None]:
    def make(reader: Reader, row: Row) -> Event | None:
        assert row.conversation_key is not None
        message = messages.at_seq(reader, row.conversation_key, row.subject)
        if message is None:
            return None
        if message.replies is not None:  # those that came later have events of their own, and are counted there
            message.replies = messages.replies_until(reader, row.conversation_key, message.seq, row.gid)
        if kind is not MessagePosted:
            messages.enrich(reader, [message], None)
        return kind(row.conversation, message)

    return make


def _as_it_may_be_seen(reader: Reader, person: int, row: Row, event: Event) -> Event:
    """A user who no longer sees the message has heard it then, and gets it as it was posted."""
    assert isinstance(event, MessagePosted)
    assert row.conversation_key is not None
    if not event.message.changed:
        return event
    first = log.first_seen(reader, row.conversation_key, person)
    if first is not None and event.message.seq >= first:
        return event
    return MessagePosted(event.conversation, messages.as_posted(reader, row.conversation_key, event.message))


def _with_history(reader: Reader, entry: dict[str, Any]) -> dict[str, Any]:
    """A message with what it said before."""
    place = (entry.pop("conversation_key"), entry["seq"])
    versions = reader.execute(
        "SELECT version, text, at FROM message_edits WHERE conversation = ? AND seq = ? ORDER BY version", place
    )
    history = [{"version": version, "text": text, "at": rfc3339(at)} for version, text, at in versions]
    return entry | ({"history": history} if history else {})


EVENTS = (
    EventKind(MessagePosted, _about_message(MessagePosted), of_message=True, show=_as_it_may_be_seen),
    EventKind(MessageEdited, _about_message(MessageEdited), of_message=True),
    EventKind(MessageDeleted, _about_message(MessageDeleted), of_message=True),
    EventKind(MessagePinned, _about_message(MessagePinned), of_message=True),
)
TABLES = (
    CoreTable(
        "messages",
        lines=(
            "message",
            "SELECT m.id, c.id AS conversation, m.seq, m.gid, p.id AS sender, m.cid, m.kind, m.text, "
            "m.content AS content_json, m.at, m.reply_to, m.thread, m.replies, m.mentions AS mentions_json, "
            "m.metadata AS metadata_json, m.edits, m.edited_at, m.deleted_at, d.id AS deleted_by, "
            "m.deleted_reason, m.pinned_at, i.id AS pinned_by FROM messages m JOIN conversations c ON c.key = "
            "m.conversation JOIN people p ON p.key = m.sender LEFT JOIN people d ON d.key = m.deleted_by LEFT "
            "JOIN people i ON i.key = m.pinned_by ORDER BY m.key",
        ),
        # Why a moderator deleted a message after its sender had left is not theirs.
        entry="message",
        export="SELECT m.key, m.id AS message, c.id AS conversation, m.conversation AS conversation_key, m.seq, "
        "m.cid, m.kind, m.text, m.content AS content_json, m.metadata AS metadata_json, m.mentions AS "
        "mentions_json, m.reply_to, m.at, m.edited_at, m.deleted_at, CASE WHEN m.deleted_at > l.at THEN NULL "
        "ELSE m.deleted_reason END AS deleted_reason FROM messages m JOIN conversations c ON c.key = m.conversation "
        "LEFT JOIN members o ON o.conversation = m.conversation AND o.person = m.sender LEFT JOIN log l ON "
        "l.gid = o.left_gid WHERE m.key > :after AND m.key <= :until AND m.sender = :person ORDER BY m.key "
        "LIMIT :limit",
        finish=_with_history,
        in_spans=True,
    ),
)
