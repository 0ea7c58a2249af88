"""The section `[plugins.webhooks]`."""

from __future__ import annotations

import attrs

from chatnode.api import setting


@attrs.frozen
class WebhooksSettings:
    """The plugin's settings."""

    per_minute: int = setting(600, "Maximum number of events per minute to one endpoint; 0 means no limit.", minimum=0)
    incoming_per_minute: int = setting(
        60, "Maximum number of posts per minute by one incoming webhook; 0 means no limit.", minimum=0
    )
    incoming_per_conversation: int = setting(
        10, "Maximum number of incoming webhooks of one conversation; 0 means no limit.", minimum=0
    )
