"""Metrics and health."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chatnode.api import Context, Metric, Reader
from chatnode_attachments.settings import MIB
from chatnode_attachments.state import Attachments
from chatnode_attachments.store import quotas


def _one(sql: str) -> Callable[[Reader], float]:
    return lambda reader: reader.execute(sql).fetchone()[0]


_OPEN = _one("SELECT count(*) FROM attachments_uploads WHERE state IN ('open', 'finishing')")
_TRASH = _one("SELECT count(*) FROM attachments_trash")
_MISSING = _one("SELECT count(*) FROM attachments_blobs WHERE place = 'missing'")


async def _open(ctx: Context) -> float:
    return await ctx.read(_OPEN)


async def _receiving(ctx: Context) -> float:
    return ctx.state(Attachments).store.receiving


async def _blobs(ctx: Context) -> float:
    return (await ctx.read(quotas.stored))[0]


async def _bytes(ctx: Context) -> float:
    return (await ctx.read(quotas.stored))[1]


async def _trash(ctx: Context) -> float:
    return await ctx.read(_TRASH)


METRICS = (
    Metric("uploads", "Uploads begun."),
    Metric("files", "Uploads that became files."),
    Metric("bytes_received", "Bytes of uploads written to disk."),
    Metric("bytes_removed", "Bytes of files removed from the disk."),
    Metric("uploads_open", "Uploads that wait for bytes or are finished now.", _open),
    Metric("uploads_receiving", "Uploads received now.", _receiving),
    Metric("blobs", "Contents on disk.", _blobs),
    Metric("bytes", "Bytes of contents and thumbnails on disk.", _bytes),
    Metric("trash", "Files that wait to be removed from the disk.", _trash),
)


async def health(ctx: Context) -> Mapping[str, Any]:
    """Figures; raises if files are missing."""
    blobs, bytes = await ctx.read(quotas.stored)
    missing = await ctx.read(_MISSING)
    if missing:
        raise RuntimeError(f"{missing} contents are missing from the disk; see `chatnode attachments check`")
    here = ctx.state(Attachments)
    free = await here.store.run(ctx.free_bytes)
    figures = {"contents": blobs, "mib": bytes // MIB, "receiving": here.store.receiving, "free_mib": free // MIB}
    return figures | here.images.status()
