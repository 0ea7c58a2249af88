"""Classes that several commands share."""

from __future__ import annotations

import attrs

from chatnode.model.fields import Id, Who
from chatnode.model.people import Person


@attrs.define
class Nothing:
    """No fields."""


@attrs.define
class InConversation:
    conversation: Id


@attrs.define
class ConversationReply:
    conversation: str


@attrs.define
class MemberOf:
    conversation: Id
    member: Who


@attrs.define
class PersonReply:
    person: Person


@attrs.define
class NotJoined:
    """A group of the invite that the new account could not join, and why."""

    conversation: str
    code: str
    message: str


@attrs.define
class SignedIn:
    """A new token: shown only once, and stored only as a hash."""

    token: str
    person: Person
    not_joined: list[NotJoined] | None = None
