"""Bringing conversations in from elsewhere."""

from __future__ import annotations

from typing import Annotated

import attrs

from chatnode.model.fields import Body, Cid, Description, Id, Items, Metadata, Text, Title, Whole
from chatnode.model.times import LAST_MS


@attrs.define
class ImportConversation:
    """A public group for messages from elsewhere; found again by `source` and `key`."""

    source: Annotated[str, Text(40, 1, r"[a-z0-9_-]+")]
    key: Annotated[str, Text(200, 1)]
    title: Title
    description: Description = ""
    join: bool = True


@attrs.define
class ImportItem:
    """One message from elsewhere. `author` is the name there; `at` is in milliseconds since 1970, UTC."""

    cid: Cid
    author: Annotated[str, Text(200, 1)]
    at: Annotated[int, Whole(0, LAST_MS)]
    text: Body
    reply_to: Cid | None = None
    reply_to_author: Annotated[str, Text(200, 1)] | None = None
    metadata: Metadata = attrs.field(factory=dict[str, str])


@attrs.define
class ImportMessages:
    conversation: Id
    source: Annotated[str, Text(40, 1, r"[a-z0-9_-]+")]
    items: Annotated[list[ImportItem], Items(1_000)]


@attrs.define
class ImportFailure:
    cid: str
    reason: str


@attrs.define
class Imported:
    imported: int
    present: int
    failed: list[ImportFailure]
