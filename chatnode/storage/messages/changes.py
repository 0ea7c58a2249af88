"""What becomes of a message after it was posted: edits, deletion for all, pins."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from chatnode.counting import counted
from chatnode.errors import Refusal
from chatnode.model.actions import Action
from chatnode.model.conversations import RANK
from chatnode.model.events import MessageDeleted, MessageEdited, MessagePinned
from chatnode.model.messages import DeletedReason, Edition, Media, Message
from chatnode.model.people import Account
from chatnode.model.permissions import NOTIFY
from chatnode.model.records import record
from chatnode.model.times import now_ms, rfc3339
from chatnode.storage.conversations import conversations
from chatnode.storage.conversations.conversations import Place
from chatnode.storage.engine.additions import CoreTable, additions
from chatnode.storage.engine.connection import Querying, Reader
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.messages import buttons, mentions, messages
from chatnode.storage.people import audit

_CHANGED = MessageEdited | MessageDeleted | MessagePinned


@record(frozen=True)
class Edit:
    """What a message is to say. `notices`: its sender may post system messages; `minutes` is how long after posting,
    `most` how often a message can be edited; 0 is no limit. `actions` replace its buttons, unless None."""

    message: str
    text: str
    notices: bool
    minutes: int
    most: int
    actions: Sequence[Action] | None = None


def access_to_edit(reader: Querying, account: Account, edit: Edit) -> tuple[Place, Message]:
    """The message, for its sender, who must have the permissions now that posting it would take.

    Raises `Refusal`. The limits of time and number do not apply to an edit that changes nothing.
    """
    place, message = messages.access(reader, account, edit.message)
    conversations.refuse_closed(place)
    if message.sender.id != account.id:
        raise Refusal("forbidden", "you can edit only your own messages", path="message")
    _refuse_deleted(message)
    if message.kind == "system" and not edit.notices:
        raise Refusal("forbidden", f"system messages need the permission {NOTIFY}", path="message")
    if not edit.text and message.kind == "text":
        raise Refusal("invalid", "text is missing; to remove a message, delete it", path="text")
    if edit.text != message.text:
        _check_not_too_late(reader, place, message, edit)
    return place, message


def _check_not_too_late(reader: Querying, place: Place, message: Message, edit: Edit) -> None:
    (posted_at,) = reader.execute(
        "SELECT at FROM messages WHERE conversation = ? AND seq = ?", (place.key, message.seq)
    ).fetchone()
    if edit.minutes and now_ms() > posted_at + edit.minutes * 60_000:
        raise Refusal("forbidden", f"a message can be edited for {counted(edit.minutes, 'minute')}", path="message")
    if edit.most and (message.edits or 0) >= edit.most:
        raise Refusal("too_large", f"a message can be edited {counted(edit.most, 'time')}", path="message")


def edit(tx: Transaction, account: Account, edit: Edit) -> Message:
    """Edit the user's own message; the previous version is kept. The same text and buttons change nothing. Mentions
    stay. Other buttons alone are no version. Raises `Refusal`.
    """
    place, message = access_to_edit(tx, account, edit)
    content = buttons.as_content(account, message.kind, edit.actions or ())
    has_new_text, has_new_buttons = edit.text != message.text, buttons.differ(message, edit.actions)
    if has_new_text:
        _add_version(tx, place, message, edit.text)
    if has_new_buttons:
        buttons.replace(tx, place, message.seq, content)
    if not (has_new_text or has_new_buttons):
        return messages.enrich(tx, [message], account)[0]
    return _record_change(tx, place, message.seq, MessageEdited, account)


def _add_version(tx: Transaction, place: Place, message: Message, text: str) -> None:
    version = (message.edits or 0) + 1
    tx.execute(
        "INSERT INTO message_edits (conversation, seq, version, text, at) "
        "SELECT conversation, seq, ?, text, coalesce(edited_at, at) FROM messages WHERE conversation = ? AND seq = ?",
        (version, place.key, message.seq),
    )
    tx.execute(
        "UPDATE messages SET text = ?, edits = ?, edited_at = ? WHERE conversation = ? AND seq = ?",
        (text, version, tx.now, place.key, message.seq),
    )


def change_files(tx: Transaction, place: Place, seq: int, files: Sequence[Media], by: Account) -> Message:
    """Replace the files of a message, for a plugin that stores them; members are notified with `message.edited`.

    The text and its versions stay, as do `edits` and `edited_at`. Without files the message becomes one of kind text.
    The caller checks whether `by` may do this. Raises `Refusal`: `gone` for a deleted message, `invalid` for one that
    has no files, and for one without text that would be left without files.
    """
    message = messages.at_seq(tx, place.key, seq)
    if message is None:
        raise messages.no_such_message()
    _refuse_deleted(message)
    if message.files is None:
        raise Refusal("invalid", "this message has no files", path="message")
    if not files and not message.text:
        raise Refusal("invalid", "without this file the message is empty; delete the message instead", path="message")
    tx.execute(
        "UPDATE messages SET kind = ?, content = ? WHERE conversation = ? AND seq = ?",
        (message.kind if files else "text", messages.written_content([*files] or None), place.key, seq),
    )
    return _record_change(tx, place, seq, MessageEdited, by)


def editions(reader: Reader, account: Account, id: str, *, moderates: bool) -> list[Edition]:
    """Everything that a message said, from what was posted to what it says now.

    With `moderates` also of one that was reported: editing it does not hide what was reported. Raises `Refusal`.
    """
    place, message = _access_or_reported(reader, account, id, moderates)
    rows = reader.execute(
        "SELECT version, text, at FROM message_edits WHERE conversation = ? AND seq = ? ORDER BY version",
        (place.key, message.seq),
    )
    found = [Edition(version, text, rfc3339(at)) for version, text, at in rows]
    return [*found, Edition(len(found) + 1, message.text, message.edited_at or message.at)]


def delete(tx: Transaction, account: Account, id: str, reason: DeletedReason, *, moderates: bool) -> Message:
    """Delete a message for all: its place stays, what it said is gone, with every earlier version.

    One's own; in a group also those of people of lower rank; with `moderates` any that one may see or that was
    reported. Deleting twice changes nothing. Raises `Refusal`.
    """
    place, message = access_to_delete(tx, account, id, moderates=moderates)
    own = message.sender.id == account.id
    if own and reason != "user_request":
        raise Refusal("invalid", "your own message is deleted at your own request", path="reason")
    if not own and reason == "user_request":
        raise Refusal("invalid", "give a reason: moderation, abuse or spam", path="reason")
    if message.deleted_at is not None:
        return messages.enrich(tx, [message], account)[0]
    erase_text(tx, place.key, message.seq, reason, account.key)
    if not own:
        audit.record(tx, account, "messages.delete", id, reason=reason, sender=message.sender.id)
    return _record_change(tx, place, message.seq, MessageDeleted, account)


def _access_or_reported(reader: Querying, account: Account, id: str, moderates: bool) -> tuple[Place, Message]:
    try:
        return messages.access(reader, account, id)
    except Refusal:
        reported = reader.execute(
            "SELECT m.key, m.conversation FROM messages m JOIN reports r ON r.message = m.key WHERE m.id = ?", (id,)
        ).fetchone()
        if not moderates or reported is None:
            raise
        return conversations.as_moderator(reader, reported[1]), messages.by_key(reader, reported[0])


def access_to_delete(tx: Transaction, account: Account, id: str, *, moderates: bool) -> tuple[Place, Message]:
    """A message by id, for users who may delete it: see `delete`. It may be deleted already. Raises `Refusal`."""
    place, message = _access_or_reported(tx, account, id, moderates)
    if message.sender.id == account.id or moderates or _outranks(tx, place, message):
        return place, message
    raise Refusal(
        "forbidden", "you can delete only your own messages, or those of a lower rank in a group", path="message"
    )


def _outranks(tx: Transaction, place: Place, message: Message) -> bool:
    """Whether the participant may work on what the sender wrote; who has left has no rank."""
    (sender,) = tx.execute(
        "SELECT sender FROM messages WHERE conversation = ? AND seq = ?", (place.key, message.seq)
    ).fetchone()
    role = conversations.member_role(tx, place.key, sender) or "member"
    return place.kind == "group" and RANK[place.role] > RANK[role]


def erase_text(
    tx: Transaction, conversation: int, seq: int, reason: DeletedReason, by: int | None, *, at: int | None = None
) -> None:
    """Make a tombstone of a message: everything it said goes. Tells nobody. `at` is when, if not now."""
    tx.execute(
        "UPDATE messages SET text = '', content = NULL, metadata = NULL, sent = NULL, edits = 0, edited_at = NULL, "
        "pinned_at = NULL, pinned_by = NULL, deleted_at = ?, deleted_by = ?, deleted_reason = ? "
        "WHERE conversation = ? AND seq = ?",
        (tx.now if at is None else at, by, reason, conversation, seq),
    )
    tx.execute("DELETE FROM message_edits WHERE conversation = ? AND seq = ?", (conversation, seq))
    mentions.remove(tx, conversation, seq)
    for table in additions(tx).tables:
        if table.message is not None:
            tx.execute(
                f"DELETE FROM {table.name} WHERE {table.message} = "  # noqa: S608 -- the plugin's own names
                "(SELECT key FROM messages WHERE conversation = ? AND seq = ?)",
                (conversation, seq),
            )
    tx.execute("UPDATE conversations SET messages = messages - 1 WHERE key = ?", (conversation,))


def pin(tx: Transaction, account: Account, id: str, most: int) -> Message:
    """Pin a message for everyone: in a group by its owner and admins. `most` is per conversation.

    Raises `Refusal`; pinning twice changes nothing.
    """
    place, message = _access_to_pin(tx, account, id)
    if message.pinned_at is not None:
        return messages.enrich(tx, [message], account)[0]
    _refuse_deleted(message)
    _check_room_for_pin(tx, place, most)
    return _set_pin(tx, place, message, account, (tx.now, account.key))


def unpin(tx: Transaction, account: Account, id: str) -> Message:
    """Unpin a message for everyone. Raises `Refusal` as `pin` does; one that is not pinned stays as it is."""
    place, message = _access_to_pin(tx, account, id)
    if message.pinned_at is None:
        return messages.enrich(tx, [message], account)[0]
    return _set_pin(tx, place, message, account, (None, None))


def _access_to_pin(tx: Transaction, account: Account, id: str) -> tuple[Place, Message]:
    place, message = messages.access(tx, account, id)
    conversations.refuse_closed(place)
    if place.kind == "group":
        conversations.access_to_manage(tx, account, place.id)
    return place, message


def _set_pin(
    tx: Transaction, place: Place, message: Message, account: Account, pinned: tuple[int | None, int | None]
) -> Message:
    """`pinned` is when it was pinned, and by which person's key."""
    tx.execute(
        "UPDATE messages SET pinned_at = ?, pinned_by = ? WHERE conversation = ? AND seq = ?",
        (*pinned, place.key, message.seq),
    )
    return _record_change(tx, place, message.seq, MessagePinned, account)


