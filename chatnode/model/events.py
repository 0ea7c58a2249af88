"""Events: the durable changes that the log records and clients receive.

An event exists twice: as a narrow row in the log, and as the object here, which is what a client is sent.
The transaction that changes something makes the object; when the log is read later, it is rebuilt from the tables.
Both give the same frame.
"""

from __future__ import annotations

from typing import ClassVar

from chatnode.model.bots import PrivateNotice
from chatnode.model.conversations import Conversation, ConversationSettings, MemberRole
from chatnode.model.messages import Message
from chatnode.model.people import Person, PersonRef
from chatnode.model.records import record
from chatnode.model.work import WorkInfo


@record
class Event:
    """`name` is the event's name on the wire and its kind in the log."""

    name: ClassVar[str]


@record
class MessagePosted(Event):
    """A message was posted. Its sender has also read up to here."""

    name = "message.posted"
    conversation: str
    message: Message


@record
class MessageEdited(Event):
    """A message was edited; this is its new state."""

    name = "message.edited"
    conversation: str
    message: Message


@record
class MessageDeleted(Event):
    """A message was deleted for everyone; this is what is left of it."""

    name = "message.deleted"
    conversation: str
    message: Message


@record
class MessagePinned(Event):
    """A message was pinned or unpinned; see `pinned_at`."""

    name = "message.pinned"
    conversation: str
    message: Message


@record
class ReceiptRead(Event):
    """`person` has read everything up to `seq`."""

    name = "receipt.read"
    conversation: str
    person: PersonRef
    seq: int
    at: str


@record
class ReceiptDelivered(Event):
    """A device of `person` holds everything up to `seq`."""

    name = "receipt.delivered"
    conversation: str
    person: PersonRef
    seq: int
    at: str


@record
class MemberJoined(Event):
    """`person` joined. Their own clients fetch the conversation again."""

    name = "member.joined"
    conversation: str
    person: PersonRef
    by: PersonRef | None = None


@record
class MemberLeft(Event):
    """`person` left, or was removed by `by`. For their own clients it is the last event of this conversation."""

    name = "member.left"
    conversation: str
    person: PersonRef
    by: PersonRef | None = None


@record
class MemberChanged(Event):
    """`person` has a new role in the conversation."""

    name = "member.changed"
    conversation: str
    person: PersonRef
    role: MemberRole


@record
class ConversationUpdated(Event):
    """The conversation was created, changed, closed or reopened; this is its new state."""

    name = "conversation.updated"
    conversation: str
    details: Conversation


@record
class ConversationTrimmed(Event):
    """Messages up to `floor` were removed permanently: forget them, and count them as read."""

    name = "conversation.trimmed"
    conversation: str
    floor: int


@record
class ConversationImported(Event):
    """Messages up to `head` were imported: fetch the ranges you need."""

    name = "conversation.imported"
    conversation: str
    head: int


@record
class SettingsChanged(Event):
    """The recipient's own settings for a conversation, in full."""

    name = "settings.changed"
    conversation: str
    settings: ConversationSettings


@record
class PersonBlocked(Event):
    """The recipient blocked or unblocked a user."""

    name = "person.blocked"
    person: PersonRef
    blocked: bool


@record
class PersonUpdated(Event):
    """A user's profile changed. Sent to every user who shares a conversation with them."""

    name = "person.updated"
    person: Person


@record
class PersonErased(Event):
    """A user was erased. Their messages count as deleted at `at` with the reason `erased`, unless they were deleted
    before.

    Clients drop their texts, and show the name and handle of `person`. Sent to every user who may hold any of it.
    """

    name = "person.erased"
    person: Person
    at: str


@record
class PersonAdopted(Event):
    """An imported author was handed over to a user: messages and mentions of `author` now belong to `person`.

    `author` is what is left of the author's profile. Sent to every user who may hold any of it.
    """

    name = "person.adopted"
    author: Person
    person: Person


@record
class SessionRevoked(Event):
    """One of the recipient's own devices or tokens was signed out."""

    name = "session.revoked"
    session: int


@record
class RoleChanged(Event):
    """The recipient's role on the node changed; their live sessions end and resume with the new role."""

    name = "role.changed"
    role: str


@record
class WorkChanged(Event):
    """One of the recipient's work items was created, started, paused, resumed or ended; this is its new state."""

    name = "work.changed"
    work: WorkInfo


@record
class SlashInvoked(Event):
    """`person` ran a slash command of `bot`, which is the recipient: `command` is its name, `text` what follows it."""

    name = "slash.invoked"
    invocation: str
    bot: PersonRef
    conversation: str
    person: PersonRef
    command: str
    text: str
    at: str


@record
class ActionInvoked(Event):
    """`person` pressed a button of a message of `bot`, which is the recipient: `action` is the id of the button."""

    name = "action.invoked"
    invocation: str
    bot: PersonRef
    conversation: str
    message: str
    action: str
    person: PersonRef
    at: str


@record
class NoticeSent(Event):
    """A text that only the recipient sees, and can see for a day: the answer to what they invoked."""

    name = "notice.private"
    notice: PrivateNotice


EVENTS: dict[str, type[Event]] = {
    each.name: each
    for each in tuple(globals().values())
    if isinstance(each, type) and issubclass(each, Event) and each is not Event
}
"""All events of this module by name; a test checks that `docs/protocol.md` describes each."""
