"""Messages, receipts and the inbox."""

from __future__ import annotations

from typing import Annotated, Literal

from chatnode.model.actions import MOST_ACTIONS, Action
from chatnode.model.conversations import InboxEntry
from chatnode.model.fields import Caption, Cid, Gid, Id, Items, Limit, Metadata, Seq, Text
from chatnode.model.messages import Edition, FileRef, Location, Message, MessageKind, Notice, Receipt
from chatnode.model.people import PersonRef
from chatnode.model.records import record


@record
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


@record
class Posted:
    """`dup`: this `cid` was posted before, and this is the original reply."""

    gid: int
    seq: int
    message: str
    dup: bool


@record
class ListMessages:
    """The newest page, or the page before or after a seq; always in ascending order."""

    conversation: Id
    before: Seq | None = None
    after: Seq | None = None
    limit: Limit = 50


@record
class MessagePage:
    messages: list[Message]


@record
class GetMessage:
    message: Id


@record
class MessageReply:
    message: Message


@record
class EditMessage:
    """`actions` replace the buttons of a bot's message; omitted, they stay."""

    message: Id
    text: Caption
    actions: Annotated[list[Action], Items(MOST_ACTIONS)] | None = None


@record
class DeleteMessage:
    """Moderation, abuse and spam are reasons to delete another user's message."""

    message: Id
    reason: Literal["user_request", "moderation", "abuse", "spam"] = "user_request"


@record
class EditionList:
    """From the first version to the current one."""

    editions: list[Edition]


@record
class ListThread:
    """`message` is the thread's first message."""

    message: Id
    after: Seq = 0
    limit: Limit = 50


@record
class ReportMessage:
    message: Id
    reason: Literal["abuse", "spam", "illegal", "other"]
    note: Annotated[str, Text(1_000, free=True)] = ""


@record
class Report:
    """A report, for moderators. `message` is its current state. `text` is what it said when it was reported, kept while
    the report is open, even if the message is deleted.
    """

    report: int
    message: Message
    reporter: PersonRef
    reason: str
    note: str
    at: str
    resolved_at: str | None = None
    resolved_by: PersonRef | None = None
    resolution: str | None = None
    text: str | None = None


@record
class ReportReply:
    report: int


@record
class ListReports:
    """Open reports, newest first; `after` takes the last number of the previous page."""

    resolved: bool = False
    after: Seq | None = None
    limit: Limit = 50


@record
class ReportPage:
    reports: list[Report]


@record
class ResolveReport:
    report: Seq
    resolution: Annotated[str, Text(1_000, 1, free=True)]


@record
class MarkUpTo:
    conversation: Id
    seq: Seq


@record
class Marked:
    """The current mark. It never goes back, so it may be higher than requested."""

    seq: int
    unread: int


@record
class MarkAll:
    """The conversations to mark as read; omitted: all."""

    conversations: Annotated[list[Id], Items(1_000)] | None = None


@record
class MarkedIn:
    conversation: str
    seq: int


@record
class AllMarked:
    """The conversations that had unread messages, with their new marks."""

    conversations: list[MarkedIn]


@record
class ReceiptList:
    receipts: list[Receipt]


@record
class ListInbox:
    """`unread`: only conversations with unread messages. `archived`, `starred`: only those that are, or are not."""

    limit: Limit = 50
    after: Gid | None = None
    unread: bool = False
    archived: bool | None = None
    starred: bool | None = None


@record
class InboxPage:
    """Latest activity first. `next` is the `after` of the next page; absent on the last page."""

    conversations: list[InboxEntry]
    next: int | None = None
