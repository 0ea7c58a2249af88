"""Pictures of people and groups: 256 pixels square, made from an uploaded picture and served by the node alone.

The node has the address, in the profile or the group. The file is the plugin's: one without a message, which says in
`used_by` what it is. That of a group has its `conversation`. A file whose address is not in use any more is removed in
the transaction that changed the address, no matter which user or command did.
"""

from __future__ import annotations

import os
from pathlib import Path

from chatnode.api import (
    Change,
    Context,
    ConversationUpdated,
    PersonUpdated,
    Querying,
    Refusal,
    Transaction,
    access_to_manage,
    new_id,
    set_group_avatar,
    set_person_avatar,
)
from chatnode_attachments.images.prepared import SquarePicture
from chatnode_attachments.serving.access import no_such_file, refuse_unserved
from chatnode_attachments.state import Attachments
from chatnode_attachments.store.adding import Stored, add_own
from chatnode_attachments.store.content import Content
from chatnode_attachments.store.files import find_file
from chatnode_attachments.store.layout import Layout, move
from chatnode_attachments.store.rows import FileRow
from chatnode_attachments.store.sink import digest_of

SIDE = 256
USE = "attachments.avatar"
"""The `used_by` of these files."""
ROUTE = "avatars"
_ADDRESS = f"/plugins/attachments/{ROUTE}/"


async def set_avatar(ctx: Context, file: str, conversation: str | None) -> str:
    """Make a picture of the requester, or of a group that they manage, from a file that they uploaded.

    Returns its address, which is a new one each time. The uploaded file stays as it is. Raises `Refusal`.
    """
    state = ctx.state(Attachments)
    source = await ctx.read(lambda reader: _source(ctx, reader, file, conversation))
    refuse_unserved(source, state)
    try:
        square = await state.images.make_square(state.layout.blob(source.blob_name), SIDE)
    except FileNotFoundError:
        raise Refusal("gone", "the file is missing on the node", path="file") from None
    if square is None:
        raise Refusal("invalid", "is not a picture that the node can decode", path="file")
    stored = await state.store.run(lambda: _store(square, state.layout))

    def write(tx: Transaction) -> str:
        place = None if conversation is None else access_to_manage(tx, ctx.me, conversation)
        id = add_own(
            tx, stored, scan=state.scans.on, uploader=ctx.me.key, name="avatar.webp", used_by=USE,
            conversation=None if place is None else place.key,
        )  # fmt: skip
        address = _ADDRESS + id
        if place is None:
            set_person_avatar(tx, ctx.me, address)
        else:
            set_group_avatar(tx, place.key, address, ctx.me)
        return address

    return await ctx.write(write)


def _source(ctx: Context, reader: Querying, file: str, conversation: str | None) -> FileRow:
    if conversation is not None:
        access_to_manage(reader, ctx.me, conversation)
    row = find_file(reader, file)
    if row is None or row.uploader != ctx.me.key or row.used_by is not None:
        raise no_such_file()
    return row


def _store(square: SquarePicture, layout: Layout) -> Stored:
    """Put the picture on disk under a name of its own. If a kill leaves it without a row, it is swept later."""
    descriptor = os.open(square.path, os.O_RDONLY)
    try:
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
    sha256, size, name = digest_of(square.path), square.path.stat().st_size, new_id()
    path: Path = layout.blob(name)
    move(square.path, path)
    content = Content(path, sha256, size, "image/webp", "image", "done", square.side, square.side)
    return Stored(name, content, (), leftover=False, lost=None)


def follow(tx: Transaction, change: Change) -> None:
    """Remove the files whose address is not in use any more; those that an erased user gave to groups, too."""
    event = change.event
    if isinstance(event, PersonUpdated):
        if event.person.erased:
            _leave_groups(tx, change.subject)
        _remove(tx, "uploader = ? AND conversation IS NULL", change.subject, event.person.avatar)
    elif isinstance(event, ConversationUpdated) and change.conversation is not None:
        _remove(tx, "conversation = ?", change.conversation, event.details.avatar)


def _remove(tx: Transaction, condition: str, key: int, current: str | None) -> None:
    """`current` is the address that is in use."""
    tx.execute(
        f"DELETE FROM attachments_files WHERE used_by = ? AND {condition} AND id <> ?",  # noqa: S608 -- constants
        (USE, key, (current or "").removeprefix(_ADDRESS)),
    )


def _leave_groups(tx: Transaction, person: int) -> None:
    rows = tx.execute(
        "SELECT conversation FROM attachments_files WHERE used_by = ? AND uploader = ? AND conversation IS NOT NULL",
        (USE, person),
    )
    for (conversation,) in rows.fetchall():
        set_group_avatar(tx, conversation, None, None)
        _remove(tx, "conversation = ?", conversation, None)
