"""Messages: posting and reading."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import attrs
import orjson

from chatnode.errors import Refusal
from chatnode.model.commands.messages import Posted
from chatnode.model.events import MessagePosted
from chatnode.model.ids import message_id
from chatnode.model.messages import DeletedReason, Location, Media, Message, MessageKind, Notice
from chatnode.model.people import Account, PersonRef
from chatnode.model.times import rfc3339
from chatnode.storage.conversations import conversations
from chatnode.storage.conversations.conversations import Place
from chatnode.storage.engine.additions import additions
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.messages import mentions, receipts, times
from chatnode.storage.people import people


@attrs.define
class Draft:
    """A message before it is stored. `content` is the content besides the text, for kinds that have any."""

    conversation: str
    cid: str
    text: str
    reply_to: str | None = None
    thread: str | None = None
    kind: MessageKind = "text"
    content: Media | Location | Notice | None = None
    metadata: dict[str, str] | None = None
    edits: str | None = None
    """The id of the message, for an edit; then only the text is used."""
    sender: str = ""
    """The sender's id. Together with `cid` it identifies the message, however often it is sent."""
    sent: bytes | None = None
    """Set when a plugin changed the text: the hash (`as_sent`) of what the client sent."""


def as_sent(draft: Draft) -> bytes:
    """A hash of what a client sent, to tell a repeat from another message with the same `cid`."""
    content = attrs.asdict(draft.content) if draft.content is not None else None
    said = orjson.dumps([draft.sender, draft.cid, draft.text, content])
    return blake2b(said, digest_size=16).digest()


def posted_earlier(reader: Reader, sender: Account, draft: Draft) -> Posted | None:
    """The stored result of a draft that is posted already; raises `Refusal("conflict")` if its cid is another's."""
    return _earlier(reader, message_id(sender.id, draft.cid), draft)


def check_may_post(reader: Reader, sender: Account, draft: Draft) -> None:
    """Raises `Refusal` as `post` does, which checks again; asked before plugins prepare the draft."""
    _place_of(reader, sender, draft)


def post(tx: Transaction, sender: Account, draft: Draft, everyone_members: int = 0) -> Posted:
    """Put a message at the end of its conversation; a repeated `cid` returns what it got the first time.

    `everyone_members`: in larger groups only owner and admins name everyone; 0 is no limit.
    Raises `Refusal`: `not_member`, `not_found`, `closed`, or `conflict` for a cid used for another message.
    """
    id = message_id(sender.id, draft.cid)
    try:
        place, thread = _place_of(tx, sender, draft)
    except Refusal:
        # A user who was removed since, or returned, may still ask whether their message arrived.
        if (earlier := _earlier(tx, id, draft)) is not None:
            return earlier
        raise
    named = mentions.named(tx, place, draft.text, everyone_members) if "@" in draft.text else []
    seq, gid = place.head + 1, tx.next_gid
    at, late = times.next_at(tx, place.key, place.head, place.ordered_at)
    message = Message(
        id, draft.conversation, seq, gid, sender.ref, draft.cid, draft.text, rfc3339(at),
        [person for _, person in named] or None, draft.reply_to, draft.metadata or None, draft.kind,
        thread=draft.thread,
    )  # fmt: skip
    _give(message, draft.content)
    place_and_text = (id, place.key, seq, gid, sender.key, draft.cid, draft.text, at)
    more = (
        draft.reply_to, _json(message.mentions), _json(message.metadata), draft.kind,
        _json(attrs.asdict(draft.content)) if draft.content is not None else None, thread, draft.sent,
        late,
    )  # fmt: skip
    if more == _NO_MORE:
        inserted = tx.execute(_INSERT_TEXT, place_and_text).rowcount
    else:
        inserted = tx.execute(_INSERT, place_and_text + more).rowcount
    if not inserted:
        earlier = _earlier(tx, id, draft)
        assert earlier is not None
        return earlier
    if named:
        mentions.add(tx, place, seq, named)
    if thread is not None:
        tx.execute("UPDATE messages SET replies = replies + 1 WHERE conversation = ? AND seq = ?", (place.key, thread))
    tx.execute(
        "UPDATE conversations SET head = ?, activity = ?, last_at = ?, ordered_at = ?, messages = messages + 1 "
        "WHERE key = ?",
        (seq, gid, at, at if late is None else place.ordered_at, place.key),
    )
    receipts.posting_reads(tx, place, sender.key, seq)
    tx.record(MessagePosted(draft.conversation, message), conversation=place.key, subject=seq, actor=sender.key)
    return Posted(gid, seq, id, False)


_INSERT_TEXT = (  # most messages are no more than that, and each parameter costs a quarter of a microsecond
    "INSERT INTO messages (id, conversation, seq, gid, sender, cid, text, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (id) DO NOTHING"
)
_INSERT = (
    "INSERT INTO messages (id, conversation, seq, gid, sender, cid, text, at, reply_to, mentions, metadata, kind, "
    "content, thread, sent, late) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING"
)
_NO_MORE = (None, None, None, "text", None, None, None, None)


def _place_of(tx: Reader | Transaction, sender: Account, draft: Draft) -> tuple[Place, int | None]:
    """The conversation, and the seq of the message that the thread hangs on; raises `Refusal`."""
    place = conversations.access_to_post(tx, sender, draft.conversation)
    if draft.reply_to is not None:
        _seq_of(tx, place, draft.reply_to, "reply_to")
    return place, _thread(tx, place, draft.thread) if draft.thread is not None else None


def _json(value: Any) -> str | None:
    return orjson.dumps(value).decode() if value else None


