"""The section `[plugins.webhooks]`."""

from __future__ import annotations

from chatnode.api import record, setting


@record(frozen=True)
class WebhooksSettings:
    """The plugin's settings."""

    per_minute: int = setting(600, "Maximum number of events per minute to one endpoint; 0 means no limit.", minimum=0)
    endpoints: int = setting(1_000, "Maximum number of endpoints in all.", minimum=0)
    endpoints_per_bot: int = setting(10, "Maximum number of endpoints of one bot.", minimum=0)
    node_kinds: tuple[str, ...] = setting(
        ("crm.*",),
        "Events that endpoints of the node may get, such as crm.*; only events without recipients.",
    )
    messages: bool = setting(
        False, "Whether endpoints of the node may get the messages of all conversations, direct ones included."
    )
    keep_days: int = setting(
        30, "Days to keep events that could not be delivered, so that they can be sent again.", minimum=1
    )
    incoming_per_minute: int = setting(
        60, "Maximum number of posts per minute by one incoming webhook; 0 means no limit.", minimum=0
    )
    incoming_per_conversation: int = setting(
        10, "Maximum number of incoming webhooks of one conversation; 0 means no limit.", minimum=0
    )
