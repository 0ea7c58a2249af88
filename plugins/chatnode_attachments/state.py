"""What the plugin holds while a node is open: `ctx.state(Attachments)`."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import trio

from chatnode.api import Context
from chatnode_attachments.settings import AttachmentsSettings
from chatnode_attachments.store.collecting import Collector
from chatnode_attachments.store.layout import Layout
from chatnode_attachments.store.store import Store


class _NoPictures:
    async def prepare(self, path: Path, *, clean: bool) -> None:
        return None


@attrs.define(eq=False)
class Attachments:
    """The parts of the running plugin."""

    layout: Layout
    store: Store
    collector: Collector


@asynccontextmanager
async def open_attachments(ctx: Context) -> AsyncGenerator[Attachments]:
    """Open everything; costs the same however many files there are."""
    layout = Layout(ctx.directory)
    await trio.to_thread.run_sync(layout.prepare)
    settings = ctx.settings(AttachmentsSettings)
    store = Store(layout, settings, _NoPictures(), free_bytes=ctx.free_bytes)
    collector = Collector(layout, settings, store.locks, store.run, lambda: False)
    yield Attachments(layout, store, collector)