def _check_room_for_pin(tx: Transaction, place: Place, most: int) -> None:
    (count,) = tx.execute(
        "SELECT count(*) FROM messages WHERE conversation = ? AND pinned_at IS NOT NULL", (place.key,)
    ).fetchone()
    if most and count >= most:
        why = f"a conversation has at most {counted(most, 'pinned message')}; unpin one"
        raise Refusal("too_large", why, path="message")


def _refuse_deleted(message: Message) -> None:
    if message.deleted_at is not None:
        raise Refusal("gone", "this message was deleted", path="message")


def _record_change(tx: Transaction, place: Place, seq: int, event: type[_CHANGED], by: Account) -> Message:
    message = messages.at_seq(tx, place.key, seq)
    assert message is not None
    shown = attrs.evolve(message)
    messages.enrich(tx, [message], None)  # the event is one for all who hear it, and the reply is for `by`
    conversations.record_about_message(tx, place, seq, event(place.id, message), by)
    return messages.enrich(tx, [shown], by)[0]


TABLES = (
    CoreTable(
        "message_edits",
        lines=(
            "edit",
            "SELECT m.id AS message, e.version, e.text, e.at FROM message_edits e JOIN messages m ON "
            "m.conversation = e.conversation AND m.seq = e.seq ORDER BY m.key, e.version",
        ),
        removed="DELETE FROM message_edits WHERE conversation = :conversation AND seq <= :upto",
    ),
)
