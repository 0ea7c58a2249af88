"""Messages and receipts."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import attrs

from chatnode.model.actions import Action
from chatnode.model.fields import Items, Metadata, Real, Text, Whole
from chatnode.model.people import PersonRef
from chatnode.model.records import record

ReceiptKind = Literal["read", "delivered"]
MessageKind = Literal["text", "image", "file", "location", "system"]
FileCategory = Literal["image", "document", "video", "audio", "other"]
DeletedReason = Literal["user_request", "moderation", "abuse", "spam", "retention", "erased"]

EVERYONE = "everyone"
"""In `mentions`, stands for all members; written @everyone or @all."""


_File = Annotated[str, Text(2_000, 1)]
_FileName = Annotated[str, Text(255, 1)]
_MediaType = Annotated[
    str,
    Text(100, 3, r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+", hint="expected a media type, such as image/png"),
]
_Bytes = Annotated[int, Whole(0)]
_Pixels = Annotated[int, Whole(1, 1_000_000)]
_Duration = Annotated[int, Whole(0, 1_000_000_000)]
_Waveform = Annotated[list[Annotated[int, Whole(0, 31)]], Items(64)]


@record
class FileRef:
    """A file to post. `file` is the id of an uploaded file, or a URL.

    For an uploaded file the node knows the rest; of a URL, `name`, `type` and `bytes` are needed. `voice` marks a
    recording, of which `waveform` has up to 64 amplitudes.
    """

    file: _File
    name: _FileName | None = None
    type: _MediaType | None = None
    bytes: _Bytes | None = None
    width: _Pixels | None = None
    height: _Pixels | None = None
    duration_ms: _Duration | None = None
    voice: bool | None = None
    waveform: _Waveform | None = None


@record
class ThumbnailSize:
    """A smaller picture of a file, and its size in pixels."""

    kind: str
    width: int
    height: int


@record
class Media:
    """A file of a message. The bytes are stored elsewhere: `file` is a URL or the id of an uploaded file.

    What follows `bytes` is there if it is known. `placeholder` is a tiny picture as a `data:` URL, to show until a
    thumbnail is loaded. `scan` is `pending` if the file was posted before it was scanned for viruses; the result comes
    with what the plugin that stores files adds to the message.
    """

    file: _File
    name: _FileName
    type: _MediaType
    bytes: _Bytes
    width: _Pixels | None = None
    height: _Pixels | None = None
    category: FileCategory | None = None
    sha256: Annotated[str, Text(64, 64, r"[0-9a-f]{64}")] | None = None
    duration_ms: _Duration | None = None
    voice: bool | None = None
    waveform: _Waveform | None = None
    placeholder: Annotated[str, Text(2_000)] | None = None
    thumbs: list[ThumbnailSize] | None = None
    scan: Literal["pending"] | None = None


@record
class Location:
    """A place, in degrees of WGS 84."""

    latitude: Annotated[float, Real(-90, 90)]
    longitude: Annotated[float, Real(-180, 180)]
    name: Annotated[str, Text(200)] = ""


@record
class Notice:
    """A system message's content for programs; its `text` is for users."""

    type: Annotated[str, Text(64, 1, r"[a-z0-9_.-]+", hint="expected a-z 0-9 _ . -, such as order.accepted")]
    fields: Metadata = attrs.field(factory=dict[str, str])


@record
class Message:
    """A message on the wire; the same object in pushes, pages and the inbox.

    `seq` is dense per conversation; `gid` is the position of its posting in the node's log. `thread` is the first
    message of its thread; `replies` counts the replies in this message's own thread. `files`, `location` and `system`
    come with the kinds of message that have them; `media` is the first of the files. `actions` are the buttons of a
    bot's message. A deleted message keeps its place but not its content. `extra` has what plugins add, by plugin name;
    it is absent in the event of the posting.
    """

    # Not frozen only because frozen classes cost a microsecond each where thousands are made a second. Nobody changes
    # one.

    message: str
    conversation: str
    seq: int
    gid: int
    sender: PersonRef
    cid: str
    text: str
    at: str
    mentions: list[str] | None = None
    reply_to: str | None = None
    metadata: dict[str, str] | None = None
    kind: MessageKind = "text"
    media: Media | None = None
    files: list[Media] | None = None
    location: Location | None = None
    system: Notice | None = None
    actions: list[Action] | None = None
    thread: str | None = None
    replies: int | None = None
    pinned_at: str | None = None
    edits: int | None = None
    edited_at: str | None = None
    deleted_at: str | None = None
    deleted_by: PersonRef | None = None
    deleted_reason: DeletedReason | None = None
    extra: dict[str, Any] | None = None

    @property
    def changed(self) -> bool:
        """Whether it was changed after posting."""
        return self.edited_at is not None or self.deleted_at is not None or self.pinned_at is not None


@record(frozen=True)
class Edition:
    """A version of a message, and when it began; version 1 is the original."""

    version: int
    text: str
    at: str


@record(frozen=True)
class Receipt:
    """When a message was delivered to a user and read."""

    person: PersonRef
    delivered_at: str | None = None
    read_at: str | None = None
