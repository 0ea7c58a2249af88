"""Classes that several commands share."""

from __future__ import annotations

from chatnode.model.fields import Id, Who
from chatnode.model.people import Person
from chatnode.model.records import record


@record
class Nothing:
    """No fields."""


@record
class InConversation:
    conversation: Id


@record
class ConversationReply:
    conversation: str


@record
class MemberOf:
    conversation: Id
    member: Who


@record
class PersonReply:
    person: Person


@record
class NotJoined:
    """A group of the invite that the new account could not join, and why."""

    conversation: str
    code: str
    message: str


@record
class SignedIn:
    """A new token: shown only once, and stored only as a hash."""

    token: str
    person: Person
    not_joined: list[NotJoined] | None = None
