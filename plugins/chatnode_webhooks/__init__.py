"""Webhooks: events posted to other programs, and messages that these post."""

from __future__ import annotations

from chatnode.api import Plugin, hookimpl, joined, steps_in
from chatnode_webhooks import incoming, outgoing
from chatnode_webhooks.incoming.converting import open_converting
from chatnode_webhooks.outgoing.upkeep import after_removal
from chatnode_webhooks.permissions import PERMISSIONS
from chatnode_webhooks.settings import WebhooksSettings

PARTS = (outgoing.PART, incoming.PART)


@hookimpl
def chatnode_plugin() -> Plugin:
    """The declaration."""
    return Plugin(
        name="webhooks",
        version="0.1.0",
        api="2.0",
        about="Webhooks to and from other programs.",
        settings=WebhooksSettings,
        steps=steps_in(__name__),
        permissions=PERMISSIONS,
        state=open_converting,
        after_removal=after_removal,
        **joined(PARTS),
    )
