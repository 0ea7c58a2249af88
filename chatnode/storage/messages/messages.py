"""Reading messages. Posting: `posting.py`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs
import orjson

from chatnode.errors import Refusal
from chatnode.model.actions import Action, Actions
from chatnode.model.messages import DeletedReason, Location, Media, Message, MessageKind, Notice, ThumbnailSize
from chatnode.model.people import Account, PersonRef
from chatnode.model.times import rfc3339
from chatnode.protocol import codec
from chatnode.storage.conversations import conversations
from chatnode.storage.conversations.conversations import Place
from chatnode.storage.engine.additions import additions
from chatnode.storage.engine.connection import Querying, Reader
from chatnode.storage.people import people

_MESSAGE = (
    "SELECT m.id, c.id, m.seq, m.gid, p.id, p.handle, m.cid, m.text, m.at, m.mentions, m.reply_to, m.metadata, m.kind, "
    "nullif(m.replies, 0), m.content, m.thread, m.pinned_at, m.edited_at, m.edits, m.deleted_at, m.deleted_by, "
    "m.deleted_reason, m.conversation FROM messages m JOIN conversations c ON c.key = m.conversation "
    "JOIN people p ON p.key = m.sender "
)


def _messages(reader: Querying, rows: Iterable[tuple[Any, ...]]) -> list[Message]:
    found: list[Message] = []
    for (
        id, conversation, seq, gid, sender, handle, cid, text, at, named, reply_to, metadata, kind, replies, *more,
    ) in rows:  # fmt: skip
        message = Message(
            id, conversation, seq, gid, PersonRef(sender, handle), cid, text, rfc3339(at),
            orjson.loads(named) if named else None, reply_to, orjson.loads(metadata) if metadata else None, kind,
            replies=replies,
        )  # fmt: skip
        if more[:-1] != _NOTHING_MORE:
            _add_more(reader, message, *more)
        found.append(message)
    return found


def enrich(reader: Querying, found: list[Message], viewer: Account | None) -> list[Message]:
    """Add what plugins know about the messages, once for all that are shown together. Returns the same list.

    `viewer` is the user who alone reads them; None if several do.
    """
    for plugin, known in known_to_plugins(reader, [message.message for message in found], viewer):
        for message in found:
            if (extra := known.get(message.message)) is not None:
                message.extra = {**(message.extra or {}), plugin: extra}
    return found


def known_to_plugins(
    reader: Querying, ids: list[str], viewer: Account | None
) -> Sequence[tuple[str, Mapping[str, Any]]]:
    """What each plugin knows about messages: its name, and what belongs in their `extra`, by the messages' ids."""
    enrich_messages = additions(reader).enrich_messages
    return enrich_messages(reader, ids, viewer) if ids and enrich_messages is not None else ()


_NOTHING_MORE = [None, None, None, None, 0, None, None, None]
Content = list[Media] | Location | Notice | Actions
"""What a message carries besides its text: files, a place, a notice, or buttons."""


def read_content(kind: MessageKind, content: str | None) -> Content | None:
    """What `written_content` wrote."""
    if content is None:
        return None
    stored = orjson.loads(content)
    if kind == "location":
        return Location(**stored)
    if kind == "system":
        return Notice(**stored)
    if kind == "text":
        return Actions([Action(**each) for each in stored["actions"]])
    return [_media(**each) for each in stored["files"]]


def _media(*, thumbs: list[dict[str, Any]] | None = None, **stored: Any) -> Media:
    return Media(**stored, thumbs=[ThumbnailSize(**each) for each in thumbs] if thumbs is not None else None)


def written_content(content: Content | None) -> str | None:
    """How the content is stored."""
    if content is None:
        return None
    if isinstance(content, list):
        return orjson.dumps({"files": [codec.to_plain(each) for each in content]}).decode()
    if isinstance(content, Actions):
        return codec.encode(content).decode()
    return orjson.dumps(attrs.asdict(content)).decode()


