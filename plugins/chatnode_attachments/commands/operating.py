"""Checking, collecting and finding files on the disk, for operators."""

from __future__ import annotations

from chatnode.api import OPERATE, Context, Reader, Refusal, command, find_person
from chatnode_attachments.model import (
    AttachmentsChecked,
    AttachmentsCollected,
    CheckAttachments,
    CollectAttachments,
    ListStored,
    StoredAttachment,
    StoredAttachments,
)
from chatnode_attachments.state import Attachments
from chatnode_attachments.store.checking import MOST, problems, repair_all
from chatnode_attachments.store.sweeping import sweep


@command("attachments.check", permission=OPERATE)
async def check(ctx: Context, asked: CheckAttachments) -> AttachmentsChecked:
    """Compare the tables with the files on disk, and repair the tables if asked."""
    here = ctx.state(Attachments)
    layout = here.layout
    found = await ctx.query(lambda reader: list(problems(reader, layout, deep=asked.deep)), seconds=0)
    repaired = await repair_all(ctx, found, here.scans.changed) if asked.repair else 0
    lines = [each.line for each in found[:MOST]]
    if len(found) > MOST:
        lines.append(f"and {len(found) - MOST} more")
    return AttachmentsChecked(lines, repaired)


@command("attachments.collect", permission=OPERATE)
async def collect(ctx: Context, asked: CollectAttachments) -> AttachmentsCollected:
    """Remove expired and unused files now."""
    here = ctx.state(Attachments)
    done = await here.collector.collect(ctx)
    swept = await sweep(ctx, here.layout, here.store.run) if asked.sweep else []
    return AttachmentsCollected(done.uploads, done.files, done.unlinked, done.bytes, done.left, len(swept))


@command("attachments.stored", permission=OPERATE, reads=True)
async def list_stored(ctx: Context, asked: ListStored) -> StoredAttachments:
    """A user's files and where they are on the node's disk; only on the command line."""
    if not ctx.operator:
        raise Refusal("forbidden", "only the operator can do this, on the command line")
    layout, limit = ctx.state(Attachments).layout, ctx.page_size(asked.limit)

    def read(reader: Reader) -> StoredAttachments:
        rows = reader.execute(
            "SELECT f.key, f.id, f.name, b.name, b.bytes FROM attachments_files f JOIN attachments_blobs b "
            "ON b.key = f.blob WHERE f.uploader = ? AND f.key > ? AND f.removed_at IS NULL AND b.place = 'local' "
            "ORDER BY f.key LIMIT ?",
            (find_person(reader, asked.person).key, asked.after, limit),
        ).fetchall()
        files = [StoredAttachment(id, name, str(layout.blob(blob)), size) for _, id, name, blob, size in rows]
        return StoredAttachments(files, rows[-1][0] if len(rows) == limit else None)

    return await ctx.read(read)


COMMANDS = (check, collect, list_stored)
