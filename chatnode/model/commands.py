"""What each command takes and gives. The commands themselves, with permission and limit, are listed by the
services that carry them out; `chatnode.services.COMMANDS` is the table.

Field names are the protocol's. A field with a default may be left out.
"""

from __future__ import annotations

from typing import Annotated, Literal

import attrs

from chatnode.model.conversations import Conversation, History, InboxEntry, Member, MemberRole, Visibility
from chatnode.model.fields import (
    Body,
    Cid,
    Days,
    Description,
    Device,
    Gid,
    Handle,
    Id,
    Items,
    Limit,
    Name,
    Password,
    Secret,
    Seq,
    Text,
    Title,
    Url,
    Who,
    Whole,
)
from chatnode.model.messages import Message, Receipt
from chatnode.model.people import Person, PersonRef

YEAR_9999_MS = 253_402_300_799_999  # the last millisecond that RFC 3339 can name

# ---- what several commands share


@attrs.define
class Nothing:
    """No fields."""


@attrs.define
class InConversation:
    conversation: Id


@attrs.define
class ConversationGiven:
    conversation: str


@attrs.define
class MemberOf:
    conversation: Id
    member: Who


@attrs.define
class PersonGiven:
    person: Person


@attrs.define
class SignedIn:
    """A fresh token: shown this once, stored only as a hash."""

    token: str
    person: Person


# ---- accounts


@attrs.define
class CreatePerson:
    """An account made by an administrator. Without a password it can only be used by token."""

    handle: Handle
    name: Name | None = None
    password: Password | None = None
    admin: bool = False


@attrs.define
class GetPerson:
    person: Who


@attrs.define
class UpdateProfile:
    name: Name | None = None
    avatar: Url | None = None


@attrs.define
class ChangePassword:
    """`old` may be left out only by somebody who may manage people, for another person."""

    new: Password
    old: Password | None = None
    person: Who | None = None


@attrs.define
class SetRole:
    person: Who
    role: Annotated[str, Text(40, 1)]


@attrs.define
class ListPeople:
    prefix: Annotated[str, Text(63)] = ""
    after: Annotated[str, Text(63)] | None = None
    limit: Limit = 50


@attrs.define
class PeopleGiven:
    people: list[Person]


@attrs.define
class Me:
    person: Person
    role: str
    permissions: list[str]


# ---- sign-in: sessions, tokens, invites, set-up


@attrs.define
class SignIn:
    handle: Handle
    password: Password
    device: Device | None = None


@attrs.define
class Session:
    """A signed-in device or an API token. Times are absent until the first use."""

    session: int
    kind: Literal["device", "token"]
    label: str
    created_at: str
    expires_at: str | None = None
    last_used_at: str | None = None
    current: bool = False


@attrs.define
class SessionsGiven:
    sessions: list[Session]


@attrs.define
class RevokeSession:
    session: Seq


@attrs.define
class Revoked:
    revoked: int


@attrs.define
class CreateToken:
    """A token for programs. `person` other than oneself needs the permission to manage people."""

    person: Who | None = None
    label: Device | None = None
    days: Days | None = None


@attrs.define
class TokenGiven:
    token: str
    session: int


@attrs.define
class CreateInvite:
    """A link that makes up to `uses` accounts, each joining `conversations`."""

    uses: Limit = 1
    days: Days | None = None
    conversations: Annotated[list[Id], Items(50)] = attrs.field(factory=list[str])


@attrs.define
class Invite:
    invite: int
    uses_left: int
    created_at: str
    expires_at: str
    by: PersonRef | None = None


@attrs.define
class InviteGiven:
    code: str
    link: str
    invite: Invite


@attrs.define
class InvitesGiven:
    invites: list[Invite]


@attrs.define
class RevokeInvite:
    invite: Seq


@attrs.define
class AcceptInvite:
    code: Secret
    handle: Handle
    password: Password
    name: Name | None = None
    device: Device | None = None


