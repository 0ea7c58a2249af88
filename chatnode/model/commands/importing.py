"""Bringing conversations in from elsewhere."""

from __future__ import annotations

from typing import Annotated, Literal

import attrs

from chatnode.model.fields import Body, Cid, Description, Id, Items, Metadata, Text, Title, Whole
from chatnode.model.times import LAST_MS

Unique = Literal["source", "conversation"]
SourceName = Annotated[str, Text(80, 1, r"[a-z0-9_-]+(\.[a-z0-9_-]+)?")]
RoomKey = Annotated[str, Text(200, 1)]
Keys = Annotated[list[RoomKey], Items(4)]
Author = Annotated[str, Text(200, 1)]


@attrs.define
class ImportConversation:
    """A public group for messages from elsewhere; found again by `source` and `key`.

    `source` is a kind of source, or a kind and a place: `irc`, `irc.libera`. `sample` has ids of some messages: by them
    a conversation is found again of which the place was not known, or is not any more, where ids are only `unique` in
    their conversation.
    """

    source: SourceName
    key: RoomKey
    title: Title
    description: Description = ""
    join: bool = True
    unique: Unique = "source"
    sample: Annotated[list[Cid], Items(1_000)] = attrs.field(factory=list[str])


@attrs.define
class ImportItem:
    """One message from elsewhere. `author` is the name there; `at` is in milliseconds since 1970, UTC.

    `cid` is the message's id there: what was imported under it once is never imported again, whoever wrote it and
    whatever became of it since. `also` are ids that it may have been imported under before. `author_key` is what the
    author is known by, if spellings of one name are one author. `reply_to` is the id of a message of the same
    conversation; `reply_to_author` is not needed any more.
    """

    cid: Cid
    author: Author
    at: Annotated[int, Whole(0, LAST_MS)]
    text: Body
    reply_to: Cid | None = None
    reply_to_author: Author | None = None
    metadata: Metadata = attrs.field(factory=dict[str, str])
    author_key: Author | None = None
    also: Annotated[list[Cid], Items(4)] = attrs.field(factory=list[str])


@attrs.define
class ImportMessages:
    """`unique`: whether ids are unique in the whole source, or only in each of its conversations.

    `formerly` are keys of conversations that messages of this one may have been imported into before.
    """

    conversation: Id
    source: SourceName
    items: Annotated[list[ImportItem], Items(1_000)]
    unique: Unique = "source"
    formerly: Keys = attrs.field(factory=list[str])


@attrs.define
class ImportHead:
    """What identifies a message from elsewhere: the fields of `ImportItem` of these names."""

    cid: Cid
    author: Author
    author_key: Author | None = None
    also: Annotated[list[Cid], Items(4)] = attrs.field(factory=list[str])


@attrs.define
class FindMissing:
    source: SourceName
    key: RoomKey
    items: Annotated[list[ImportHead], Items(1_000)]
    unique: Unique = "source"
    formerly: Keys = attrs.field(factory=list[str])
    sample: Annotated[list[Cid], Items(1_000)] = attrs.field(factory=list[str])


@attrs.define
class ImportFailure:
    cid: str
    reason: str


@attrs.define
class Elsewhere:
    """A message that is in another conversation already, and stays there."""

    cid: str
    conversation: str
    title: str


@attrs.define
class Imported:
    """How many were imported, and how many were here already.

    `removed` says how many were removed here since they were first imported; `elsewhere` names those of `present` that
    are in another conversation. Both are there only when there are any.
    """

    imported: int
    present: int
    failed: list[ImportFailure]
    removed: int | None = None
    elsewhere: list[Elsewhere] | None = None


@attrs.define
class Missing:
    """`missing` are the ids of messages that were never imported; the rest are counted as in `import.messages`."""

    missing: list[str]
    present: int
    removed: int | None = None
    elsewhere: list[Elsewhere] | None = None


@attrs.define
class ImportedConversationGiven:
    """`source` is the one that the conversation is known by here: give it with its messages."""

    conversation: str
    source: str
