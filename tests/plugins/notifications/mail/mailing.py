"""What tests of mails do again and again: verify an address, want mails, be notified, and let due mails be sent."""

from __future__ import annotations

import re
from typing import Any

import attrs
import orjson
from chatnode_notifications.mail import FOLLOWERS
from chatnode_notifications.mail.scheduling import digest_changed
from chatnode_notifications.mail.sending import send_due
from chatnode_notifications.notes import NewItem
from chatnode_notifications.preferences.model import DigestTime

from chatnode.api import Context, Transaction, new_id
from chatnode.node import Node
from chatnode.testing import User
from tests.outbound.mail_server import MailServer
from tests.plugins.sql import change, rows

SITE = "https://chat.example.org"


def context(node: Node) -> Context:
    """The plugin's, without a requester, as tasks have it."""
    return next(each.context for each in node.plugins if each.plugin.name == "notifications")


def code_in(server: MailServer) -> str:
    """The newest code that was mailed."""
    codes = [re.search(r"\b\d{6}\b", str(mail.message["Subject"])) for mail in server.mails()]
    return [found[0] for found in codes if found is not None][-1]


async def verified(user: User, server: MailServer, address: str = "") -> str:
    """Add an address and verify it; forgets the mails of it. Returns the address."""
    address = address or f"{user.handle}@example.net"
    await user.call("notifications.mailbox.add", address=address)
    await user.call("notifications.mailbox.verify", code=code_in(server))
    server.forget()
    return address


async def wants(node: Node, user: User, mail: str, *, digest: DigestTime | None = None, **columns: Any) -> None:
    """The user's settings, as the command that changes them stores them."""
    columns = {"mail": mail, **columns}
    if digest is not None:
        columns["digest"] = orjson.dumps(attrs.asdict(digest)).decode()

    def write(tx: Transaction) -> None:
        tx.execute("INSERT INTO notifications_people (person) VALUES (?) ON CONFLICT DO NOTHING", (user.key,))
        for name, value in columns.items():
            tx.execute(f"UPDATE notifications_people SET {name} = ? WHERE person = ?", (value, user.key))
        digest_changed(tx, user.key)

    await node.core.db.write(write)


async def notified(node: Node, user: User, message: str, *, kind: str = "message", at: int | None = None) -> int:
    """An item about a message, as it is made when a bundle is closed; returns its key."""

    def write(tx: Transaction) -> int:
        key, conversation, seq, sender = tx.execute(
            "SELECT key, conversation, seq, sender FROM messages WHERE id = ?", (message,)
        ).fetchone()
        now = tx.now if at is None else at
        (item,) = tx.execute(
            "INSERT INTO notifications_items (id, person, conversation, message, sender, kind, first_seq, last_seq, "
            "count, personal, reason, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, 1, 'direct', ?) RETURNING key",
            (new_id(), user.key, conversation, key, sender, kind, seq, seq, now),
        ).fetchone()
        for follower in FOLLOWERS:
            follower(tx, [NewItem(item, user.key, conversation, True, now)])
        return item

    return await node.core.db.write(write)


async def deliver(node: Node) -> bool:
    """Send what is due now."""
    return await send_due(context(node))


async def make_due(node: Node) -> None:
    """Everything that waits is due now, also further attempts and digests; the slots of digests stay."""
    await change(node, "UPDATE notifications_mails SET due_at = 0 WHERE state = 'pending'")
    await change(node, "UPDATE notifications_people SET next_digest_at = 1 WHERE next_digest_at IS NOT NULL")


async def next_digest(node: Node, server: MailServer) -> list[str]:
    """Let a further slot of everybody's digest come; the plain texts of the mails that were sent."""
    server.forget()
    await change(node, "UPDATE notifications_mails SET slot = slot || '-before-' || key WHERE slot IS NOT NULL")
    await make_due(node)
    assert await deliver(node)
    return [received.part("plain") for received in server.mails()]


async def states(node: Node) -> list[str]:
    return [state for (state,) in await rows(node, "SELECT state FROM notifications_mails ORDER BY key")]