@attrs.define
class CreateSetup:
    """A link with which the first administrator makes their account."""


@attrs.define
class SetupGiven:
    code: str
    link: str


# ---- conversations


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


# ---- messages, receipts, inbox


@attrs.define
class PostMessage:
    conversation: Id
    cid: Cid
    text: Body
    reply_to: Id | None = None


@attrs.define
class Posted:
    """`dup`: this `cid` had been posted before, and here is what it got then."""

    gid: int
    seq: int
    message: str
    dup: bool


@attrs.define
class ListMessages:
    """The newest page, or the one before or after a seq; always in ascending order."""

    conversation: Id
    before: Seq | None = None
    after: Seq | None = None
    limit: Limit = 50


@attrs.define
class MessagesGiven:
    messages: list[Message]


@attrs.define
class GetMessage:
    message: Id


@attrs.define
class MessageGiven:
    message: Message


@attrs.define
class MarkUpTo:
    conversation: Id
    seq: Seq


@attrs.define
class Marked:
    """How far the mark is now. It never goes back, so this may be more than was asked for."""

    seq: int
    unread: int


@attrs.define
class ReceiptsGiven:
    receipts: list[Receipt]


@attrs.define
class ListInbox:
    limit: Limit = 50
    after: Gid | None = None


@attrs.define
class InboxGiven:
    """Latest activity first. `next` is the `after` of the following page, absent on the last."""

    conversations: list[InboxEntry]
    next: int | None = None


# ---- events


@attrs.define
class Cursor:
    """How far a reader has got in the log. `epoch` changes when a backup is restored."""

    epoch: Id
    gid: Gid


@attrs.define
class Hello:
    """The first frame on a client socket."""

    token: Secret | None = None
    device: Device | None = None
    cursor: Cursor | None = None


@attrs.define
class Welcome:
    """`replay`: what was missed follows as pushes, then `live`. `reset`: `inbox` is the state to begin from,
    and more of it is at `inbox.list` from `inbox.next` on."""

    epoch: str
    head: int
    mode: Literal["replay", "reset"]
    me: PersonRef
    session: int
    inbox: InboxGiven | None = None


@attrs.define
class Welcomed:
    welcome: Welcome


# ---- import


@attrs.define
class ImportConversation:
    """A public group for messages from elsewhere; found again by `source` and `key`."""

    source: Annotated[str, Text(40, 1, r"[a-z0-9_-]+")]
    key: Annotated[str, Text(200, 1)]
    title: Title
    description: Description = ""
    join: bool = True


@attrs.define
class ImportItem:
    """One message from elsewhere. `author` is the name there; `at` is in milliseconds since 1970, UTC."""

    cid: Cid
    author: Annotated[str, Text(200, 1)]
    at: Annotated[int, Whole(0, YEAR_9999_MS)]
    text: Body
    reply_to: Cid | None = None
    reply_to_author: Annotated[str, Text(200, 1)] | None = None
    metadata: dict[str, str] = attrs.field(factory=dict[str, str])


@attrs.define
class ImportMessages:
    conversation: Id
    source: Annotated[str, Text(40, 1, r"[a-z0-9_-]+")]
    items: Annotated[list[ImportItem], Items(1_000)]


@attrs.define
class ImportFailure:
    cid: str
    reason: str


@attrs.define
class Imported:
    imported: int
    present: int
    failed: list[ImportFailure]


# ---- the node itself


@attrs.define
class Check:
    """What one check found; `problems` is empty when all is well."""

    name: str
    problems: list[str]


@attrs.define
class Checked:
    clean: bool
    checks: list[Check]


@attrs.define
class NodeInfo:
    """For anybody: that this is a chatnode, and whether it still waits for its first administrator."""

    name: str
    version: str
    needs_setup: bool


@attrs.define
class NodeStatistics:
    people: int
    conversations: int
    messages: int
    head: int
    epoch: str
    live_sessions: int
    uptime_seconds: float
