"""What the plugin holds while a node is open: `ctx.state(Attachments)`."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import attrs
import trio

from chatnode.api import Context
from chatnode_attachments.counts import DownloadCounts
from chatnode_attachments.images.workers import ImageWorkers
from chatnode_attachments.scanning.scanner import Scanner
from chatnode_attachments.scanning.scans import Scans
from chatnode_attachments.settings import AttachmentsSettings
from chatnode_attachments.slots import DownloadSlots
from chatnode_attachments.store.collecting import Collector
from chatnode_attachments.store.layout import Layout
from chatnode_attachments.store.store import Store


@attrs.define(eq=False)
class Attachments:
    """The parts of the running plugin. `missing` are the keys of contents that downloads did not find, or not whole,
    since the node started: perhaps only until a disk is mounted again, so the tables do not say it."""

    layout: Layout
    store: Store
    collector: Collector
    images: ImageWorkers
    scanner: Scanner
    scans: Scans
    slots: DownloadSlots
    counts: DownloadCounts
    missing: set[int] = attrs.field(factory=set[int])


@asynccontextmanager
async def open_attachments(ctx: Context) -> AsyncGenerator[Attachments]:
    """Open everything; costs the same however many files there are."""
    layout = Layout(ctx.directory)
    await trio.to_thread.run_sync(layout.prepare)
    settings = ctx.settings(AttachmentsSettings)
    scanner = Scanner(settings)
    scans = Scans(scanner, layout, settings.scans_at_a_time)
    async with ImageWorkers(layout.work, megapixels=settings.image_megapixels) as images:
        store = Store(layout, settings, images, free_bytes=ctx.free_bytes, commits=ctx.commits, scans=scans)
        collector = Collector(layout, settings, store.locks, store.run, ctx.backup_running)
        slots = DownloadSlots(settings.downloads_per_person)
        yield Attachments(layout, store, collector, images, scanner, scans, slots, DownloadCounts())
