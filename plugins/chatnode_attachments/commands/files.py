"""Files that were uploaded: looking at them, copying and removing them."""

from __future__ import annotations

from chatnode.api import CHAT, MODERATE, Context, Querying, Refusal, Transaction, command
from chatnode_attachments.messages import changing
from chatnode_attachments.messages.shown import attachment
from chatnode_attachments.model import (
    Attachment,
    AttachmentPage,
    AttachmentRemoved,
    AttachmentReply,
    CopyAttachment,
    GetAttachment,
    ListAttachments,
    RemoveAttachment,
)
from chatnode_attachments.permissions import UPLOAD
from chatnode_attachments.serving.access import FILE, judge, may_see_file, no_such_file, permitted
from chatnode_attachments.settings import AttachmentsSettings
from chatnode_attachments.state import Attachments
from chatnode_attachments.store.files import find_file


@command("attachments.list", permission=CHAT, reads=True)
async def list_page(ctx: Context, asked: ListAttachments) -> AttachmentPage:
    """List the files of a message or a conversation that you may see, or those that you uploaded, newest first.

    To filter and sort: `items.query` of `message_attachments`.
    """
    if asked.message is not None and asked.conversation is not None:
        raise Refusal("invalid", "give either a message or a conversation", path="conversation")
    limit = ctx.page_size(asked.limit)
    return await ctx.read(lambda reader: changing.page(reader, ctx.me, asked, limit))


@command("attachments.get", permission=CHAT, reads=True)
async def get(ctx: Context, asked: GetAttachment) -> AttachmentReply:
    """Metadata of a file, whether or not it was scanned yet."""

    def look_up(reader: Querying) -> Attachment:
        row = find_file(reader, asked.file)
        if row is None or not may_see_file(reader, ctx.me, row):
            raise no_such_file()
        if row.removed_at is not None:
            raise Refusal("gone", "the file was removed", path="file")
        return attachment(reader, row)

    return AttachmentReply(await ctx.read(look_up))


@command("attachments.copy", permission=UPLOAD)
async def copy(ctx: Context, asked: CopyAttachment) -> AttachmentReply:
    """Copy a file that you may fetch, to post it in another message. The copy counts for your quota, and stays if the
    original is removed.

    Each call makes another copy; one that is not posted is removed after a while, like an upload.
    """
    me, state, settings = ctx.me, ctx.state(Attachments), ctx.settings(AttachmentsSettings)
    await permitted(ctx, me, asked.file, FILE)  # other plugins are asked too

    def write(tx: Transaction) -> Attachment:
        row = judge(tx, me, find_file(tx, asked.file), state)
        return attachment(tx, changing.copy(tx, me, row, settings))

    return AttachmentReply(await ctx.write(write))


@command("attachments.remove", permission=CHAT, repeatable=True)
async def remove(ctx: Context, asked: RemoveAttachment) -> AttachmentRemoved:
    """Remove a file from a message that you may delete. Its bytes are removed from the node unless another file has the
    same content.

    If nothing is left of the message without it, delete the message instead. Doing so again changes nothing.
    """
    moderates = ctx.may(MODERATE)
    message = await ctx.write(
        lambda tx: changing.remove(tx, ctx, asked.message, asked.file, moderates=moderates), repeatable=True
    )
    ctx.wake("collect")
    return AttachmentRemoved(message)


COMMANDS = (list_page, get, copy, remove)
