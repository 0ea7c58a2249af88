"""Notifications: who is told of a message, when, and how; by push, mail, webhook and on the desktop."""

from __future__ import annotations

from chatnode.api import Part, Plugin, hookimpl, joined, steps_in
from chatnode_notifications import mail
from chatnode_notifications.settings import NotificationsSettings

PARTS: tuple[Part, ...] = (mail.PART,)


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
    )
