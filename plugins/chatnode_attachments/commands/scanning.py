"""Quarantine, and scanning again."""

from __future__ import annotations

from functools import partial

from chatnode.api import MODERATE, OPERATE, Context, Nothing, Querying, Refusal, Transaction, command, now_ms
from chatnode_attachments.model import QuarantineFile, ReleaseFile, RescanFiles, Rescanning
from chatnode_attachments.scanning import contents, notifying
from chatnode_attachments.scanning.scans import scan_all_again
from chatnode_attachments.state import Attachments
from chatnode_attachments.store.files import find_file
from chatnode_attachments.store.rows import FileRow


@command("attachments.quarantine", permission=MODERATE, repeatable=True)
async def quarantine(ctx: Context, asked: QuarantineFile) -> Nothing:
    """Withdraw a file, and all files with the same content, even if uploaded later: nobody can fetch them until they
    are released. Doing so again changes nothing."""
    return await _set_quarantine(ctx, asked.file, True, reason=asked.reason.strip() or None)


@command("attachments.release", permission=MODERATE, repeatable=True)
async def release(ctx: Context, asked: ReleaseFile) -> Nothing:
    """Release a file, and all files with the same content, from quarantine. Doing so again changes nothing. What the
    virus scanner found stays removed."""
    return await _set_quarantine(ctx, asked.file, False)


async def _set_quarantine(ctx: Context, id: str, quarantined: bool, *, reason: str | None = None) -> Nothing:
    def write(tx: Transaction) -> tuple[int, int | None]:
        file = _find(tx, id)
        if bool(file.quarantined) == quarantined:
            return file.blob, None
        tx.execute("UPDATE attachments_blobs SET quarantined = ? WHERE key = ?", (int(quarantined), file.blob))
        ctx.audit(tx, "quarantine" if quarantined else "release", id, reason=reason)
        return file.blob, notifying.notify_all(tx, file.blob, 0, infected=False)

    content, after = await ctx.write(write, repeatable=True)
    while after is not None:
        more = partial(notifying.notify_all, content=content, after=after, infected=False)
        after = await ctx.write(more, repeatable=True)
    return Nothing()


@command("attachments.rescan", permission=MODERATE, repeatable=True)
async def rescan(ctx: Context, asked: RescanFiles) -> Rescanning:
    """Scan a file again, or all of them, which takes the permission `operate`.

    A file that was found safe can be fetched meanwhile. What was unsafe is gone; if the same content is uploaded again
    after this, it is scanned instead of being refused at once.
    """
    scans = ctx.state(Attachments).scans
    if not scans.on:
        raise Refusal("conflict", "files are not scanned on this node; the setting `clamd` is empty")
    if asked.file is None:
        ctx.check(OPERATE)
        count = await scan_all_again(ctx, now_ms())
        await ctx.write(lambda tx: ctx.audit(tx, "rescan", contents=count), repeatable=True)
    else:
        count = await ctx.write(partial(_scan_one_again, ctx, asked.file), repeatable=True)
    scans.wake()
    return Rescanning(count)


def _scan_one_again(ctx: Context, id: str, tx: Transaction) -> int:
    contents.scan_again(tx, [_find(tx, id).blob])
    ctx.audit(tx, "rescan", id)
    return 1


def _find(reader: Querying, id: str) -> FileRow:
    file = find_file(reader, id)
    if file is None or file.removed_at is not None:
        raise Refusal("not_found", "no such file", path="file")
    return file


COMMANDS = (quarantine, release, rescan)
