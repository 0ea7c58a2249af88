"""Outgoing webhooks: events of the log, posted to other programs."""

from __future__ import annotations

from chatnode.api import Metric, Part, Table, Task
from chatnode_webhooks.outgoing.board import send_events
from chatnode_webhooks.outgoing.commands import COMMANDS as ENDPOINT_COMMANDS
from chatnode_webhooks.outgoing.later import ROUTES
from chatnode_webhooks.outgoing.replaying import COMMANDS as REPLAY_COMMANDS
from chatnode_webhooks.outgoing.showing import EVENTS
from chatnode_webhooks.outgoing.upkeep import FORGETTING, UPKEEP

# An erased bot takes its endpoints along. Addresses and secrets are not exported.
_ENDPOINTS = Table(
    "webhooks_endpoints", people=("bot",),
    export="SELECT key, id AS endpoint, about, kinds, format, state, created_at FROM webhooks_endpoints "
    "WHERE bot = :person AND key > :after ORDER BY key LIMIT :limit",
)  # fmt: skip

PART = Part(
    commands=(*ENDPOINT_COMMANDS, *REPLAY_COMMANDS),
    events=EVENTS,
    routes=ROUTES,
    tables=(_ENDPOINTS,),
    consumers=(FORGETTING,),
    tasks=(Task("outgoing", send_events), UPKEEP),
    metrics=(
        Metric("sent", "Events that endpoints of webhooks have accepted."),
        Metric("failed", "Attempts to post an event to an endpoint that failed."),
    ),
)
