"""Notifications: who is told of a message, when, and how; by push, mail, webhook and on the desktop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from chatnode.api import Context, Part, Plugin, RestoreNote, Transaction, hookimpl, joined, steps_in
from chatnode_notifications import deciding, delivering, items, mail, preferences, registrations
from chatnode_notifications.deciding import hookspecs
from chatnode_notifications.deciding.closing import judge_soon
from chatnode_notifications.delivering.figures import health as delivery_health
from chatnode_notifications.delivering.judging import judge_held_soon
from chatnode_notifications.delivering.rows import after_restore as delivery_after_restore
from chatnode_notifications.items import figures, upkeep
from chatnode_notifications.items.adding import followed_by
from chatnode_notifications.mail.scheduling import digest_changed
from chatnode_notifications.mail.upkeep import after_restore as mail_after_restore
from chatnode_notifications.notes import Follower
from chatnode_notifications.preferences.stored import Changed, also_when_changed
from chatnode_notifications.settings import NotificationsSettings
from chatnode_notifications.transports.state import open_notifications

PARTS: tuple[Part, ...] = (
    preferences.PART,
    items.PART,
    deciding.PART,
    registrations.PART,
    delivering.PART,
    mail.PART,
)

FOLLOWERS: tuple[Follower, ...] = (*delivering.FOLLOWERS, *mail.FOLLOWERS)
"""They say how new items are to be delivered."""

WHEN_CHANGED: tuple[Changed, ...] = (judge_soon, judge_held_soon, digest_changed)

HEALTH: tuple[Callable[[Context], Awaitable[Mapping[str, Any]]], ...] = (figures.health, delivery_health)

RESTORED: tuple[Callable[[Transaction, RestoreNote], None], ...] = (
    upkeep.after_restore,
    delivery_after_restore,
    mail_after_restore,
)

followed_by(FOLLOWERS)
also_when_changed(WHEN_CHANGED)


async def health(ctx: Context) -> Mapping[str, Any]:
    """Figures of all parts, and their failures."""
    found: dict[str, Any] = {}
    for each in HEALTH:
        found |= await each(ctx)
    return found


def after_restore(tx: Transaction, note: RestoreNote) -> None:
    """What was pending when the backup was made is over."""
    for each in RESTORED:
        each(tx, note)


@hookimpl
def add_hookspecs(add: Callable[[object], None]) -> None:
    """Let other plugins hold notifications back."""
    add(hookspecs)


@hookimpl
def chatnode_plugin() -> Plugin:
    """The declaration."""
    return Plugin(
        name="notifications",
        version="0.1.0",
        api="2.0",
        about="Notifications by push, email and webhook.",
        settings=NotificationsSettings,
        steps=steps_in(__name__),
        state=open_notifications,
        health=health,
        after_restore=after_restore,
        **joined(PARTS),
    )
