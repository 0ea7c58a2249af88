"""Deletes the files of exports that are old, or that nobody may have any more."""

from __future__ import annotations

import trio

from chatnode.api import HOUR_MS, Context, Task, counted, now_ms
from chatnode_crm.exports import stored
from chatnode_crm.exports.files import delete_unwanted, directory
from chatnode_crm.settings import CrmSettings


async def clean(ctx: Context) -> str | None:
    """Delete what is due; returns what was done, or None."""
    before = now_ms() - int(ctx.settings(CrmSettings).export_hours * HOUR_MS)
    if await ctx.read(lambda reader: stored.any_old(reader, before)):
        await ctx.write(lambda tx: stored.remove_old(tx, before))
    files, size = await delete_files(ctx)
    return f"deleted {counted(files, 'file')} of exports, {size} bytes" if files else None


async def delete_files(ctx: Context) -> tuple[int, int]:
    """Delete the files that no export has any more; returns how many, and their bytes."""
    place = directory(ctx)
    there = await trio.to_thread.run_sync(lambda: list(place.iterdir()))  # before asking which of them are wanted
    if not there:
        return 0, 0
    wanted = await ctx.read(stored.with_files)
    return await trio.to_thread.run_sync(delete_unwanted, there, wanted)


UPKEEP = Task("exports", clean, every=60.0)
