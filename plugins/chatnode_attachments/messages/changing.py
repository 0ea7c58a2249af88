"""Files after they were posted: copying one to post it again, removing one from its message, lists of them."""

from __future__ import annotations

from typing import Any

from chatnode.api import (
    Account,
    Context,
    Message,
    Querying,
    Refusal,
    Transaction,
    access_conversation,
    access_message,
    access_to_delete_message,
    change_files,
    may_see_message,
    new_id,
)
from chatnode_attachments.messages.shown import attachments
from chatnode_attachments.model import AttachmentPage, ListAttachments
from chatnode_attachments.settings import MIB, AttachmentsSettings
from chatnode_attachments.store.files import FILE, FILES, find_file
from chatnode_attachments.store.quotas import usage_of
from chatnode_attachments.store.rows import FileRow


def copy(tx: Transaction, person: Account, row: FileRow, settings: AttachmentsSettings) -> FileRow:
    """A file of the user's own with the same content, not posted yet. It counts for their quota like an upload.

    The caller has judged that they may have the file. Raises `Refusal("too_large")`.
    """
    room = settings.person_mib * MIB - sum(usage_of(tx, person.key))
    if settings.person_mib and row.bytes > room:
        what = f"your files may have {settings.person_mib} MiB in all; {max(room, 0) / MIB:.1f} MiB are left"
        raise Refusal("too_large", what, path="file")
    id = new_id()
    tx.execute(
        "INSERT INTO attachments_files (id, blob, uploader, name, category, voice, created_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (id, row.blob, person.key, row.name, row.category, row.voice, tx.now),
    )
    copied = find_file(tx, id)
    assert copied is not None
    return copied


def remove(tx: Transaction, ctx: Context, message: str, file: str, *, moderates: bool) -> Message:
    """Remove a file from a message, for those who may delete the message. Again changes nothing.

    Its name goes at once, its bytes soon. Raises `Refusal`: `not_found`, `forbidden` and `gone` for the message as for
    deleting it, `not_found` for a file that it does not have, `invalid` for all that it has.
    """
    place, found = access_to_delete_message(tx, ctx.me, message, moderates=moderates)
    if found.deleted_at is not None:
        raise Refusal("gone", "this message was deleted", path="message")
    row = find_file(tx, file)
    if row is None or not _is_in(tx, row, message):
        raise Refusal("not_found", "this message does not have this file", path="file")
    if row.removed_at is not None:
        return found
    # First, because members are notified with what this plugin adds to the message.
    tx.execute("UPDATE attachments_files SET removed_at = ?, name = '' WHERE key = ?", (tx.now, row.key))
    kept = [each for each in found.files or [] if each.file != file]
    changed = change_files(tx, place, found.seq, kept, ctx.me)
    if found.sender.id != ctx.me.id:
        ctx.audit(tx, "remove", file, message=message, sender=found.sender.id)
    return changed


def _is_in(reader: Querying, row: FileRow, message: str) -> bool:
    found = reader.execute("SELECT 1 FROM messages WHERE key = ? AND id = ?", (row.message, message)).fetchone()
    return found is not None


# ---- lists


def page(reader: Querying, person: Account, asked: ListAttachments, limit: int) -> AttachmentPage:
    """A page of files that the user may see, newest first. Raises `Refusal` for a message or conversation that they may
    not see."""
    where, values = _which(reader, person, asked)
    values |= {"me": person.key, "limit": limit + 1, "after": asked.after, "category": asked.category}
    rows = reader.execute(
        f"SELECT {FILE} FROM {FILES} WHERE {where} AND f.removed_at IS NULL AND f.used_by IS NULL "  # noqa: S608
        "AND (:after IS NULL OR f.key < :after) AND (:category IS NULL OR f.category = :category) "
        "ORDER BY f.key DESC LIMIT :limit",
        values,
    ).fetchall()
    found = [FileRow(*row) for row in rows[:limit]]
    return AttachmentPage(attachments(reader, found), found[-1].key if len(rows) > limit else None)


def _which(reader: Querying, person: Account, asked: ListAttachments) -> tuple[str, dict[str, Any]]:
    """SQL: the files that are asked for, as far as the user may see them."""
    if asked.message is not None:
        access_message(reader, person, asked.message)
        return "f.message = (SELECT key FROM messages WHERE id = :message)", {"message": asked.message}
    if asked.conversation is not None:
        place = access_conversation(reader, person, asked.conversation)
        seen = f"EXISTS (SELECT 1 FROM messages m WHERE m.key = f.message AND {may_see_message('m')})"  # noqa: S608
        return f"f.conversation = :conversation AND {seen}", {"conversation": place.key}
    return "f.uploader = :me", {}
