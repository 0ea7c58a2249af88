"""What the plugin holds while a node is open: `ctx.state(Attachments)`."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import trio

from chatnode.api import Context
from chatnode_attachments.scanning.scanner import Scanner
from chatnode_attachments.scanning.scans import Scans
from chatnode_attachments.serving.counts import DownloadCounts
from chatnode_attachments.serving.slots import DownloadSlots
from chatnode_attachments.settings import AttachmentsSettings
from chatnode_attachments.store.collecting import Collector
from chatnode_attachments.store.layout import Layout
from chatnode_attachments.store.store import Store


class _NoPictures:
    async def prepare(self, path: Path, *, clean: bool) -> None:
        return None


@attrs.define(eq=False)
class Attachments:
    """The parts of the running plugin. `missing` are the files that downloads did not find since the node started."""

    layout: Layout
    store: Store
    collector: Collector
    scanner: Scanner
    scans: Scans
    slots: DownloadSlots
    counts: DownloadCounts
    missing: set[Path] = attrs.field(factory=set[Path])


@asynccontextmanager
async def open_attachments(ctx: Context) -> AsyncGenerator[Attachments]:
    """Open everything; costs the same however many files there are."""
    layout = Layout(ctx.directory)
    await trio.to_thread.run_sync(layout.prepare)
    settings = ctx.settings(AttachmentsSettings)
    scanner = Scanner(settings)
    scans = Scans(scanner, layout, settings.scans_at_a_time)
    store = Store(layout, settings, _NoPictures(), free_bytes=ctx.free_bytes, scans=scans)
    collector = Collector(layout, settings, store.locks, store.run, lambda: False)
    slots = DownloadSlots(settings.downloads_per_person)
    yield Attachments(layout, store, collector, scanner, scans, slots, DownloadCounts())
