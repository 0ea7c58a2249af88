"""Figures: for operators, metrics and health."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chatnode.api import Context, Metric, Reader, now_ms
from chatnode_notifications.items.model import NotificationStats

ADDED, JUDGED = "added", "messages_judged"


def stats(reader: Reader) -> NotificationStats:
    """Numbers of the node."""
    deliveries = dict(reader.execute("SELECT state, count(*) FROM notifications_deliveries GROUP BY state").fetchall())
    registrations = {
        f"{transport}.{state}": count
        for transport, state, count in reader.execute(
            "SELECT transport, state, count(*) FROM notifications_registrations GROUP BY transport, state"
        )
    }
    return NotificationStats(
        waiting(reader), oldest_due(reader), _one("SELECT count(*) FROM notifications_fanouts")(reader),
        _one("SELECT count(*) FROM notifications_items")(reader),
        _one("SELECT count(*) FROM notifications_items WHERE read_at IS NULL")(reader), deliveries, registrations,
    )  # fmt: skip


def waiting(reader: Reader) -> int:
    """How many conversations of users are to be notified of."""
    return _one("SELECT count(*) FROM notifications_bundles")(reader)


def oldest_due(reader: Reader) -> int:
    """For how many seconds the oldest of them has been due; 0 if none is."""
    (at,) = reader.execute("SELECT min(due_at) FROM notifications_bundles").fetchone()
    return max(0, now_ms() - at) // 1_000 if at is not None else 0


def _one(sql: str) -> Callable[[Reader], int]:
    return lambda reader: reader.execute(sql).fetchone()[0]


async def _waiting(ctx: Context) -> float:
    return await ctx.read(waiting)


async def _oldest_due(ctx: Context) -> float:
    return await ctx.read(oldest_due)


METRICS = (
    Metric(JUDGED, "Messages for which it was decided who is notified."),
    Metric(ADDED, "Notifications that were added."),
    Metric("waiting", "Conversations of users with a notification pending.", _waiting),
    Metric("oldest_due_seconds", "Seconds for which the oldest of them has been due.", _oldest_due),
)


async def health(ctx: Context) -> Mapping[str, Any]:
    """Figures for the node's report of its health."""
    return {"waiting": await ctx.read(waiting), "oldest_due_seconds": await ctx.read(oldest_due)}
