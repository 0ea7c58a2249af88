"""What the commands take and give, and the events."""

from __future__ import annotations

from typing import Annotated, Literal

from chatnode.api import Event, Id, Items, PersonRef, Text, Title, Who, Whole, record

Kind = Literal["message", "mention", "reply", "thread", "system"]


@record
class Notification:
    """Something that the user was notified of. `message` is the newest message that it tells of, `seq` its place, and
    `count` the number of messages. `personal`: it was meant for the user, not only for a conversation that they are
    in. `body` has the beginning of the message. What was deleted or blocked does not count. A notification that the
    node itself or a plugin sent has no message.
    """

    notification: str
    kind: Kind
    personal: bool
    title: str
    body: str
    count: int
    at: str
    conversation: str | None = None
    message: str | None = None
    seq: int | None = None
    sender: PersonRef | None = None
    url: str | None = None
    read_at: str | None = None


# ---- events


@record
class NotificationAdded(Event):
    """The recipient was notified of something."""

    name = "notification.added"
    notification: Notification


@record
class NotificationRead(Event):
    """The recipient has read a notification, or its message."""

    name = "notification.read"
    notification: str
    at: str


@record
class NotificationsRead(Event):
    """The recipient has read all notifications up to `upto`, which is one of them."""

    name = "notifications.read"
    upto: str
    at: str


# ---- commands


@record
class ListNotifications:
    """`after` takes the `next` of the previous page. `unread`: only those that are not read."""

    after: Annotated[str, Text(18, 0, r"[0-9]*", hint="expected the `next` of the previous page")] | None = None
    limit: Annotated[int, Whole(1)] = 50
    unread: bool = False


@record
class NotificationList:
    """Newest first. `unread` is the number of all that are not read, at most 1,000; `next` is absent on the last
    page."""

    notifications: list[Notification]
    unread: int
    next: str | None = None


@record
class ReadNotifications:
    """Either those with the `ids`, or all up to the one with the id `upto`."""

    upto: Id | None = None
    ids: Annotated[list[Id], Items(100)] | None = None


@record
class ReadReply:
    """How many were not read before, and how many are not read now, at most 1,000."""

    read: int
    unread: int


@record
class SendNotification:
    """`url` is where it leads: an http or https address, or a path on the node, which begins with a slash. `cid`
    identifies the notification, so that a repeat sends nothing."""

    person: Who
    title: Title
    body: Annotated[str, Text(500, 0, free=True)] = ""
    url: Annotated[str, Text(2_000)] | None = None
    cid: Annotated[str, Text(64, 1, r"[A-Za-z0-9._:-]+", hint="expected A-Z a-z 0-9 . _ : -")] | None = None


@record
class SentReply:
    """`dup`: a notification with this `cid` was sent to the user before."""

    notification: str
    dup: bool


@record
class NotificationStats:
    """Numbers of the node. `waiting` conversations of users are due to be notified of, the oldest since
    `oldest_due_seconds`; `fanouts` are messages that are still to be judged for some of very many users. `deliveries`
    are by state, `registrations` by transport and state, such as `webpush.active`.
    """

    waiting: int
    oldest_due_seconds: int
    fanouts: int
    notifications: int
    unread: int
    deliveries: dict[str, int]
    registrations: dict[str, int]
