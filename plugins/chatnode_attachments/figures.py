"""Metrics and health."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from chatnode.api import Context, Metric, Reader, counted, now_ms
from chatnode_attachments.scanning import contents
from chatnode_attachments.settings import MIB
from chatnode_attachments.state import Attachments
from chatnode_attachments.store import quotas


def _one(sql: str) -> Callable[[Reader], float]:
    return lambda reader: reader.execute(sql).fetchone()[0]


_OPEN = _one("SELECT count(*) FROM attachments_uploads WHERE state IN ('open', 'finishing')")
_TRASH = _one("SELECT count(*) FROM attachments_trash")
# In two parts, as each has its index, and health is asked for often.
_MISSING = (
    "SELECT (SELECT count(*) FROM attachments_blobs WHERE place = 'missing') + (SELECT count(*) FROM json_each(?) i "
    "JOIN attachments_blobs b ON b.key = i.value WHERE b.place = 'local')"
)


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


class NoVerdicts(Exception):
    """The scanner gives no verdicts: what is new is not served. The message says why."""


async def _scanner_health(ctx: Context) -> dict[str, Any]:
    """Figures of the scanner. Raises `NoVerdicts`."""
    scanner = ctx.state(Attachments).scanner
    if not scanner.on:
        return {"scanner": "off"}
    found = await ctx.read(contents.backlog)
    if scanner.state != "ok":
        raise NoVerdicts(f"scanner {scanner.state}: {scanner.why}; {counted(found.waiting, 'file')} waiting for a scan")
    return {
        "scanner": "ok",
        "scans_waiting": found.waiting,
        "scans_failed": found.failed,
        "oldest_scan_seconds": _age(found.oldest_at),
    }


def _age(at: int | None) -> int:
    return 0 if at is None else max(0, (now_ms() - at) // 1000)


async def _scans_waiting(ctx: Context) -> float:
    return (await ctx.read(contents.backlog)).waiting


async def _oldest_scan(ctx: Context) -> float:
    return _age((await ctx.read(contents.backlog)).oldest_at)


async def _scanner_up(ctx: Context) -> float:
    scanner = ctx.state(Attachments).scanner
    return float(scanner.state in ("ok", "off"))


async def _pictures(ctx: Context) -> float:
    return ctx.state(Attachments).images.outcomes["prepared"]


async def _pictures_failed(ctx: Context) -> float:
    outcomes = ctx.state(Attachments).images.outcomes
    return outcomes.total() - outcomes["prepared"] - outcomes["refused"]


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
    Metric("scans", "Scans that ended, with a verdict or without."),
    Metric("infected", "Contents in which the scanner found something."),
    Metric("scans_waiting", "Contents that wait for a scan.", _scans_waiting),
    Metric("oldest_scan_seconds", "Age of the oldest content that waits for a scan.", _oldest_scan),
    Metric("scanner_up", "Whether the scanner gives verdicts, or is off: 1, else 0.", _scanner_up),
    Metric("pictures", "Pictures that were decoded since the node started.", _pictures),
    Metric(
        "pictures_failed", "Pictures that crashed their decoder or took too long since the node started.",
        _pictures_failed,
    ),
)  # fmt: skip


async def health(ctx: Context) -> Mapping[str, Any]:
    """Figures; raises if files are missing, or if new ones are not scanned."""
    blobs, bytes = await ctx.read(quotas.stored)
    here = ctx.state(Attachments)
    not_found = json.dumps(list(here.missing))
    missing = await ctx.read(lambda reader: reader.execute(_MISSING, (not_found,)).fetchone()[0])
    if missing:
        raise RuntimeError(f"{counted(missing, 'content')} missing from the disk; see `chatnode attachments check`")
    free = await here.store.run(ctx.free_bytes)
    figures = {"contents": blobs, "mib": bytes // MIB, "receiving": here.store.receiving, "free_mib": free // MIB}
    return figures | here.images.status() | await _scanner_health(ctx)
