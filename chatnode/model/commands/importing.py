"""Importing conversations from other systems."""

from __future__ import annotations

from typing import Annotated, Literal

import attrs

from chatnode.model.fields import Body, Cid, Description, Id, Items, Metadata, Text, Title, Whole
from chatnode.model.records import record
from chatnode.model.times import LAST_MS

Unique = Literal["source", "conversation"]
SourceName = Annotated[str, Text(80, 1, r"[a-z0-9_-]+(\.[a-z0-9_-]+)?")]
RoomKey = Annotated[str, Text(200, 1)]
Keys = Annotated[list[RoomKey], Items(4)]
Author = Annotated[str, Text(200, 1)]


@record
class ImportConversation:
    """A public group for imported messages, identified by `source` and `key`.

    `source` is the kind of source, or kind and place: `irc`, `irc.libera`. `sample` has ids of some messages. Where
    ids are `unique` only in their conversation, they identify a conversation whose place was unknown then or is
    unknown now.
    """

    source: SourceName
    key: RoomKey
    title: Title
    description: Description = ""
    join: bool = True
    unique: Unique = "source"
    sample: Annotated[list[Cid], Items(1_000)] = attrs.field(factory=list[str])


@record
class ImportItem:
    """A message to import. `author` is the author's name in the source; `at` is in milliseconds since 1970, UTC.

    `cid` is the message's id in the source; a message with the same id is never imported twice, even if its author
    has changed or it was deleted since. `also` are ids under which it may have been imported before. `author_key`
    identifies the author if several spellings of a name mean one author. `reply_to` is the id of a message in the
    same conversation; `reply_to_author` is ignored.
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


@record
class ImportMessages:
    """`unique`: whether ids are unique in the whole source, or only in each of its conversations.

    `formerly` are keys of conversations into which messages of this one may have been imported before.
    """

    conversation: Id
    source: SourceName
    items: Annotated[list[ImportItem], Items(1_000)]
    unique: Unique = "source"
    formerly: Keys = attrs.field(factory=list[str])


@record
class ImportHead:
    """What identifies a message to import; the fields are those of `ImportItem`."""

    cid: Cid
    author: Author
    author_key: Author | None = None
    also: Annotated[list[Cid], Items(4)] = attrs.field(factory=list[str])


@record
class FindMissing:
    source: SourceName
    key: RoomKey
    items: Annotated[list[ImportHead], Items(1_000)]
    unique: Unique = "source"
    formerly: Keys = attrs.field(factory=list[str])
    sample: Annotated[list[Cid], Items(1_000)] = attrs.field(factory=list[str])


@record
class ImportFailure:
    cid: str
    reason: str


@record
class Elsewhere:
    """A message that is already in another conversation and stays there."""

    cid: str
    conversation: str
    title: str


@record
class Imported:
    """Counts of imported and of already present messages. `removed` counts those removed here since they were first
    imported; `elsewhere` names those of `present` that are in another conversation. Both are absent if empty.
    """

    imported: int
    present: int
    failed: list[ImportFailure]
    removed: int | None = None
    elsewhere: list[Elsewhere] | None = None


@record
class Missing:
    """`missing` are the ids of messages that were never imported; the others are counted as in `import.messages`."""

    missing: list[str]
    present: int
    removed: int | None = None
    elsewhere: list[Elsewhere] | None = None


@record
class ImportedConversationReply:
    """`source` is the source under which the node knows the conversation; send it with its messages."""

    conversation: str
    source: str
