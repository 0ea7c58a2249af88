"""The section `[plugins.previews]`."""

from __future__ import annotations

from chatnode.api import record, setting


@record(frozen=True)
class PreviewsSettings:
    """The plugin's settings."""

    enabled: bool = setting(True, "Whether links in messages get previews.")
    direct: bool = setting(False, "Whether links in direct conversations get previews, too.")
    pictures: bool = setting(True, "Whether previews have pictures, if a plugin that can decode them is enabled.")
    links_per_minute: int = setting(
        20, "Maximum number of links per user and minute that get a preview; 0 means no limit.", minimum=0
    )
    keep_hours: float = setting(24.0, "Hours after which a page is fetched again for a new message.", minimum=0)
    keep_failures_hours: float = setting(
        1.0, "Hours after which a page that had no preview is fetched again for a new message.", minimum=0
    )
