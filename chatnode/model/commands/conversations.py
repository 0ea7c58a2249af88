"""Conversations and who takes part."""

from __future__ import annotations

from typing import Annotated

import attrs

from chatnode.model.conversations import Conversation, History, InboxEntry, Member, MemberRole, Visibility
from chatnode.model.fields import Description, Id, Items, Limit, Text, Title, Who


@attrs.define
class OpenDirect:
    with_: Who  # `with` on the wire


@attrs.define
class OpenGroup:
    """A group owned by its opener. `history` since_joining hides what was said before somebody joined."""

    title: Title
    members: Annotated[list[Who], Items(1_000)] = attrs.field(factory=list[str])
    visibility: Visibility = "private"
    description: Description = ""
    history: History | None = None


@attrs.define
class UpdateConversation:
    conversation: Id
    title: Title | None = None
    description: Description | None = None
    visibility: Visibility | None = None


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
class MembersGiven:
    """In the order of handles; `after` takes the last one."""

    members: list[Member]


@attrs.define
class ListPublic:
    query: Annotated[str, Text(200)] = ""
    after: Id | None = None
    limit: Limit = 50


@attrs.define
class ConversationsGiven:
    conversations: list[Conversation]
