"""Metrics and health of deliveries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chatnode.api import Context, Metric, Querying, now_ms
from chatnode_notifications.delivering.outcomes import WORDS
from chatnode_notifications.settings import TRANSPORTS
from chatnode_notifications.transports.state import plugin_state

_MEANING = {
    "sent": "Notifications that {} accepted.",
    "retried": "Attempts by {} that failed and will be retried.",
    "failed": "Notifications that {} did not accept even at the last attempt.",
    "bounced": "Notifications that {} refused, or whose device is gone.",
    "suppressed": "Notifications by {} that were read, or otherwise needless, before they were sent.",
    "expired": "Notifications by {} that became too old.",
}


def _pending(reader: Querying) -> int:
    return reader.execute("SELECT count(*) FROM notifications_deliveries WHERE state = 'pending'").fetchone()[0]


def _oldest(reader: Querying) -> int | None:
    """When the oldest notification that waits was made, in milliseconds."""
    row = reader.execute(
        "SELECT i.created_at FROM notifications_deliveries d JOIN notifications_items i ON i.key = d.item "
        "WHERE d.state = 'pending' ORDER BY d.key LIMIT 1"
    ).fetchone()
    return row[0] if row is not None else None


async def pending(ctx: Context) -> float:
    """How many wait."""
    return await ctx.read(_pending)


async def oldest_seconds(ctx: Context) -> float:
    """Age of the oldest that waits."""
    at = await ctx.read(_oldest)
    return 0 if at is None else max(0, (now_ms() - at) // 1000)


METRICS = (
    *(
        Metric(f"{transport}_{word}", _MEANING[word].format(transport))
        for transport in TRANSPORTS
        for word in WORDS
    ),
    Metric("pending", "Notifications that wait to be sent to a device.", pending),
    Metric("oldest_pending_seconds", "Age of the oldest notification that waits to be sent.", oldest_seconds),
)  # fmt: skip


async def health(ctx: Context) -> Mapping[str, Any]:
    """Figures; raises if pushes cannot be sent because the operator has removed the contact.

    Push services that refuse are a figure only: any user can register a server that does.
    """
    state = plugin_state(ctx)
    if state.vapid is None and await ctx.read(_wait_for_contact):
        raise RuntimeError("devices are registered for Web Push, and plugins.notifications.contact is not set")
    return {
        "webpush": "on" if state.vapid is not None else "off: no contact is set",
        "push_services_refusing": len(state.refusing),
        "pending": await ctx.read(_pending),
        "oldest_pending_seconds": await oldest_seconds(ctx),
    }


def _wait_for_contact(reader: Querying) -> bool:
    sql = "SELECT 1 FROM notifications_registrations WHERE vapid IS NOT NULL AND state <> 'gone' LIMIT 1"
    return reader.execute(sql).fetchone() is not None
