"""What happened: the durable changes that the log names and clients are told of.

An event exists twice: as a narrow row in the log, and as the object here, which is what a client is sent.
The object is made by the transaction that changes something, or again from the tables when the log is read
later; both give the same frame.
"""

from __future__ import annotations

from typing import ClassVar

import attrs

from chatnode.model.conversations import Conversation, MemberRole, Settings
from chatnode.model.messages import Message
from chatnode.model.people import Person, PersonRef


@attrs.define
class Event:
    """`name` is the event's name on the wire and its kind in the log."""

    name: ClassVar[str]


@attrs.define
class MessagePosted(Event):
    """A message is in the conversation. For its sender it also means: read up to here."""

    name = "message.posted"
    conversation: str
    message: Message


@attrs.define
class MessageEdited(Event):
    """A message says something else now: here it is whole."""

    name = "message.edited"
    conversation: str
    message: Message


@attrs.define
class MessageDeleted(Event):
    """A message was deleted for all: what is left of it."""

    name = "message.deleted"
    conversation: str
    message: Message


@attrs.define
class MessagePinned(Event):
    """A message was pinned, or is no longer: `pinned_at` tells."""

    name = "message.pinned"
    conversation: str
    message: Message


@attrs.define
class ReceiptRead(Event):
    """`person` has read everything up to `seq`."""

    name = "receipt.read"
    conversation: str
    person: PersonRef
    seq: int
    at: str


@attrs.define
class ReceiptDelivered(Event):
    """A device of `person` holds everything up to `seq`."""

    name = "receipt.delivered"
    conversation: str
    person: PersonRef
    seq: int
    at: str


@attrs.define
class MemberJoined(Event):
    """`person` takes part from now on. To themself: fetch the conversation anew."""

    name = "member.joined"
    conversation: str
    person: PersonRef
    by: PersonRef | None = None


@attrs.define
class MemberLeft(Event):
    """`person` is out, by themself or removed by `by`. To themself: the last event of this conversation."""

    name = "member.left"
    conversation: str
    person: PersonRef
    by: PersonRef | None = None


@attrs.define
class MemberChanged(Event):
    """`person` has another role in the conversation."""

    name = "member.changed"
    conversation: str
    person: PersonRef
    role: MemberRole


@attrs.define
class ConversationUpdated(Event):
    """Something about the conversation changed, it was closed or opened again, or is new: here is how it is now."""

    name = "conversation.updated"
    conversation: str
    details: Conversation


@attrs.define
class ConversationTrimmed(Event):
    """Messages up to `floor` were removed for good: forget them, and count them as read."""

    name = "conversation.trimmed"
    conversation: str
    floor: int


@attrs.define
class ConversationImported(Event):
    """Messages up to `head` were brought in from elsewhere: fetch by range what is wanted."""

    name = "conversation.imported"
    conversation: str
    head: int


@attrs.define
class SettingsChanged(Event):
    """The reader's own settings of a conversation, all of them."""

    name = "settings.changed"
    conversation: str
    settings: Settings


@attrs.define
class PersonBlocked(Event):
    """The reader blocked somebody, or does no longer."""

    name = "person.blocked"
    person: PersonRef
    blocked: bool


@attrs.define
class PersonUpdated(Event):
    """A person's profile changed. Goes to everyone who shares a conversation with them."""

    name = "person.updated"
    person: Person


@attrs.define
class PersonErased(Event):
    """A person was erased. Everything of theirs that was not deleted before is as if deleted at `at`, as `erased`.

    Clients drop the texts they have, and show the name and handle of `person`. Goes to everyone who has something.
    """

    name = "person.erased"
    person: Person
    at: str


@attrs.define
class PersonAdopted(Event):
    """An imported author was handed over to a user: what `author` wrote, and what names them, is `person`'s.

    `author` is what is left of the profile. Goes to everyone who has something of it.
    """

    name = "person.adopted"
    author: Person
    person: Person


@attrs.define
class SessionRevoked(Event):
    """One of the reader's own devices or tokens was signed out."""

    name = "session.revoked"
    session: int


@attrs.define
class RoleChanged(Event):
    """The reader's own role on the node changed; their live sessions end, and resume with it."""

    name = "role.changed"
    role: str


EVENTS: dict[str, type[Event]] = {
    each.name: each
    for each in tuple(globals().values())
    if isinstance(each, type) and issubclass(each, Event) and each is not Event
}
"""Every event of this module by name; `docs/protocol.md` describes each, which a test checks."""
