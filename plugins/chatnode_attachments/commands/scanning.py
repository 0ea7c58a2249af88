"""Quarantine, and scanning again."""

from __future__ import annotations

from functools import partial

from chatnode.api import MODERATE, OPERATE, Context, Nothing, Querying, Refusal, Transaction, command, now_ms
from chatnode_attachments.model import QuarantineFile, ReleaseFile, RescanFiles, Rescanning
from chatnode_attachments.scanning import contents, telling
from chatnode_attachments.scanning.scans import scan_all_again
from chatnode_attachments.state import Attachments
from chatnode_attachments.store.files import find_file
from chatnode_attachments.store.rows import FileRow


@command("attachments.quarantine", permission=MODERATE, repeatable=True)
async def quarantine(ctx: Context, asked: QuarantineFile) -> Nothing:
    """Withdraw a file: nobody can fetch it until it is released. Doing so again changes nothing."""
    return await _set_quarantine(ctx, asked.file, True, reason=asked.reason.strip() or None)


@command("attachments.release", permission=MODERATE, repeatable=True)
async def release(ctx: Context, asked: ReleaseFile) -> Nothing:
    """Release a file from quarantine. Doing so again changes nothing. What the virus scanner found stays removed."""
    return await _set_quarantine(ctx, asked.file, False)


async def _set_quarantine(ctx: Context, id: str, quarantined: bool, *, reason: str | None = None) -> Nothing:
    def write(tx: Transaction) -> Nothing:
        file = _find(tx, id)
        if bool(file.quarantined) != quarantined:
            tx.execute("UPDATE attachments_files SET quarantined = ? WHERE key = ?", (int(quarantined), file.key))
            ctx.audit(tx, "quarantine" if quarantined else "release", id, reason=reason)
            if file.message is not None:
                telling.tell_changed(tx, file.message)
        return Nothing()

    return await ctx.write(write, repeatable=True)


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
