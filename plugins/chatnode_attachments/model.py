"""What the commands take and give, and the events."""

from __future__ import annotations

from typing import Annotated, Literal

import attrs

from chatnode.api import Id, PersonRef, Who, Whole

# ---- uploads and usage


@attrs.define
class UploadInfo:
    """An upload in progress: `bytes` of `length` are on disk; without `length`, the client has not said it yet."""

    upload: str
    name: str
    type: str
    bytes: int
    created_at: str
    expires_at: str
    length: int | None = None


@attrs.define
class UploadList:
    """The requester's uploads in progress, oldest first."""

    uploads: list[UploadInfo]


@attrs.define
class UsageReply:
    """What the requester's files take, in bytes, and the limits, which are absent where there is none.

    `reserved` is held for uploads in progress; `sent` was uploaded in the last 24 hours.
    """

    bytes: int
    reserved: int
    sent: int
    most_bytes: int | None = None
    most_sent: int | None = None
    most_of_file: int | None = None


# ---- reports


@attrs.define
class AskReport:
    """`limit` users and files at most, those with most bytes and downloads first; days, newest first."""

    limit: Annotated[int, Whole(1)] = 50


@attrs.define
class PersonUploads:
    """What a user uploaded that is still there."""

    person: PersonRef
    files: int
    bytes: int
    reserved: int


@attrs.define
class FileDownloads:
    """How often a file was downloaded."""

    file: str
    name: str
    person: PersonRef
    downloads: int
    last_download_at: str | None = None


@attrs.define
class DayDownloads:
    """What was downloaded on a day, such as 2026-11-21."""

    day: str
    bytes: int
    downloads: int


@attrs.define
class AttachmentsReport:
    """`blobs` contents take `bytes` on disk, thumbnails included."""

    blobs: int
    bytes: int
    people: list[PersonUploads]
    files: list[FileDownloads]
    days: list[DayDownloads]


# ---- for operators


@attrs.define
class CheckAttachments:
    """`deep` reads every file and compares its hash. `repair` sets right what can be."""

    deep: bool = False
    repair: bool = False


@attrs.define
class AttachmentsChecked:
    """A line for each problem, and how many of them were repaired."""

    problems: list[str]
    repaired: int = 0


@attrs.define
class CollectAttachments:
    """`sweep`: also remove stray files that are older than a day."""

    sweep: bool = False


@attrs.define
class AttachmentsCollected:
    """What was removed. `left` files could not be removed, or wait for a backup that is running."""

    uploads: int
    files: int
    unlinked: int
    bytes: int
    left: int
    swept: int = 0


@attrs.define
class ListStored:
    """A user's files, oldest first. `after` takes the `next` of the previous page."""

    person: Who
    after: Annotated[int, Whole(0)] = 0
    limit: Annotated[int, Whole(1)] = 50


@attrs.define
class StoredAttachment:
    """A file, and where it is on the node's disk."""

    file: str
    name: str
    path: str
    bytes: int


@attrs.define
class StoredAttachments:
    files: list[StoredAttachment]
    next: int | None = None


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


# ---- avatars


@attrs.define
class SetAvatar:
    """`file` is a picture that you uploaded. With `conversation` it becomes the picture of that group."""

    file: Id
    conversation: Id | None = None


@attrs.define
class AvatarReply:
    """`avatar` is the picture's address, relative to the node. Each change gives a new one."""

    avatar: str
