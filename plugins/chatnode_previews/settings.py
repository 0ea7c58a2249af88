"""The section `[plugins.previews]`."""

from __future__ import annotations

import attrs

from chatnode.api import setting


@attrs.frozen
class PreviewsSettings:
    """The plugin's settings."""

    direct: bool = setting(False, "Whether links in direct conversations get previews, too.")
