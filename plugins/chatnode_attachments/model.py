"""What the commands take and give."""

from __future__ import annotations

from typing import Annotated, Literal

import attrs

from chatnode.api import Id, Whole

# ---- links


@attrs.define
class LinkFile:
    """A file for which to make a link. `disposition`: whether a browser may show the file, or only save it."""

    file: Id
    seconds: Annotated[int, Whole(1, 86_400)] = 3_600
    variant: Literal["file", "thumb320", "thumb1280"] = "file"
    disposition: Literal["inline", "attachment"] = "inline"


@attrs.define
class FileLink:
    """`link` is relative to the node's address and works without signing in until `expires_at`, at most."""

    link: str
    expires_at: str
