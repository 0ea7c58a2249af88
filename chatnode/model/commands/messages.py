"""Messages, receipts and the inbox."""

from __future__ import annotations

from typing import Annotated, Literal

import attrs

from chatnode.model.actions import MOST_ACTIONS, Action
from chatnode.model.conversations import InboxEntry
from chatnode.model.fields import Caption, Cid, Gid, Id, Items, Limit, Metadata, Seq, Text
from chatnode.model.messages import Edition, FileRef, Location, Message, MessageKind, Notice, Receipt
from chatnode.model.people import PersonRef


@attrs.define
class PostMessage:
    """`thread` is the message whose thread this belongs to. Kinds other than text have a field of their own: `files`
    for image and file, `location`, `system`; `text` is then a caption. `media` is a list `files` of one file. `actions`
    are buttons, which only a bot can post, in a message of kind text."""

    conversation: Id
    cid: Cid
    text: Caption = ""
    reply_to: Id | None = None
    thread: Id | None = None
    kind: MessageKind = "text"
    media: FileRef | None = None
    files: Annotated[list[FileRef], Items(1_000)] | None = None  # the real bound is limits.files_per_message
    location: Location | None = None
    system: Notice | None = None
    metadata: Metadata | None = None
    actions: Annotated[list[Action], Items(MOST_ACTIONS)] | None = None


@attrs.define
class Posted:
    """`dup`: this `cid` was posted before, and this is the original reply."""

    gid: int
    seq: int
    message: str
    dup: bool


@attrs.define
class ListMessages:
    """The newest page, or the page before or after a seq; always in ascending order."""

    conversation: Id
    before: Seq | None = None
    after: Seq | None = None
    limit: Limit = 50


@attrs.define
class MessagePage:
    messages: list[Message]


@attrs.define
class GetMessage:
    message: Id


@attrs.define
class MessageReply:
    message: Message


@attrs.define
class EditMessage:
    """`actions` replace the buttons of a bot's message; omitted, they stay."""

    message: Id
    text: Caption
    actions: Annotated[list[Action], Items(MOST_ACTIONS)] | None = None


@attrs.define
class DeleteMessage:
    """Moderation, abuse and spam are reasons to delete another user's message."""

    message: Id
    reason: Literal["user_request", "moderation", "abuse", "spam"] = "user_request"


@attrs.define
class EditionList:
    """From the first version to the current one."""

    editions: list[Edition]


@attrs.define
class ListThread:
    """`message` is the thread's first message."""

    message: Id
    after: Seq = 0
    limit: Limit = 50


@attrs.define
class ReportMessage:
    message: Id
    reason: Literal["abuse", "spam", "illegal", "other"]
    note: Annotated[str, Text(1_000, free=True)] = ""


@attrs.define
class Report:
    """A report, for moderators. `message` is its current state."""

    report: int
    message: Message
    reporter: PersonRef
    reason: str
    note: str
    at: str
    resolved_at: str | None = None
    resolved_by: PersonRef | None = None
    resolution: str | None = None


@attrs.define
class ReportReply:
    report: int


@attrs.define
class ListReports:
    """Open reports, newest first; `after` takes the last number of the previous page."""

    resolved: bool = False
    after: Seq | None = None
    limit: Limit = 50


@attrs.define
class ReportPage:
    reports: list[Report]


@attrs.define
class ResolveReport:
    report: Seq
    resolution: Annotated[str, Text(1_000, 1, free=True)]


@attrs.define
class MarkUpTo:
    conversation: Id
    seq: Seq


@attrs.define
class Marked:
    """The current mark. It never goes back, so it may be higher than requested."""

    seq: int
    unread: int


@attrs.define
class MarkAll:
    """The conversations to mark as read; omitted: all."""

    conversations: Annotated[list[Id], Items(1_000)] | None = None


@attrs.define
class MarkedIn:
    conversation: str
    seq: int


@attrs.define
class AllMarked:
    """The conversations that had unread messages, with their new marks."""

    conversations: list[MarkedIn]


@attrs.define
class ReceiptList:
    receipts: list[Receipt]


@attrs.define
class ListInbox:
    """`unread`: only conversations with unread messages. `archived`, `starred`: only those that are, or are not."""

    limit: Limit = 50
    after: Gid | None = None
    unread: bool = False
    archived: bool | None = None
    starred: bool | None = None


@attrs.define
class InboxPage:
    """Latest activity first. `next` is the `after` of the next page; absent on the last page."""

    conversations: list[InboxEntry]
    next: int | None = None
