"""The section `[plugins.notifications]`."""

from __future__ import annotations

import attrs

from chatnode.api import setting


@attrs.frozen
class NotificationsSettings:
    """The plugin's settings."""

    contact: str = setting(
        "",
        "Whom push services may write to about your node's pushes: a mailto: or https: address. Web Push needs it.",
    )