def set_content(message: Message, content: Content | None) -> None:
    if isinstance(content, list):
        message.media, message.files = content[0], content
    elif isinstance(content, Location):
        message.location = content
    elif isinstance(content, Notice):
        message.system = content
    elif isinstance(content, Actions):
        message.actions = content.actions


def _add_more(
    reader: Querying,
    message: Message,
    content: str | None,
    thread: int | None,
    pinned_at: int | None,
    edited_at: int | None,
    edits: int,
    deleted_at: int | None,
    deleted_by: int | None,
    deleted_reason: DeletedReason | None,
    conversation: int,
) -> None:
    """What most messages do not have."""
    set_content(message, read_content(message.kind, content))
    if thread is not None:
        row = reader.execute("SELECT id FROM messages WHERE conversation = ? AND seq = ?", (conversation, thread))
        message.thread = (row.fetchone() or (None,))[0]
    message.pinned_at = rfc3339(pinned_at) if pinned_at else None
    message.edited_at = rfc3339(edited_at) if edited_at else None
    message.edits = edits or None
    message.deleted_at = rfc3339(deleted_at) if deleted_at else None
    message.deleted_by = people.ref(reader, deleted_by)
    message.deleted_reason = deleted_reason


def replies_until(reader: Reader, conversation: int, root: int, gid: int) -> int | None:
    """How many messages the thread on `root` had at `gid`; None when it had none."""
    (replies,) = reader.execute(
        "SELECT count(*) FROM messages WHERE conversation = ? AND thread = ? AND gid <= ?", (conversation, root, gid)
    ).fetchone()
    return replies or None


def select(reader: Reader, condition: str, values: Sequence[Any]) -> list[Message]:
    """Messages `m` by what follows the WHERE, without what plugins know of them."""
    return _messages(reader, reader.execute(_MESSAGE + "WHERE " + condition, values))


def at_seq(reader: Querying, conversation: int, seq: int) -> Message | None:
    """Without what plugins know of it, as is `by_key`."""
    rows = reader.execute(_MESSAGE + "WHERE m.conversation = ? AND m.seq = ?", (conversation, seq))
    found = _messages(reader, rows)
    return found[0] if found else None


def by_key(reader: Querying, key: int) -> Message:
    return _messages(reader, reader.execute(_MESSAGE + "WHERE m.key = ?", (key,)))[0]


def as_posted(reader: Reader, conversation: int, message: Message) -> Message:
    """How a message read when it was posted, as far as that is still there."""
    if message.deleted_at is not None:
        return attrs.evolve(message, pinned_at=None, deleted_by=None, deleted_reason=None)
    row = reader.execute(
        "SELECT text FROM message_edits WHERE conversation = ? AND seq = ? AND version = 1",
        (conversation, message.seq),
    ).fetchone()
    text = row[0] if row else message.text
    return attrs.evolve(message, text=text, edits=None, edited_at=None, pinned_at=None)


def access(reader: Querying, account: Account, id: str) -> tuple[Place, Message]:
    """A message by id, for users who may see it; for others it does not exist. Without what plugins know of it.

    Raises `Refusal`: `not_member` for a message the user could see before they left the conversation, else `not_found`.
    """
    found = _messages(reader, reader.execute(_MESSAGE + "WHERE m.id = ?", (id,)))
    if found:
        try:
            place = conversations.access(reader, account, found[0].conversation)
        except Refusal as refusal:
            if _was_seen(reader, account, id):
                raise Refusal(refusal.code, refusal.message, path="message") from None
        else:
            if found[0].seq >= place.first:
                return place, found[0]
    raise no_such_message()


def _was_seen(reader: Querying, account: Account, id: str) -> bool:
    row = reader.execute(
        "SELECT 1 FROM messages m JOIN conversations c ON c.key = m.conversation JOIN members was "
        "ON was.conversation = m.conversation AND was.person = ? AND was.left_gid > m.gid "
        "WHERE m.id = ? AND m.seq >= was.first AND m.seq > c.floor",
        (account.key, id),
    )
    return row.fetchone() is not None


def no_such_message() -> Refusal:
    return Refusal("not_found", "no such message, or you may not see it", path="message")
