"""Conversations and the people in them."""

from __future__ import annotations

from typing import Literal

import attrs

from chatnode.model.messages import Message
from chatnode.model.people import PersonRef

Kind = Literal["direct", "group"]
Visibility = Literal["private", "public"]
History = Literal["all", "since_joining"]
MemberRole = Literal["owner", "admin", "member"]

RANK: dict[str, int] = {"member": 0, "admin": 1, "owner": 2}
"""A member may change only members of lower rank."""


@attrs.frozen
class Conversation:
    """A conversation as its participants see it. `head` is the seq of its newest message, 0 when empty."""

    conversation: str
    kind: Kind
    title: str
    description: str
    visibility: Visibility
    history: History
    created_at: str
    head: int
    members: int


@attrs.frozen
class Member:
    """A participant, with how far they have got. Times are those of the last advance."""

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
    lowest seq the reader may see (1 unless the group keeps history to those who were there).
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
