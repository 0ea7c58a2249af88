"""What the operator has set, and what only the running node knows: who is connected."""

from __future__ import annotations

from chatnode.api import HOUR_MS, Context, now_ms
from chatnode_notifications.deciding.table import ACTIVE_MS, NodeRules, Presence
from chatnode_notifications.settings import NotificationsSettings


def rules_of(ctx: Context) -> NodeRules:
    """The rules of this node."""
    settings = ctx.settings(NotificationsSettings)
    return NodeRules(
        settings.max_age_hours * HOUR_MS, int(settings.online_delay_seconds * 1_000),
        int(settings.idle_delay_seconds * 1_000), int(settings.repeat_seconds * 1_000),
    )  # fmt: skip


def oldest_judged(ctx: Context) -> int:
    """The time, in milliseconds, before which a message is too old to notify anyone of it."""
    return now_ms() - rules_of(ctx).max_age


def presence_of(ctx: Context, person: int, now: int) -> Presence:
    """Whether the user may see a message without an alert. On the trio thread."""
    if not ctx.live_sessions(person):
        return "away"
    active_at = ctx.last_active(person)
    return "active" if active_at is not None and active_at > now - ACTIVE_MS else "idle"
