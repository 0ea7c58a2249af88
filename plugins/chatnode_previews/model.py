"""What the commands take and give, and the events."""

from __future__ import annotations

from typing import Annotated

from chatnode.api import Event, Id, Text, record

MOST_URL = 2_048
PICTURES = "pictures"
"""The beginning of the addresses of pictures, below `/plugins/previews/`."""


@record
class PreviewPicture:
    """A small copy of the page's picture, in WebP. `path` is relative to the node's URL, and is for those who see the
    message."""

    path: str
    width: int
    height: int

    @classmethod
    def of(cls, id: str, width: int, height: int) -> PreviewPicture:
        return cls(f"/plugins/previews/{PICTURES}/{id}", width, height)


@record
class LinkPreview:
    """The description that a page gives of itself. `url` is the link as the message has it; `site` is the name of the
    site, or its host. Title and text are plain text by strangers."""

    url: str
    site: str
    title: str | None = None
    text: str | None = None
    picture: PreviewPicture | None = None


@record
class PreviewAdded(Event):
    """A preview of a link in a message was added: `previews` are all that the message has now, in the order of the
    links."""

    name = "preview.added"
    conversation: str
    message: str
    previews: list[LinkPreview]


@record
class PreviewRemoved(Event):
    """Previews of a message were removed: `previews` are those that are left."""

    name = "preview.removed"
    conversation: str
    message: str
    previews: list[LinkPreview]


@record
class RemovePreviews:
    """The preview of one `url` of the message, or all of them."""

    message: Id
    url: Annotated[str, Text(MOST_URL, 1)] | None = None


@record
class MessagePreviews:
    """The previews that the message has now."""

    previews: list[LinkPreview]


@record
class OfPreviewSettings:
    """With a `conversation`, its setting too."""

    conversation: Id | None = None


@record
class UpdatePreviewSettings:
    """Without a `conversation`: whether links in your own messages get previews. With one: whether links in it do."""

    enabled: bool
    conversation: Id | None = None


@record
class PreviewSettings:
    """Whether links in your own messages get previews and, if a conversation was named, whether links in it do.

    `node`: whether the node makes any; `direct`: whether it does in direct conversations.
    """

    enabled: bool
    node: bool
    direct: bool
    conversation_enabled: bool | None = None
