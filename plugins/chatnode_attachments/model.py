"""What the commands take and give, and the events."""

from __future__ import annotations

from typing import Annotated, Literal

from chatnode.api import Event, Id, Message, PersonRef, Text, ThumbnailSize, Who, Whole, record

# ---- uploads and usage


@record
class UploadInfo:
    """An upload in progress: `bytes` of `length` are on disk; without `length`, it is not known yet."""

    upload: str
    name: str
    type: str
    bytes: int
    created_at: str
    expires_at: str
    length: int | None = None


@record
class UploadList:
    """The requester's uploads in progress, oldest first."""

    uploads: list[UploadInfo]


@record
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


@record
class AskReport:
    """`limit` users and files at most, those with most bytes and downloads first; days, newest first."""

    limit: Annotated[int, Whole(1)] = 50


@record
class PersonUploads:
    """What a user uploaded that is still there."""

    person: PersonRef
    files: int
    bytes: int
    reserved: int


@record
class FileDownloads:
    """How often a file was downloaded."""

    file: str
    name: str
    person: PersonRef
    downloads: int
    last_download_at: str | None = None


@record
class DayDownloads:
    """What was downloaded on a day, such as 2026-11-21."""

    day: str
    bytes: int
    downloads: int


@record
class AttachmentsReport:
    """`blobs` contents take `bytes` on disk, thumbnails included."""

    blobs: int
    bytes: int
    people: list[PersonUploads]
    files: list[FileDownloads]
    days: list[DayDownloads]


# ---- for operators


@record
class CheckAttachments:
    """`deep` reads every file and compares its hash. `repair` sets right what can be."""

    deep: bool = False
    repair: bool = False


@record
class AttachmentsChecked:
    """A line for each problem, and how many of them were repaired."""

    problems: list[str]
    repaired: int = 0


@record
class CollectAttachments:
    """`sweep`: also remove files that no row has known of for a day."""

    sweep: bool = False


@record
class AttachmentsCollected:
    """What was removed. `left` files could not be removed, or wait for a backup that is running."""

    uploads: int
    files: int
    unlinked: int
    bytes: int
    left: int
    swept: int = 0


@record
class ListStored:
    """A user's files, oldest first. `after` takes the `next` of the previous page."""

    person: Who
    after: Annotated[int, Whole(0)] = 0
    limit: Annotated[int, Whole(1)] = 50


@record
class StoredAttachment:
    """A file, and where it is on the node's disk."""

    file: str
    name: str
    path: str
    bytes: int


@record
class StoredAttachments:
    files: list[StoredAttachment]
    next: int | None = None


# ---- links


@record
class LinkFile:
    """A file for which to make a link. `disposition`: whether a browser may show the file, or only save it."""

    file: Id
    seconds: Annotated[int, Whole(1, 86_400)] = 3_600
    variant: Literal["file", "thumb320", "thumb1280"] = "file"
    disposition: Literal["inline", "attachment"] = "inline"


@record
class FileLink:
    """`link` is relative to the node's address and works without signing in until `expires_at`, at most."""

    link: str
    expires_at: str


# ---- scanning and quarantine

ShownScan = Literal["off", "pending", "safe", "unsafe"]


@record
class FileStatus:
    """What became of a file of a message. `scan`: `off` on a node that scans nothing; `pending` files cannot be fetched
    yet, and `unsafe` ones were removed. `quarantined` is there if a moderator withdrew it, and `thumbs` if there are
    any."""

    file: str
    scan: ShownScan
    quarantined: bool | None = None
    thumbs: list[ThumbnailSize] | None = None


@record
class AttachmentsChanged(Event):
    """The files of a message were scanned, withdrawn or released, or their thumbnails changed: `files` are all of
    them, as they are now, and replace `extra.attachments` of the message."""

    name = "attachments.changed"
    conversation: str
    message: str
    files: list[FileStatus]


@record
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


@record
class QuarantineFile:
    """`reason` is for the audit log."""

    file: Id
    reason: Annotated[str, Text(500)] = ""


@record
class ReleaseFile:
    """A file in quarantine."""

    file: Id


@record
class RescanFiles:
    """Without `file`, all files of the node."""

    file: Id | None = None


@record
class Rescanning:
    """How many contents wait for a scan because of it. Several files may have the same content."""

    contents: int


# ---- files of messages


@record
class Attachment:
    """A file. `message` and `conversation` are absent until it is posted; `downloads` by users other than its uploader
    are counted."""

    file: str
    name: str
    type: str
    bytes: int
    category: Literal["image", "document", "video", "audio", "other"]
    sha256: str
    uploader: PersonRef
    at: str
    downloads: int
    scan: ShownScan
    quarantined: bool
    thumbs: list[ThumbnailSize]
    width: int | None = None
    height: int | None = None
    duration_ms: int | None = None
    placeholder: str | None = None
    voice: bool | None = None
    message: str | None = None
    conversation: str | None = None


@record
class ListAttachments:
    """Files of a message or of a conversation; without either, those that you uploaded. `after` takes the `next` of the
    previous page."""

    message: Id | None = None
    conversation: Id | None = None
    category: Literal["image", "document", "video", "audio", "other"] | None = None
    after: Annotated[int, Whole(0)] | None = None
    limit: Annotated[int, Whole(1)] = 50


@record
class AttachmentPage:
    """Newest first; `next` is absent on the last page."""

    files: list[Attachment]
    next: int | None = None


@record
class GetAttachment:
    file: Id


@record
class CopyAttachment:
    file: Id


@record
class AttachmentReply:
    file: Attachment


@record
class RemoveAttachment:
    """`message` is the message that has the file."""

    message: Id
    file: Id


@record
class AttachmentRemoved:
    """The message without the file."""

    message: Message


# ---- avatars


@record
class SetAvatar:
    """`file` is a picture that you uploaded. With `conversation` it becomes the picture of that group."""

    file: Id
    conversation: Id | None = None


@record
class AvatarReply:
    """`avatar` is the picture's address, relative to the node. Each change gives a new one."""

    avatar: str
