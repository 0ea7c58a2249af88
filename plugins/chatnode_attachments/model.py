"""What the commands take and give."""

from __future__ import annotations

from typing import Annotated, Literal

import attrs

from chatnode.api import Event, Id, PersonRef, Text, Whole

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


# ---- scanning and quarantine

ShownScan = Literal["off", "pending", "safe", "unsafe"]


@attrs.define
class FileStatus:
    """What became of a file of a message. `scan`: `off` on a node that scans nothing; `pending` files cannot be fetched
    yet, and `unsafe` ones were removed. `quarantined`: a moderator withdrew it."""

    file: str
    scan: ShownScan
    quarantined: bool = False


@attrs.define
class AttachmentsChanged(Event):
    """The files of a message were scanned, withdrawn or released: `files` are all of them, as they are now."""

    name = "attachments.changed"
    conversation: str
    message: str
    files: list[FileStatus]


@attrs.define
class FileInfected(Event):
    """The virus scanner found something in a file, which was removed. For its uploader and for moderators.

    `found` is the scanner's name for it; `message` and `conversation` are there if the file was posted.
    """

    name = "attachments.infected"
    file: str
    uploader: PersonRef
    found: str
    at: str
    message: str | None = None
    conversation: str | None = None


@attrs.define
class QuarantineFile:
    """`reason` is for the audit log."""

    file: Id
    reason: Annotated[str, Text(500)] = ""


@attrs.define
class ReleaseFile:
    """A file in quarantine."""

    file: Id


@attrs.define
class RescanFiles:
    """Without `file`, all files of the node."""

    file: Id | None = None


@attrs.define
class Rescanning:
    """How many contents wait for a scan because of it. Several files may have the same content."""

    contents: int
