"""Incoming webhooks: other programs post messages, as they would to Slack."""

from __future__ import annotations

from chatnode.api import Part, Table
from chatnode_webhooks.incoming.commands import COMMANDS
from chatnode_webhooks.incoming.route import ROUTES

# An erased bot takes its webhooks along. They are not part of a user's data, so nothing is exported.
PART = Part(commands=COMMANDS, routes=ROUTES, tables=(Table("webhooks_incoming", people=("bot",)),))
