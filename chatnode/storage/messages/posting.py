"""Posting a message: for a client, and for a plugin in its own transaction.

Posts of a group that are only text are written together by `storage/messages/together.py`, with the same effect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, cast

import attrs
import orjson

from chatnode.counting import counted
from chatnode.errors import Refusal
from chatnode.model.actions import Action, Actions
from chatnode.model.commands.messages import Posted, PostMessage
from chatnode.model.events import MessagePosted
from chatnode.model.ids import message_id
from chatnode.model.messages import FileRef, Location, Media, Message, MessageKind, Notice
from chatnode.model.people import Account
from chatnode.model.records import record
from chatnode.model.times import rfc3339
from chatnode.protocol import codec
from chatnode.storage.conversations import conversations
from chatnode.storage.conversations.conversations import Place
from chatnode.storage.engine.additions import additions
from chatnode.storage.engine.connection import Querying, Reader
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.messages import buttons, mentions, times
from chatnode.storage.messages.messages import Content, read_content, set_content, written_content
from chatnode.storage.messages.receipts import Advances
from chatnode.storage.people import people


@record
class Draft:
    """A message before it is stored. `content` is what a location or a system message carries besides its text, or the
    buttons of a bot's message. `files` are those of an image or file message: each as the client named it, or the
    `Media` to store."""

    conversation: str
    cid: str
    text: str
    reply_to: str | None = None
    thread: str | None = None
    kind: MessageKind = "text"
    content: Location | Notice | Actions | None = None
    metadata: dict[str, str] | None = None
    files: Sequence[FileRef | Media] = ()
    edits: str | None = None
    """The id of the message, for an edit; then only the text is used."""
    sender: str = ""
    """The sender's id. Together with `cid` it identifies the message, however often it is sent."""
    sent: bytes | None = None
    """Set if the draft has files or buttons, or a plugin changed the text: the hash (`as_sent`) of what the client
    sent."""


def as_sent(draft: Draft) -> bytes:
    """A hash of what a client sent, to tell a repeat from another message with the same `cid`. Of files only the ids
    count: a client may know more about a file when it repeats the message."""
    content: Any = attrs.asdict(draft.content) if draft.content is not None else None
    if draft.files:
        content = {"kind": draft.kind, "files": [each.file for each in draft.files]}
    said = orjson.dumps([draft.sender, draft.cid, draft.text, content])
    return blake2b(said, digest_size=16).digest()


def complete_files(draft: Draft, path: str) -> None:
    """Make each file the `Media` to store. Raises `Refusal` if it has no name, type or size, so that no plugin knew it:
    at `path`, where `{}` stands for the file's place."""
    draft.files = [
        each if isinstance(each, Media) else _complete(each, path.format(place))
        for place, each in enumerate(draft.files)
    ]


def _complete(ref: FileRef, path: str) -> Media:
    if ref.name is not None and ref.type is not None and ref.bytes is not None:
        return Media(
            ref.file, ref.name, ref.type, ref.bytes, ref.width, ref.height,
            duration_ms=ref.duration_ms, voice=ref.voice, waveform=ref.waveform,
        )  # fmt: skip
    missing = next(field for field in ("name", "type", "bytes") if getattr(ref, field) is None)
    raise Refusal("invalid", f"{path}.{missing} is missing; the node does not know this file", path=f"{path}.{missing}")


def posted_earlier(reader: Reader, sender: Account, draft: Draft) -> Posted | None:
    """The stored result if the draft was posted before, else None; raises `Refusal("conflict")` if its cid was used for
    another message."""
    return _earlier(reader, message_id(sender.id, draft.cid), draft)


def check_may_post(reader: Reader, sender: Account, draft: Draft) -> None:
    """Raises `Refusal` as `post` does. For a check before plugins prepare the draft; `post` checks again."""
    _place_of(reader, sender, draft)


def post(tx: Transaction, sender: Account, draft: Draft, everyone_members: int = 0) -> Posted:
    """Put a message at the end of its conversation; a repeated `cid` returns what it got the first time. The draft's
    files must be complete.

    `everyone_members`: in larger groups only owner and admins can mention everyone; 0 is no limit.
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
    content: Content | None = [*cast("Sequence[Media]", draft.files)] or draft.content
    set_content(message, content)
    place_and_text = (id, place.key, seq, gid, sender.key, draft.cid, draft.text, at)
    more = (
        draft.reply_to, _json(message.mentions), _json(message.metadata), draft.kind,
        written_content(content), thread, draft.sent, late,
    )  # fmt: skip
    if more == _NO_MORE:
        inserted = tx.execute(INSERT_TEXT, place_and_text).rowcount
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
    tx.execute(UPDATE_CONVERSATION, (seq, gid, at, at if late is None else place.ordered_at, 1, place.key))
    advances = Advances()
    advances.posted(place, sender.key, seq, tx.now)
    advances.write(tx)
    tx.record(MessagePosted(draft.conversation, message), conversation=place.key, subject=seq, actor=sender.key)
    return Posted(gid, seq, id, False)


INSERT_TEXT = (  # enough for most messages, and each further parameter costs a quarter of a microsecond
    "INSERT INTO messages (id, conversation, seq, gid, sender, cid, text, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (id) DO NOTHING"
)
_INSERT = (
    "INSERT INTO messages (id, conversation, seq, gid, sender, cid, text, at, reply_to, mentions, metadata, kind, "
    "content, thread, sent, late) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING"
)
UPDATE_CONVERSATION = (
    "UPDATE conversations SET head = ?, activity = ?, last_at = ?, ordered_at = ?, messages = messages + ? "
    "WHERE key = ?"
)
_NO_MORE = (None, None, None, "text", None, None, None, None)


def _place_of(tx: Querying, sender: Account, draft: Draft) -> tuple[Place, int | None]:
    """The place in the conversation, and the seq of the thread's first message, if any; raises `Refusal`."""
    place = conversations.access_to_post(tx, sender, draft.conversation)
    if draft.reply_to is not None:
        _seq_of(tx, place, draft.reply_to, "reply_to")
    return place, _thread(tx, place, draft.thread) if draft.thread is not None else None


