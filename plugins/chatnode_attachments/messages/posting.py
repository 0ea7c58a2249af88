"""Posting files: which ones a user may post, and binding them to the message.

Access is decided when a draft is prepared, and what was decided is made sure of in the transaction of the post. So of
two posts that race for a file one is refused, and a message never exists without its files.
"""

from __future__ import annotations

import re
from typing import Any, cast

from chatnode.api import (
    HOUR_MS,
    Change,
    Context,
    Draft,
    FileRef,
    Media,
    MessagePosted,
    Querying,
    Refusal,
    Transaction,
    hookimpl,
    message_id,
    only_for,
)
from chatnode_attachments.scanning.notifying import notify_changed, thumbnails
from chatnode_attachments.scanning.verdicts import ScannerNow, refuse_unless_servable, servable
from chatnode_attachments.settings import AttachmentsSettings
from chatnode_attachments.state import Attachments
from chatnode_attachments.store.files import find_file
from chatnode_attachments.store.rows import FileRow

_ID = re.compile(r"[0-9a-f]{32}")
LONGEST_VOICE_MS = HOUR_MS


def _posts_files(draft: Draft) -> bool:
    """An edit changes no files."""
    return bool(draft.files) and draft.edits is None


def has_files(event: MessagePosted) -> bool:
    return bool(event.message.files)


@hookimpl
@only_for(when=_posts_files)
async def prepare_draft(ctx: Context, draft: Draft) -> None:
    """Replace what the client says of each file by what the node knows. Raises `Refusal` at the file's place."""
    external = ctx.settings(AttachmentsSettings).external_files
    scanner, person = ctx.state(Attachments).scanner, ctx.me.key
    message = message_id(draft.sender, draft.cid)

    def look_up(reader: Querying) -> list[FileRef | Media]:
        found: list[FileRef | Media] = []
        for place, ref in enumerate(draft.files):
            path = f"files.{place}"
            if _ID.fullmatch(ref.file):
                row = _postable(reader, ref.file, person, message, path)
                _refuse_if_gone(row, scanner, path)
                found.append(_media(reader, row, ref, scanner, path))
            elif external:
                found.append(ref)
            else:
                raise Refusal("invalid", "upload the file and post its id; addresses are not accepted", path=path)
        return found

    draft.files = await ctx.read(look_up)
    if draft.kind == "image":
        _refuse_without_picture(draft.files)


def _postable(reader: Querying, id: str, person: int, message: str, path: str) -> FileRow:
    """The user's own file, if no message has it, or only the one that is being sent again."""
    row = find_file(reader, id)
    if row is None or row.uploader != person or row.removed_at is not None or row.used_by is not None:
        raise Refusal("invalid", "you have no file with this id; upload it again", path=path)
    if row.message is not None:
        _refuse_if_posted(reader, row.message, message, path)
    return row


def _refuse_if_posted(reader: Querying, key: int, message: str, path: str) -> None:
    same = reader.execute("SELECT 1 FROM messages WHERE key = ? AND id = ?", (key, message)).fetchone()
    if same is None:
        raise Refusal("invalid", "another message has this file; use attachments.copy to post it again", path=path)


def _refuse_if_gone(row: FileRow, scanner: ScannerNow, path: str) -> None:
    """Raises `Refusal("gone")` for a file that will never be served; one that waits for its scan may be posted."""
    if servable(row, scanner) == "gone":
        refuse_unless_servable(row, scanner, path)


def _media(reader: Querying, row: FileRow, ref: FileRef | Media, scanner: ScannerNow, path: str) -> Media:
    """What the node knows; of sound and video the client knows the length and the size of the picture."""
    media = Media(
        row.id, row.name, row.type, row.bytes, row.width, row.height, category=cast("Any", row.category),
        sha256=row.sha256.hex(), duration_ms=row.duration_ms, placeholder=row.placeholder,
        thumbs=thumbnails(reader, row.blob) or None,
        scan="pending" if servable(row, scanner) == "pending" else None,
    )  # fmt: skip
    if row.category in ("video", "audio"):
        media.duration_ms = row.duration_ms or ref.duration_ms
    if row.category == "video" and row.width is None:
        media.width, media.height = ref.width, ref.height
    if ref.voice or row.voice:
        _refuse_unless_recording(media, path)
        media.voice, media.waveform = True, ref.waveform
    return media


def _refuse_unless_recording(media: Media, path: str) -> None:
    if media.category != "audio":
        raise Refusal("invalid", f"a recording is sound, and this file is {media.type}", path=f"{path}.voice")
    if media.duration_ms is None:
        raise Refusal("invalid", "say how long the recording is", path=f"{path}.duration_ms")
    if media.duration_ms > LONGEST_VOICE_MS:
        raise Refusal("invalid", "a recording has at most one hour; post it as a file", path=f"{path}.duration_ms")


def _refuse_without_picture(files: list[FileRef | Media]) -> None:
    for place, each in enumerate(files):
        if isinstance(each, Media) and (each.category != "image" or each.width is None):
            what = "this is not a picture that the node can show; post it in a message of kind file"
            raise Refusal("invalid", what, path=f"files.{place}")


_BIND = (
    "UPDATE attachments_files SET message = ?, conversation = ?, position = ?, voice = ? "
    "WHERE id = ? AND uploader = ? AND message IS NULL AND removed_at IS NULL AND used_by IS NULL"
)


def bind_files(tx: Transaction, change: Change) -> None:
    """Bind the files to the message that was just stored. Raises `Refusal("conflict")`, which undoes the post, if one
    was posted, removed or collected in the meantime."""
    assert isinstance(change.event, MessagePosted)
    (message,) = tx.execute(
        "SELECT key FROM messages WHERE conversation = ? AND seq = ?", (change.conversation, change.subject)
    ).fetchone()
    files = change.event.message.files or []
    for position, each in enumerate(files):
        if not _ID.fullmatch(each.file):
            continue  # an address, which `prepare_draft` let through
        bound = tx.execute(
            _BIND, (message, change.conversation, position, int(bool(each.voice)), each.file, change.actor)
        )
        if bound.rowcount != 1:
            raise Refusal("conflict", "this file was posted or removed meanwhile", path=f"files.{position}")
    if any(each.scan for each in files):
        _tell_of_finished_scans(tx, message)


def _tell_of_finished_scans(tx: Transaction, message: int) -> None:
    """A scan that ended between preparing and posting found no message to record its end for."""
    finished = tx.execute(
        "SELECT 1 FROM attachments_files f JOIN attachments_blobs b ON b.key = f.blob "
        "WHERE f.message = ? AND b.scan IN ('safe', 'unsafe') LIMIT 1",
        (message,),
    ).fetchone()
    if finished is not None:
        notify_changed(tx, message)
