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
from chatnode.model.fields import Avatar, Days, Description, Id, IdleDays, Items, Limit, Text, Time, Title, Who


@attrs.define
class OpenDirect:
    with_: Who  # `with` on the wire


@attrs.define
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


@attrs.define
class FindOrOpen:
    """`members` and `title` are for a new group; without a title, it is called by the type and the id."""

    context: ConversationContext
    members: Annotated[list[Who], Items(1_000)] = attrs.field(factory=list[str])
    title: Title | None = None


@attrs.define
class FoundConversation:
    """`made`: it was created by this request."""

    conversation: str
    made: bool


@attrs.define
class OpenSupport:
    """A private group of the requester and all users who answer support."""

    title: Title
    context: ConversationContext | None = None


@attrs.define
class UpdateConversation:
    """Omitted fields keep their values. 0 days disables closing or removal."""

    conversation: Id
    title: Title | None = None
    description: Description | None = None
    visibility: Visibility | None = None
    idle_days: IdleDays | None = None
    retention_days: IdleDays | None = None
    avatar: Avatar | None = None


@attrs.define
class CloseConversation:
    conversation: Id
    reason: Literal["manual", "completed"] = "manual"


@attrs.define
class ChangeSettings:
    """Omitted fields keep their values. An empty time, label or colour removes it."""

    conversation: Id
    muted_until: Time | None = None
    notify: Notify | None = None
    desktop: bool | None = None
    mobile: bool | None = None
    sounds: bool | None = None
    receipts: bool | None = None
    starred: bool | None = None
    archived: bool | None = None
    colour: Literal["", "red", "orange", "yellow", "green", "blue", "purple"] | None = None
    label: Annotated[str, Text(100)] | None = None


@attrs.define
class SettingsReply:
    settings: ConversationSettings


@attrs.define
class ConversationDetails:
    conversation: Conversation
    you: InboxEntry


@attrs.define
class SetMemberRole:
    conversation: Id
    member: Who
    role: MemberRole


@attrs.define
class ListMembers:
    conversation: Id
    after: Annotated[str, Text(63)] | None = None
    limit: Limit = 100


@attrs.define
class MemberPage:
    """In order of handles; `after` takes the last handle of the previous page."""

    members: list[Member]


@attrs.define
class ListPublic:
    query: Annotated[str, Text(200)] = ""
    after: Id | None = None
    limit: Limit = 50


@attrs.define
class ListAbout:
    """`context_id` is the object's id; over HTTP `id` is accepted too, which is the request's on a socket. `after`
    takes the last id of the previous page.
    """

    type: SubjectType
    context_id: SubjectId | None = None
    id: SubjectId | None = None
    after: Id | None = None
    limit: Limit = 50


@attrs.define
class ConversationPage:
    conversations: list[Conversation]
