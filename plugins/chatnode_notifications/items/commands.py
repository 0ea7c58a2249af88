"""Listing one's notifications, marking them as read, sending one, and counting them all."""

from __future__ import annotations

import hashlib
from urllib.parse import urlsplit

from chatnode.api import (
    CHAT,
    OPERATE,
    Account,
    Context,
    Nothing,
    Querying,
    Reader,
    Refusal,
    Transaction,
    check_can_act,
    command,
    find_person,
    new_id,
    now_ms,
)
from chatnode_notifications.items.adding import ItemDraft, add_items
from chatnode_notifications.items.figures import stats
from chatnode_notifications.items.model import (
    ListNotifications,
    NotificationList,
    NotificationStats,
    ReadNotifications,
    ReadReply,
    SendNotification,
    SentReply,
)
from chatnode_notifications.items.reading import read_all, read_some
from chatnode_notifications.items.showing import page, unread_count
from chatnode_notifications.limits import LIMIT
from chatnode_notifications.tasks import CLOSING
from chatnode_notifications.transports.state import plugin_state


@command("notifications.list", permission=CHAT, reads=True)
async def list_notifications(ctx: Context, asked: ListNotifications) -> NotificationList:
    """What you were notified of, newest first, and how much of it is unread.

    To filter and sort: `items.query` of `chat_notifications`.
    """
    limit = ctx.page_size(asked.limit)
    before = int(asked.after) if asked.after else None

    def read(reader: Reader) -> NotificationList:
        found = page(reader, ctx.me.key, before, limit, asked.unread)
        following = str(min(found)) if len(found) == limit else None
        return NotificationList(list(found.values()), unread_count(reader, ctx.me.key), following)

    return await ctx.query(read)


@command("notifications.read", permission=CHAT, limit=LIMIT, repeatable=True, active=True)
async def read_notifications(ctx: Context, asked: ReadNotifications) -> ReadReply:
    """Mark notifications as read: some, or all up to one. Those of messages are marked when the messages are read."""
    if (asked.upto is None) == (asked.ids is None):
        raise Refusal("invalid", "give either ids or upto", path="ids" if asked.upto is None else "upto")

    def write(tx: Transaction) -> ReadReply:
        if asked.upto is not None:
            count = read_all(tx, ctx.me.key, asked.upto)
            if count is None:
                raise Refusal("not_found", "you have no such notification", path="upto")
        else:
            count = read_some(tx, ctx.me.key, asked.ids or [])
        return ReadReply(count, unread_count(tx, ctx.me.key))

    return await ctx.write(write)


@command("notifications.send", permission=OPERATE, limit=LIMIT)
async def send_notification(ctx: Context, asked: SendNotification) -> SentReply:
    """Notify a user of something that is not a message. A pause and quiet hours hold back its alert.

    For operators, and for plugins, which run it as the operator. With a `cid`, it is safe to repeat.
    """
    _check_url(asked.url)

    def write(tx: Transaction) -> SentReply:
        person = find_person(tx, asked.person)
        check_can_act(tx, person.key)
        if person.bot:
            raise Refusal("invalid", f"{person.handle} is a bot, which cannot be notified", path="person")
        id = _id_of(person, asked.cid)
        if _exists(tx, id):
            return SentReply(id, True)
        add_items(tx, [
            ItemDraft(
                person=person.key, kind="system", reason="system", personal=True, id=id, title=asked.title,
                body=asked.body, url=asked.url, due_at=now_ms(),
            )
        ])  # fmt: skip
        ctx.audit(tx, "send", person.id)
        return SentReply(id, False)

    reply = await ctx.write(write)
    plugin_state(ctx).wakes.wake(CLOSING)
    return reply


@command("notifications.stats", permission=OPERATE, reads=True)
async def notification_stats(ctx: Context, asked: Nothing) -> NotificationStats:
    """How many notifications are waiting or unread, and the outcome of their deliveries."""
    return await ctx.query(stats)


def _check_url(url: str | None) -> None:
    """Raises `Refusal("invalid")` for what is neither a path on the node nor an address of the web."""
    if url is None or (url.startswith("/") and not url.startswith(("//", "/\\"))):
        return
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Refusal("invalid", "expected a path such as /plugins, or an http or https address", path="url")


def _id_of(person: Account, cid: str | None) -> str:
    """The same for the same user and `cid`."""
    if cid is None:
        return new_id()
    return hashlib.sha256(f"{person.id} {cid}".encode()).hexdigest()[:32]


def _exists(reader: Querying, id: str) -> bool:
    return reader.execute("SELECT 1 FROM notifications_items WHERE id = ?", (id,)).fetchone() is not None


COMMANDS = (list_notifications, read_notifications, send_notification, notification_stats)
