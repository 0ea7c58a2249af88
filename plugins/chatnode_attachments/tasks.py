"""The plugin's own work, in the background."""

from __future__ import annotations

from chatnode.api import Context, Task, now_ms
from chatnode_attachments.scanning.scans import scan_all_again
from chatnode_attachments.settings import AttachmentsSettings
from chatnode_attachments.state import Attachments


async def collect(ctx: Context) -> str | None:
    """Remove what nobody refers to any more."""
    done = await ctx.state(Attachments).collector.collect(ctx)
    return str(done) if done.unlinked or done.uploads or done.files else None


# ---- scanning

DAY_SECONDS = 86_400


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
    count = await scan_all_again(ctx, now_ms() - days * DAY_SECONDS * 1_000)
    scans.wake()
    return f"{count} contents are scanned again" if count else None


def _rescan_every(settings: AttachmentsSettings) -> float:
    return DAY_SECONDS if settings.rescan_days and settings.clamd else 0


TASKS = (
    Task("collect", collect, every=600),
    Task("scan", scan),
    Task("rescan", rescan, every=_rescan_every),
)
