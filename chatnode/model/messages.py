"""Messages and receipts."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import attrs

from chatnode.model.fields import Metadata, Real, Text, Whole
from chatnode.model.people import PersonRef

ReceiptKind = Literal["read", "delivered"]
MessageKind = Literal["text", "image", "file", "location", "system"]
DeletedReason = Literal["user_request", "moderation", "abuse", "spam", "retention", "erased"]

EVERYONE = "everyone"
"""In `mentions`, stands for all members; written @everyone or @all."""


@attrs.define
class Media:
    """The file of an image or file message. The bytes are stored elsewhere: `file` is a URL or an attachment's id."""

    file: Annotated[str, Text(2_000, 1)]
    name: Annotated[str, Text(255, 1)]
    type: Annotated[
        str,
        Text(100, 3, r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+", hint="expected a media type, such as image/png"),
    ]
    bytes: Annotated[int, Whole(0)]
    width: Annotated[int, Whole(1, 1_000_000)] | None = None
    height: Annotated[int, Whole(1, 1_000_000)] | None = None


@attrs.define
class Location:
    """A place, in degrees of WGS 84."""

    latitude: Annotated[float, Real(-90, 90)]
    longitude: Annotated[float, Real(-180, 180)]
    name: Annotated[str, Text(200)] = ""


@attrs.define
class Notice:
    """A system message's content for programs; its `text` is for users."""

    type: Annotated[str, Text(64, 1, r"[a-z0-9_.-]+", hint="expected a-z 0-9 _ . -, such as order.accepted")]
    fields: Metadata = attrs.field(factory=dict[str, str])


@attrs.define
class Message:
    """A message on the wire; the same object in pushes, pages and the inbox.

    `seq` is dense per conversation; `gid` is the position of its posting in the node's log. `thread` is the first
    message of its thread; `replies` counts the replies in this message's own thread. `media`, `location` and `system`
    come with the kinds of message that have them. A deleted message keeps its place but not its content. `extra` has
    what plugins add, by plugin name; it is absent in the event of the posting.
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
    location: Location | None = None
    system: Notice | None = None
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


@attrs.frozen
class Edition:
    """A version of a message, and when it began; version 1 is the original."""

    version: int
    text: str
    at: str


@attrs.frozen
class Receipt:
    """When a message was delivered to a user and read."""

    person: PersonRef
    delivered_at: str | None = None
    read_at: str | None = None
