"""The plugin's own work, in the background."""

from __future__ import annotations

from collections.abc import Sequence

from chatnode.api import Consumer, Context, Row, Task, counted, now_ms
from chatnode_attachments.scanning.scans import scan_all_again
from chatnode_attachments.settings import AttachmentsSettings
from chatnode_attachments.state import Attachments
from chatnode_attachments.store.sweeping import DAY_SECONDS, sweep


async def collect(ctx: Context) -> str | None:
    """Remove what nobody refers to any more."""
    done = await ctx.state(Attachments).collector.collect(ctx)
    return str(done) if done.unlinked or done.uploads or done.files else None


async def finish(ctx: Context) -> str | None:
    """Finish what has all its bytes, where the node was killed before it could."""
    done = await ctx.state(Attachments).store.finish_waiting(ctx)
    return f"finished {counted(done, 'upload')}" if done else None


async def remove_strays(ctx: Context) -> str | None:
    """Remove files that no row knows of."""
    here = ctx.state(Attachments)
    swept = await sweep(ctx, here.layout, here.store.run)
    size = sum(each.bytes for each in swept)
    return f"removed {counted(len(swept), 'stray file')} of {counted(size, 'byte')}" if swept else None


async def wake_collector(ctx: Context, rows: Sequence[Row]) -> None:
    """Rows of files went with their messages; their bytes follow."""
    ctx.wake("collect")


# ---- scanning


async def scan(ctx: Context) -> str | None:
    """Scan what waits for it."""
    await ctx.state(Attachments).scans.run(ctx)
    return None


async def rescan(ctx: Context) -> str | None:
    """Scan files again whose last scan was long ago."""
    scans = ctx.state(Attachments).scans
    if not scans.on:
        return None
    days = ctx.settings(AttachmentsSettings).rescan_days
    count = await scan_all_again(ctx, now_ms() - int(days * DAY_SECONDS * 1_000))
    scans.wake()
    return f"scanning {counted(count, 'content')} again" if count else None


def _rescan_every(settings: AttachmentsSettings) -> float:
    return DAY_SECONDS if settings.rescan_days and settings.clamd else 0


TASKS = (
    Task("finish", finish, every=600),
    Task("collect", collect, every=600),
    Task("sweep", remove_strays, every=DAY_SECONDS),
    Task("scan", scan),
    Task("rescan", rescan, every=_rescan_every),
)
CONSUMERS = (
    Consumer(
        "collector", wake_collector, kinds=frozenset({"message.deleted", "conversation.trimmed", "person.erased"})
    ),
)
