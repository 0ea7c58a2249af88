"""Conversations and the people in them."""

from __future__ import annotations

from typing import Annotated, Literal

import attrs

from chatnode.model.fields import Text
from chatnode.model.messages import Message
from chatnode.model.people import PersonRef

Kind = Literal["direct", "group"]
Visibility = Literal["private", "public"]
History = Literal["all", "since_joining"]
MemberRole = Literal["owner", "admin", "member"]

Purpose = Literal["general", "support"]
ClosedReason = Literal["completed", "manual", "blocked", "inactive"]
Notify = Literal["all", "mentions", "none"]
Colour = Literal["red", "orange", "yellow", "green", "blue", "purple"]

RANK: dict[str, int] = {"member": 0, "admin": 1, "owner": 2}
"""A member may change only members of lower rank."""


SubjectType = Annotated[str, Text(64, 1, r"[A-Za-z0-9_.-]+", hint="expected A-Z a-z 0-9 _ . -, such as order")]
SubjectId = Annotated[str, Text(200, 1)]


@attrs.frozen
class Subject:
    """What a conversation is about: a thing of the embedder's, by its type and id there."""

    type: SubjectType
    id: SubjectId


@attrs.frozen
class Conversation:
    """A conversation as its participants see it. `head` is the seq of its newest message, 0 when empty.

    A closed one takes no messages until it is opened again; `idle_days` without any close it, and messages are
    removed after `retention_days`. One that was closed long ago is inactive: it is in no inbox until it is opened.
    """

    conversation: str
    kind: Kind
    title: str
    description: str
    visibility: Visibility
    history: History
    created_at: str
    head: int
    members: int
    purpose: Purpose = "general"
    context: Subject | None = None
    closed_at: str | None = None
    closed_reason: ClosedReason | None = None
    inactive_at: str | None = None
    idle_days: int | None = None
    retention_days: int | None = None


@attrs.frozen
class Settings:
    """A person's own settings of a conversation.

    `muted_until` is a time; `notify` says what to be told of. `receipts` false hides how far they read from others.
    """

    muted_until: str | None = None
    notify: Notify = "all"
    desktop: bool = True
    mobile: bool = True
    sounds: bool = True
    receipts: bool = True
    starred: bool = False
    archived: bool = False
    colour: Colour | None = None
    label: str | None = None


@attrs.frozen
class Member:
    """A participant, with how far they have got, as far as they show it."""

    person: PersonRef
    name: str
    role: MemberRole
    joined_at: str
    delivered_seq: int
    read_seq: int


@attrs.frozen
class InboxEntry:
    """One conversation in one person's inbox.

    `unread` counts messages after `read_seq`; `mentions` those of them that name the reader. `first` is the
    lowest seq the reader may see (1 unless the group keeps history to those who were there, or old messages were
    removed). `settings` is absent while all are as by default.
    """

    conversation: str
    kind: Kind
    title: str
    visibility: Visibility
    role: MemberRole
    head: int
    first: int
    read_seq: int
    delivered_seq: int
    unread: int
    mentions: int
    members: int
    activity: int
    last: Message | None = None
    peer: PersonRef | None = None
    closed_at: str | None = None
    settings: Settings | None = None
