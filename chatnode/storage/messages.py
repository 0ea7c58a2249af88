"""Messages: posting and reading."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs
import orjson

from chatnode.errors import Refusal
from chatnode.model.commands.messages import Posted
from chatnode.model.events import MessagePosted
from chatnode.model.ids import message_id
from chatnode.model.messages import Message, mentioned_handles
from chatnode.model.people import Account, PersonRef
from chatnode.model.times import rfc3339
from chatnode.storage import conversations, receipts
from chatnode.storage.conversations import Place
from chatnode.storage.database import Reader, Transaction


@attrs.define
class Draft:
    """A message before it has a place in its conversation."""

    conversation: str
    cid: str
    text: str
    reply_to: str | None = None


def post(tx: Transaction, sender: Account, draft: Draft) -> Posted:
    """Put a message at the end of its conversation; a repeated `cid` returns what it got the first time.

    Raises `Refusal`: who is not in (any more), `conflict` for a cid used for something else.
    """
    id = message_id(sender.id, draft.cid)
    try:
        place = conversations.access(tx, sender, draft.conversation)
        if draft.reply_to is not None:
            _check_reply(tx, place, draft.reply_to)
    except Refusal:
        # Whoever was removed since, or came back, may still ask whether their message arrived.
        if (earlier := _earlier(tx, id, draft)) is not None:
            return earlier
        raise
    mentions = _mentioned(tx, place, draft.text)
    seq, gid = place.head + 1, tx.next_gid
    inserted = tx.execute(
        "INSERT INTO messages (id, conversation, seq, gid, sender, cid, text, at, reply_to, mentions) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
        (
            id, place.key, seq, gid, sender.key, draft.cid, draft.text, tx.now, draft.reply_to,
            orjson.dumps([person for _, person in mentions]).decode() if mentions else None,
        ),
    ).rowcount  # fmt: skip
    if not inserted:
        earlier = _earlier(tx, id, draft)
        assert earlier is not None
        return earlier
    if mentions:
        tx.executemany(
            "INSERT INTO mentions (person, conversation, seq) VALUES (?, ?, ?)",
            [(key, place.key, seq) for key, _ in mentions],
        )
    tx.execute("UPDATE conversations SET head = ?, activity = ? WHERE key = ?", (seq, gid, place.key))
    receipts.posting_reads(tx, place, sender.key, seq)
    message = Message(
        id, draft.conversation, seq, gid, sender.ref, draft.cid, draft.text, rfc3339(tx.now),
        [person for _, person in mentions] or None, draft.reply_to,
    )  # fmt: skip
    tx.record(MessagePosted(draft.conversation, message), conversation=place.key, subject=seq, actor=sender.key)
    return Posted(gid, seq, id, False)


def _earlier(tx: Transaction, id: str, draft: Draft) -> Posted | None:
    row = tx.execute(
        "SELECT m.gid, m.seq, c.id, m.text, m.reply_to, m.edited_at, m.deleted_at "
        "FROM messages m JOIN conversations c ON c.key = m.conversation WHERE m.id = ?",
        (id,),
    ).fetchone()
    if row is None:
        return None
    gid, seq, conversation, text, reply_to, edited_at, deleted_at = row
    same_text = text == draft.text or edited_at is not None or deleted_at is not None
    if conversation != draft.conversation or reply_to != draft.reply_to or not same_text:
        raise Refusal("conflict", "you used this cid for another message; make a new one", path="cid")
    return Posted(gid, seq, id, True)


def _check_reply(tx: Transaction, place: Place, reply_to: str) -> None:
    row = tx.execute(
        "SELECT 1 FROM messages WHERE id = ? AND conversation = ? AND seq >= ?",
        (reply_to, place.key, place.first),
    ).fetchone()
    if row is None:
        raise Refusal("not_found", "there is no such message in this conversation", path="reply_to")


def _mentioned(tx: Transaction, place: Place, text: str) -> list[tuple[int, str]]:
    """Keys and ids of the participants that `text` names. Naming anybody else says nothing to them."""
    found: list[tuple[int, str]] = []
    for handle in mentioned_handles(text):
        row = tx.execute(
            "SELECT p.key, p.id FROM people p JOIN members m ON m.person = p.key "
            "WHERE p.handle = ? AND m.conversation = ? AND m.left_gid IS NULL",
            (handle, place.key),
        ).fetchone()
        if row is not None:
            found.append(row)
    return found


# ---- reading

_MESSAGE = (
    "SELECT m.id, c.id, m.seq, m.gid, p.id, p.handle, m.cid, m.text, m.at, m.mentions, m.reply_to, m.metadata, "
    "m.edited_at, m.deleted_at FROM messages m JOIN conversations c ON c.key = m.conversation "
    "JOIN people p ON p.key = m.sender "
)


def _messages(rows: Iterable[tuple[Any, ...]]) -> list[Message]:
    return [
        Message(
            id, conversation, seq, gid, PersonRef(sender, handle), cid, text, rfc3339(at),
            orjson.loads(mentions) if mentions else None, reply_to, orjson.loads(metadata) if metadata else None,
            rfc3339(edited_at) if edited_at else None, rfc3339(deleted_at) if deleted_at else None,
        )
        for (
            id, conversation, seq, gid, sender, handle, cid, text, at, mentions, reply_to, metadata,
            edited_at, deleted_at,
        ) in rows
    ]  # fmt: skip


def page(
    reader: Reader, place: Place, *, before: int | None = None, after: int | None = None, limit: int
) -> list[Message]:
    """Up to `limit` messages in ascending order: after a seq, before one, or the newest."""
    if after is not None:
        above = max(after, place.first - 1)
        below = before if before is not None else place.head + 1
        return _messages(
            reader.execute(
                _MESSAGE + "WHERE m.conversation = ? AND m.seq > ? AND m.seq < ? ORDER BY m.seq LIMIT ?",
                (place.key, above, below, limit),
            )
        )
    found = _messages(
        reader.execute(
            _MESSAGE + "WHERE m.conversation = ? AND m.seq >= ? AND m.seq < ? ORDER BY m.seq DESC LIMIT ?",
            (place.key, place.first, before if before is not None else place.head + 1, limit),
        )
    )
    found.reverse()
    return found


def at_seq(reader: Reader, conversation: int, seq: int) -> Message | None:
    found = _messages(reader.execute(_MESSAGE + "WHERE m.conversation = ? AND m.seq = ?", (conversation, seq)))
    return found[0] if found else None


def access(reader: Reader, account: Account, id: str) -> tuple[Place, Message]:
    """A message by id, for those who may see it; to others it does not exist."""
    found = _messages(reader.execute(_MESSAGE + "WHERE m.id = ?", (id,)))
    if found:
        try:
            place = conversations.access(reader, account, found[0].conversation)
        except Refusal:
            pass
        else:
            if found[0].seq >= place.first:
                return place, found[0]
    raise Refusal("not_found", "there is no such message that you may see", path="message")