def _json(value: Any) -> str | None:
    return orjson.dumps(value).decode() if value else None


def _earlier(tx: Querying, id: str, draft: Draft) -> Posted | None:
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
    same = (conversation, reply_to) == (draft.conversation, draft.reply_to)
    same = same and (kind == draft.kind or bool(draft.files))  # a message whose files were removed became text
    if thread is None or root is not None:  # else the thread's first message was removed
        same = same and root == draft.thread
    if deleted_at is None:  # else there is nothing left to compare with
        same = same and _is_what_was_sent(draft, kind, text, read_content(kind, content), sent, edited_at is not None)
    if not same:
        raise Refusal("conflict", "this cid was already used for another message; create a new one", path="cid")
    return Posted(gid, seq, id, True)


def _is_what_was_sent(
    draft: Draft, kind: MessageKind, text: str, content: Content | None, sent: bytes | None, edited: bool
) -> bool:
    if sent is not None or draft.sent is not None:
        files, other = (content, None) if isinstance(content, list) else ([], content)
        stored = sent or as_sent(attrs.evolve(draft, kind=kind, text=text, content=other, files=files))
        return stored == (draft.sent or as_sent(draft))
    return (text == draft.text or edited) and content == draft.content


def _seq_of(tx: Querying, place: Place, message: str, path: str) -> int:
    """The seq of a message that the participant may see; raises `Refusal("not_found")` at `path`."""
    row = tx.execute(
        "SELECT seq FROM messages WHERE id = ? AND conversation = ? AND seq >= ?", (message, place.key, place.first)
    ).fetchone()
    if row is None:
        raise Refusal("not_found", "no such message in this conversation", path=path)
    return row[0]


def _thread(tx: Querying, place: Place, root: str) -> int:
    seq = _seq_of(tx, place, root, "thread")
    (inside,) = tx.execute(
        "SELECT thread FROM messages WHERE conversation = ? AND seq = ?", (place.key, seq)
    ).fetchone()
    if inside is not None:
        raise Refusal("invalid", "this message is in a thread; name the thread's first message", path="thread")
    return seq


# ---- for plugins


def post_message(
    tx: Transaction,
    sender: Account,
    conversation: str,
    text: str,
    *,
    cid: str,
    reply_to: str | None = None,
    thread: str | None = None,
    metadata: Mapping[str, str] | None = None,
    actions: Sequence[Action] = (),
) -> Posted:
    """Post a text message as `sender` in this transaction: it is stored and sent if and only if the transaction
    commits.

    The sender must be a member who can act, and the conversation open. Format and length are checked, and the hooks
    `in_transaction` and `audience` run, as for a client's message; `check_command`, `prepare_draft` and rates do not
    apply. A second post with the same `cid` changes nothing and returns the first result, with `dup` set: derive it
    from what the message is about, so that retrying is safe. `actions` are buttons, which only a bot can post.

    Raises `Refusal`. Not for the hook `audience`, which runs before its own event has a place in the log.
    """
    given = {
        "conversation": conversation, "cid": cid, "text": text, "reply_to": reply_to, "thread": thread,
        "metadata": dict(metadata) if metadata else None,
        "actions": [codec.to_plain(each) for each in actions] or None,
    }  # fmt: skip
    asked = codec.structure({name: value for name, value in given.items() if value is not None}, PostMessage)
    limits = additions(tx).limits
    if not asked.text:
        raise Refusal("invalid", "text has 0 characters; the minimum is 1", path="text")
    if limits.message_chars and len(asked.text) > limits.message_chars:
        raise Refusal("too_large", f"a message has at most {counted(limits.message_chars, 'character')}", path="text")
    account = people.check_can_act(tx, sender.key)
    draft = Draft(
        asked.conversation, asked.cid, asked.text, asked.reply_to, asked.thread, metadata=asked.metadata,
        content=buttons.as_content(account, "text", asked.actions or ()), sender=account.id,
    )  # fmt: skip
    if draft.content is not None:
        draft.sent = as_sent(draft)
    return post(tx, account, draft, limits.everyone_members)
