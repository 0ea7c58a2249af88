"""Conversations and their members."""

from __future__ import annotations

from typing import Annotated, Literal

from chatnode.model.fields import Text
from chatnode.model.messages import Message
from chatnode.model.people import PersonRef
from chatnode.model.records import record

Kind = Literal["direct", "group"]
Visibility = Literal["private", "public"]
History = Literal["all", "since_joining"]
MemberRole = Literal["owner", "admin", "member"]

Purpose = Literal["general", "support"]
ClosedReason = Literal["completed", "manual", "blocked", "inactive"]
Notify = Literal["all", "mentions", "none"]
Colour = Literal["red", "orange", "yellow", "green", "blue", "purple"]

RANK: dict[str, int] = {"member": 0, "admin": 1, "owner": 2}
"""Members may manage only members of lower rank."""


SubjectType = Annotated[str, Text(64, 1, r"[A-Za-z0-9_.-]+", hint="expected A-Z a-z 0-9 _ . -, such as order")]
SubjectId = Annotated[str, Text(200, 1)]


@record(frozen=True)
class ConversationContext:
    """What a conversation is about: an object of the embedding program, by its type and id."""

    type: SubjectType
    id: SubjectId


@record(frozen=True)
class Conversation:
    """A conversation as its members see it. `head` is the seq of its newest message, 0 if empty. A closed
    conversation accepts no messages until it is reopened; it closes after `idle_days` without messages, and messages
    are removed after `retention_days`. A conversation that was closed long ago is inactive: it is in no inbox until
    it is reopened. `avatar` is the address of a group's picture, relative to the node.
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
    context: ConversationContext | None = None
    closed_at: str | None = None
    closed_reason: ClosedReason | None = None
    inactive_at: str | None = None
    idle_days: int | None = None
    retention_days: int | None = None
    avatar: str | None = None


@record(frozen=True)
class ConversationSettings:
    """A user's own settings for a conversation. `muted_until` is a time; `notify` is what to notify about. `receipts`
    false hides from others how far the user has read.
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


@record(frozen=True)
class Member:
    """A member, with delivered and read marks, as far as the member shows them."""

    person: PersonRef
    name: str
    role: MemberRole
    joined_at: str
    delivered_seq: int
    read_seq: int


@record(frozen=True)
class InboxEntry:
    """A conversation in a user's inbox. `unread` counts messages after `read_seq`; `mentions` counts those that
    mention the user. `first` is the lowest seq the user may see: 1, unless the group hides history from new members
    or old messages were removed. `settings` is absent while all have their defaults.
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
    settings: ConversationSettings | None = None
    avatar: str | None = None
