"""What the plugin holds while a node is open: `ctx.state(Attachments)`."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import attrs
import trio

from chatnode.api import Context
from chatnode_attachments.images.workers import ImageWorkers
from chatnode_attachments.settings import AttachmentsSettings
from chatnode_attachments.store.collecting import Collector
from chatnode_attachments.store.layout import Layout
from chatnode_attachments.store.store import Store


@attrs.define(eq=False)
class Attachments:
    """The parts of the running plugin."""

    layout: Layout
    store: Store
    collector: Collector
    images: ImageWorkers


@asynccontextmanager
async def open_attachments(ctx: Context) -> AsyncGenerator[Attachments]:
    """Open everything; costs the same however many files there are."""
    layout = Layout(ctx.directory)
    await trio.to_thread.run_sync(layout.prepare)
    settings = ctx.settings(AttachmentsSettings)
    async with ImageWorkers(layout.work, megapixels=settings.image_megapixels) as images:
        store = Store(layout, settings, images, free_bytes=ctx.free_bytes)
        collector = Collector(layout, settings, store.locks, store.run, lambda: False)
        yield Attachments(layout, store, collector, images)
