"""What the plugin holds while a node is open: `ctx.state(Attachments)`."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import trio

from chatnode.api import Context
from chatnode_attachments.scanning.verdicts import ScannerNow, ScannerState
from chatnode_attachments.serving.counts import DownloadCounts
from chatnode_attachments.serving.slots import DownloadSlots
from chatnode_attachments.settings import AttachmentsSettings
from chatnode_attachments.store.collecting import Collector
from chatnode_attachments.store.layout import Layout
from chatnode_attachments.store.store import Store


class _NoPictures:
    async def prepare(self, path: Path, *, clean: bool) -> None:
        return None


class _NoScanner:
    state: ScannerState = "off"


@attrs.define(eq=False)
class Attachments:
    """The parts of the running plugin. `missing` are the files that downloads did not find since the node started."""

    layout: Layout
    store: Store
    collector: Collector
    scanner: ScannerNow
    slots: DownloadSlots
    counts: DownloadCounts
    missing: set[Path] = attrs.field(factory=set[Path])


@asynccontextmanager
async def open_attachments(ctx: Context) -> AsyncGenerator[Attachments]:
    """Open everything; costs the same however many files there are."""
    layout = Layout(ctx.directory)
    await trio.to_thread.run_sync(layout.prepare)
    settings = ctx.settings(AttachmentsSettings)
    store = Store(layout, settings, _NoPictures(), free_bytes=ctx.free_bytes)
    collector = Collector(layout, settings, store.locks, store.run, lambda: False)
    slots = DownloadSlots(settings.downloads_per_person)
    yield Attachments(layout, store, collector, _NoScanner(), slots, DownloadCounts())
