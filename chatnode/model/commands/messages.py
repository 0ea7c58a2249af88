"""Messages, receipts and the inbox."""

from __future__ import annotations

import attrs

from chatnode.model.conversations import InboxEntry
from chatnode.model.fields import Body, Cid, Gid, Id, Limit, Seq
from chatnode.model.messages import Message, Receipt


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