def _give(message: Message, content: Media | Location | Notice | None) -> None:
    match content:
        case Media():
            message.media = content
        case Location():
            message.location = content
        case Notice():
            message.system = content
        case None:
            pass


def _earlier(tx: Reader | Transaction, id: str, draft: Draft) -> Posted | None:
    row = tx.execute(
        "SELECT m.gid, m.seq, c.id, m.reply_to, m.kind, r.id, m.thread, m.text, m.content, m.edited_at, m.deleted_at, "
        "m.sent "
        "FROM messages m JOIN conversations c ON c.key = m.conversation "
        "LEFT JOIN messages r ON r.conversation = m.conversation AND r.seq = m.thread WHERE m.id = ?",
        (id,),
    ).fetchone()
    if row is None:
        return None
    gid, seq, conversation, reply_to, kind, root, thread, text, content, edited_at, deleted_at, sent = row
    same = (conversation, reply_to, kind) == (draft.conversation, draft.reply_to, draft.kind)
    if thread is None or root is not None:  # else the message that the thread hung on was removed
        same = same and root == draft.thread
    if deleted_at is None:  # else there is nothing left to compare with
        same = same and _is_what_was_sent(draft, text, _read_content(kind, content), sent, edited_at is not None)
    if not same:
        raise Refusal("conflict", "you already used this cid for another message; create a new one", path="cid")
    return Posted(gid, seq, id, True)


def _is_what_was_sent(
    draft: Draft, text: str, content: Media | Location | Notice | None, sent: bytes | None, edited: bool
) -> bool:
    if sent is not None or draft.sent is not None:
        stored = sent or as_sent(attrs.evolve(draft, text=text, content=content))
        return stored == (draft.sent or as_sent(draft))
    return (text == draft.text or edited) and content == draft.content


def _seq_of(tx: Reader | Transaction, place: Place, message: str, path: str) -> int:
    """The seq of a message that the participant may see; raises `Refusal("not_found")` at `path`."""
    row = tx.execute(
        "SELECT seq FROM messages WHERE id = ? AND conversation = ? AND seq >= ?", (message, place.key, place.first)
    ).fetchone()
    if row is None:
        raise Refusal("not_found", "no such message in this conversation", path=path)
    return row[0]


def _thread(tx: Reader | Transaction, place: Place, root: str) -> int:
    seq = _seq_of(tx, place, root, "thread")
    (inside,) = tx.execute(
        "SELECT thread FROM messages WHERE conversation = ? AND seq = ?", (place.key, seq)
    ).fetchone()
    if inside is not None:
        raise Refusal("invalid", "this message is in a thread; name the thread's first message", path="thread")
    return seq


# ---- reading

_MESSAGE = (
    "SELECT m.id, c.id, m.seq, m.gid, p.id, p.handle, m.cid, m.text, m.at, m.mentions, m.reply_to, m.metadata, m.kind, "
    "nullif(m.replies, 0), m.content, m.thread, m.pinned_at, m.edited_at, m.edits, m.deleted_at, m.deleted_by, "
    "m.deleted_reason, m.conversation FROM messages m JOIN conversations c ON c.key = m.conversation "
    "JOIN people p ON p.key = m.sender "
)


def _messages(reader: Reader | Transaction, rows: Iterable[tuple[Any, ...]]) -> list[Message]:
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


def enrich(reader: Reader | Transaction, found: list[Message], viewer: Account | None) -> list[Message]:
    """Add what plugins know about the messages, once for all that are shown together. Returns the same list.

    `viewer` is the user who alone reads them; None if several do.
    """
    for plugin, known in known_to_plugins(reader, [message.message for message in found], viewer):
        for message in found:
            if (extra := known.get(message.message)) is not None:
                message.extra = {**(message.extra or {}), plugin: extra}
    return found


def known_to_plugins(
    reader: Reader | Transaction, ids: list[str], viewer: Account | None
) -> Sequence[tuple[str, Mapping[str, Any]]]:
    """What each plugin knows about messages: its name, and what belongs in their `extra`, by the messages' ids."""
    enrich_messages = additions(reader).enrich_messages
    return enrich_messages(reader, ids, viewer) if ids and enrich_messages is not None else ()


_NOTHING_MORE = [None, None, None, None, 0, None, None, None]
_CONTENT: dict[str, type[Media | Location | Notice]] = {
    "image": Media, "file": Media, "location": Location, "system": Notice,
}  # fmt: skip


def _read_content(kind: MessageKind, content: str | None) -> Media | Location | Notice | None:
    return _CONTENT[kind](**orjson.loads(content)) if content is not None else None


def _add_more(
    reader: Reader | Transaction,
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
    _give(message, _read_content(message.kind, content))
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


def at_seq(reader: Reader | Transaction, conversation: int, seq: int) -> Message | None:
    """Without what plugins know of it, as is `by_key`."""
    rows = reader.execute(_MESSAGE + "WHERE m.conversation = ? AND m.seq = ?", (conversation, seq))
    found = _messages(reader, rows)
    return found[0] if found else None


def by_key(reader: Reader | Transaction, key: int) -> Message:
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


def access(reader: Reader | Transaction, account: Account, id: str) -> tuple[Place, Message]:
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


def _was_seen(reader: Reader | Transaction, account: Account, id: str) -> bool:
    row = reader.execute(
        "SELECT 1 FROM messages m JOIN conversations c ON c.key = m.conversation JOIN members was "
        "ON was.conversation = m.conversation AND was.person = ? AND was.left_gid > m.gid "
        "WHERE m.id = ? AND m.seq >= was.first AND m.seq > c.floor",
        (account.key, id),
    )
    return row.fetchone() is not None


def no_such_message() -> Refusal:
    return Refusal("not_found", "no such message, or you may not see it", path="message")
