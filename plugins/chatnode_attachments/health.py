"""The plugin's health and metrics, for the operator."""

from __future__ import annotations

from typing import Any

from chatnode.api import Context, Metric, now_ms
from chatnode_attachments.scanning import contents
from chatnode_attachments.state import Attachments


class NoVerdicts(Exception):
    """The scanner gives no verdicts: what is new is not served. The message says why."""


async def health(ctx: Context) -> dict[str, Any]:
    """Figures of the scanner. Raises `NoVerdicts`."""
    scanner = ctx.state(Attachments).scanner
    if not scanner.on:
        return {"scanner": "off"}
    found = await ctx.read(contents.backlog)
    if scanner.state != "ok":
        raise NoVerdicts(f"scanner {scanner.state}: {scanner.why}; {found.waiting} files wait for a scan")
    return {
        "scanner": "ok",
        "scans_waiting": found.waiting,
        "scans_failed": found.failed,
        "oldest_scan_seconds": _age(found.oldest_at),
    }


def _age(at: int | None) -> int:
    return 0 if at is None else max(0, (now_ms() - at) // 1000)


async def _waiting(ctx: Context) -> float:
    return (await ctx.read(contents.backlog)).waiting


async def _oldest(ctx: Context) -> float:
    return _age((await ctx.read(contents.backlog)).oldest_at)


async def _is_up(ctx: Context) -> float:
    scanner = ctx.state(Attachments).scanner
    return float(scanner.state in ("ok", "off"))


SCANNER_METRICS = (
    Metric("scans", "Scans that ended, with a verdict or without."),
    Metric("infected", "Contents in which the scanner found something."),
    Metric("scans_waiting", "Contents that wait for a scan.", _waiting),
    Metric("oldest_scan_seconds", "Age of the oldest content that waits for a scan.", _oldest),
    Metric("scanner_up", "Whether the scanner gives verdicts, or is off: 1, else 0.", _is_up),
)
