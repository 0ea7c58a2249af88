"""Conversations and their members."""

from __future__ import annotations

from typing import Annotated, Literal

import attrs

from chatnode.model.conversations import (
    Conversation,
    ConversationContext,
    ConversationSettings,
    History,
    InboxEntry,
    Member,
    MemberRole,
    Notify,
    SubjectId,
    SubjectType,
    Visibility,
)
from chatnode.model.fields import Avatar, Days, Description, Id, IdleDays, Items, Limit, Text, TimeOrEmpty, Title, Who
from chatnode.model.records import record


@record
class OpenDirect:
    with_: Who  # `with` on the wire


@record
class OpenGroup:
    """A group owned by its creator. With `history` since_joining, members see only messages posted after they
    joined."""

    title: Title
    members: Annotated[list[Who], Items(1_000)] = attrs.field(factory=list[str])
    visibility: Visibility = "private"
    description: Description = ""
    history: History | None = None
    context: ConversationContext | None = None
    idle_days: IdleDays | None = None
    retention_days: Days | None = None


@record
class FindOrOpen:
    """`members` and `title` are for a new group; without a title, it is called by the type and the id."""

    context: ConversationContext
    members: Annotated[list[Who], Items(1_000)] = attrs.field(factory=list[str])
    title: Title | None = None


@record
class FoundConversation:
    """`made`: it was created by this request."""

    conversation: str
    made: bool


@record
class OpenSupport:
    """A private group of the requester and all users with the permission `support`."""

    title: Title
    context: ConversationContext | None = None


@record
class UpdateConversation:
    """Omitted fields keep their values. 0 days disables closing or removal."""

    conversation: Id
    title: Title | None = None
    description: Description | None = None
    visibility: Visibility | None = None
    idle_days: IdleDays | None = None
    retention_days: IdleDays | None = None
    avatar: Avatar | None = None


@record
class CloseConversation:
    conversation: Id
    reason: Literal["manual", "completed"] = "manual"


@record
class ChangeSettings:
    """Omitted fields keep their values. An empty time, label or colour removes it."""

    conversation: Id
    muted_until: TimeOrEmpty | None = None
    notify: Notify | None = None
    desktop: bool | None = None
    mobile: bool | None = None
    sounds: bool | None = None
    receipts: bool | None = None
    starred: bool | None = None
    archived: bool | None = None
    colour: Literal["", "red", "orange", "yellow", "green", "blue", "purple"] | None = None
    label: Annotated[str, Text(100)] | None = None


@record
class SettingsReply:
    settings: ConversationSettings


@record
class ConversationDetails:
    conversation: Conversation
    you: InboxEntry


@record
class SetMemberRole:
    conversation: Id
    member: Who
    role: MemberRole


@record
class ListMembers:
    conversation: Id
    after: Annotated[str, Text(63)] | None = None
    limit: Limit = 100


@record
class MemberPage:
    """In order of handles; `after` takes the last handle of the previous page."""

    members: list[Member]


@record
class ListPublic:
    query: Annotated[str, Text(200)] = ""
    after: Id | None = None
    limit: Limit = 50


@record
class ListAbout:
    """`context_id` is the object's id; over HTTP `id` is accepted too, which is the request's on a socket. `after`
    takes the last id of the previous page.
    """

    type: SubjectType
    context_id: SubjectId | None = None
    id: SubjectId | None = None
    after: Id | None = None
    limit: Limit = 50


@record
class ConversationPage:
    conversations: list[Conversation]
