"""The section `[plugins.webhooks]`."""

from __future__ import annotations

import attrs

from chatnode.api import setting


@attrs.frozen
class WebhooksSettings:
    """The plugin's settings."""

    per_minute: int = setting(600, "Maximum number of events per minute to one endpoint; 0 means no limit.", minimum=0)
