"""Notifications: who is told of a message, when, and how; by push, mail, webhook and on the desktop."""

from __future__ import annotations

from chatnode.api import Part, Plugin, RestoreNote, Transaction, hookimpl, joined, steps_in
from chatnode_notifications import delivering, registrations
from chatnode_notifications.delivering.figures import health
from chatnode_notifications.delivering.rows import expire_pending
from chatnode_notifications.settings import NotificationsSettings
from chatnode_notifications.transports.state import open_transports

PARTS: tuple[Part, ...] = (registrations.PART, delivering.PART)


def _after_restore(tx: Transaction, note: RestoreNote) -> None:
    expire_pending(tx)


@hookimpl
def chatnode_plugin() -> Plugin:
    """The declaration."""
    return Plugin(
        name="notifications",
        version="0.1.0",
        api="2.0",
        about="Notifications by push, mail and webhook.",
        settings=NotificationsSettings,
        steps=steps_in(__name__),
        **joined(PARTS),
        state=open_transports,
        health=health,
        after_restore=_after_restore,
    )
