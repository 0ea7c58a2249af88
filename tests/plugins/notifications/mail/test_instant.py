"""Mails soon after messages: when they are due, what they say, and to whom."""

from __future__ import annotations

import pytest
from chatnode_notifications.mail import scheduling
from chatnode_notifications.mail.rows import SECOND_MS
from chatnode_notifications.mail.upkeep import after_restore
from chatnode_notifications.notes import NewItem
from chatnode_notifications.settings import NotificationsSettings

from chatnode.api import RestoreNote, Transaction
from chatnode.config import Config
from chatnode.node import Node
from chatnode.testing import User, configured
from tests.outbound.mail_server import MailServer
from tests.plugins.notifications.mail.mailing import SITE, context, deliver, notified, states, verified, wants
from tests.plugins.sql import change, rows

# ---- when


@pytest.mark.parametrize(
    ("messages", "due"),
    [([0], 120), ([0, 100], 220), ([0, 100, 200, 300, 400, 500, 599], 600), ([0, 121], 120)],
)
async def test_due_two_minutes_after_the_last_and_ten_after_the_first(
    node: Node, ben: User, messages: list[int], due: int
) -> None:
    """Times are seconds. A mail that is due before the next message is another one."""
    settings, start = NotificationsSettings(), 1_000_000_000_000

    def write(tx: Transaction) -> list[int]:
        found = list[int]()
        pending = list(messages)
        for second in range(1_000):
            tx.now = start + second * SECOND_MS
            while pending and pending[0] == second:
                scheduling.note_new_items(tx, [NewItem(second + 1, ben.key, 7, True, tx.now)])
                pending.pop(0)
            scheduling.make_instant_mails(tx, settings)
            made = tx.execute("SELECT count(*) FROM notifications_mails").fetchone()[0]
            found += [second] * (made - len(found))
        return found

    found = await node.core.db.write(write)
    assert found[0] == due
    assert len(found) == (1 if due != 120 or len(messages) == 1 else 2)
    items = await rows(node, "SELECT mail FROM notifications_mail_items ORDER BY item")
    assert None not in [mail for (mail,) in items]


async def test_conversations_are_due_by_themselves_and_share_a_mail_if_they_are_due_together(
    node: Node, ben: User
) -> None:
    settings, start = NotificationsSettings(), 1_000_000_000_000

    def write(tx: Transaction) -> list[tuple[int, int]]:
        for item, (second, conversation) in enumerate([(0, 7), (1, 8), (90, 9)]):
            tx.now = start + second * SECOND_MS
            scheduling.note_new_items(tx, [NewItem(item + 1, ben.key, conversation, True, tx.now)])
        tx.now = start + 121 * SECOND_MS
        assert not scheduling.make_instant_mails(tx, settings)
        return tx.execute("SELECT item, mail FROM notifications_mail_items ORDER BY item").fetchall()

    (_, first), (_, second), (_, third) = await node.core.db.write(write)
    assert first == second is not None
    assert third is None


async def test_when_the_clock_was_set_back_nothing_waits_for_a_year(node: Node, ben: User, anna: User) -> None:
    message = await anna.says(await anna.direct(ben), "hello")
    await notified(node, ben, message, at=32_000_000_000_000)
    assert await deliver(node)
    assert await states(node) == ["sent"]


# ---- what


async def test_a_message_is_told_by_mail(node: Node, anna: User, ben: User, server: MailServer) -> None:
    talk = await anna.direct(ben)
    message = await anna.says(talk, "Shall we meet?\nAt noon?")
    item = await notified(node, ben, message)
    assert await deliver(node)
    (mail,) = server.mails()
    assert mail.recipients == ["bob@example.net"]
    assert "Shall we meet?" in mail.part("plain")
    assert "Shall we meet?<br>At noon?" in mail.part("html")
    assert [part.get_content_type() for part in mail.message.iter_parts()] == ["text/plain", "text/html"]
    assert mail.message["References"].startswith(f"<c.{talk}.")
    assert mail.id.endswith("@example.org>")
    assert mail.message["Auto-Submitted"] == "auto-generated"
    assert mail.message["List-Unsubscribe"].startswith(f"<{SITE}/plugins/notifications/u/")
    assert mail.message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert (
        'From: "chat.example.org" <chat@example.org>' in mail.raw.decode()
        or "chat.example.org <chat@" in mail.raw.decode()
    )
    assert await rows(node, "SELECT mailed_at IS NOT NULL FROM notifications_items WHERE key = ?", item) == [(1,)]
    # And it is not told again.
    assert await deliver(node)
    assert len(server.mails()) == 1


async def test_one_mail_tells_of_all_that_is_due(node: Node, anna: User, ben: User, server: MailServer) -> None:
    eve = await User.new(node, "eve")
    for sender, text in ((anna, "first"), (eve, "second"), (anna, "third")):
        await notified(node, ben, await sender.says(await sender.direct(ben), text))
    assert await deliver(node)
    (mail,) = server.mails()
    assert mail.message["Subject"] == "3 new notifications"
    assert "References" not in mail.message
    text = mail.part("plain")
    assert text.index("first") < text.index("third") < text.index("second")  # by conversation


async def test_what_was_read_is_left_out(node: Node, anna: User, ben: User, server: MailServer) -> None:
    talk = await anna.direct(ben)
    posted = await anna.posts(talk, "one")
    await notified(node, ben, posted["message"])
    await ben.call("receipts.read", conversation=talk, seq=posted["seq"])
    assert await deliver(node)
    assert server.mails() == []
    assert await states(node) == ["suppressed"]


async def test_a_deleted_message_is_in_no_mail(node: Node, anna: User, ben: User, server: MailServer) -> None:
    talk = await anna.direct(ben)
    message = await anna.says(talk, "canary-deleted")
    await notified(node, ben, message)
    await anna.call("messages.delete", message=message)
    assert await deliver(node)
    assert not any(b"canary" in mail.raw for mail in server.mails())


@pytest.mark.parametrize("content", ["full", "sender", "nothing"])
async def test_a_mail_says_no_more_than_the_user_wants(
    node: Node, anna: User, ben: User, server: MailServer, content: str
) -> None:
    await wants(node, ben, "instant", content=content)
    talk = await anna.direct(ben)
    await notified(node, ben, await anna.says(talk, "canary"))
    assert await deliver(node)
    whole = server.mails()[0].message
    text = whole.as_string()
    assert ("canary" in text) == (content == "full")
    if content == "nothing":
        assert talk not in text
        assert "ann" not in server.mails()[0].part("plain").lower().replace("notifications", "")


# ---- to whom


async def test_who_wants_no_instant_mail_gets_none(node: Node, anna: User, ben: User, server: MailServer) -> None:
    talk = await anna.direct(ben)
    for mail in ("off", "digest"):
        await wants(node, ben, mail)
        await notified(node, ben, await anna.says(talk, mail))
    assert await deliver(node)
    # One who turns it off while a mail waits gets none either.
    await wants(node, ben, "instant")
    await notified(node, ben, await anna.says(talk, "late"))
    await wants(node, ben, "off")
    assert await deliver(node)
    assert server.mails() == []


async def test_who_is_deactivated_or_has_removed_the_address_gets_none(
    node: Node, anna: User, ben: User, server: MailServer
) -> None:
    talk = await anna.direct(ben)
    await notified(node, ben, await anna.says(talk, "one"))
    await ben.call("notifications.mailbox.remove")
    assert await deliver(node)
    await verified(ben, server)
    await notified(node, ben, await anna.says(talk, "two"))
    await node.call("people.deactivate", person="bob")
    assert await deliver(node)
    assert server.mails() == []
    assert await states(node) == ["suppressed", "suppressed"]


async def test_an_unverified_address_gets_nothing_but_its_code(node: Node, anna: User, server: MailServer) -> None:
    eve = await User.new(node, "eve")
    await eve.call("notifications.mailbox.add", address="eve@example.net")
    await wants(node, eve, "instant")
    await notified(node, eve, await anna.says(await anna.direct(eve), "canary"))
    assert await deliver(node)
    assert len(server.mails()) == 1
    assert b"canary" not in server.mails()[0].raw


async def test_after_a_restore_nothing_old_is_sent(node: Node, anna: User, ben: User, server: MailServer) -> None:
    talk = await anna.direct(ben)
    await notified(node, ben, await anna.says(talk, "waits"))
    server.says(RCPT=["450 4.2.1 later"])
    assert await deliver(node)
    await notified(node, ben, await anna.says(talk, "waits too"))
    await node.core.db.write(lambda tx: after_restore(tx, RestoreNote(tx.now, ())))
    await change(node, "UPDATE notifications_mails SET due_at = 0")
    assert await deliver(node)
    assert server.mails() == []
    assert await states(node) == ["expired"]


class TestSettings:
    @pytest.fixture
    def config(self, server: MailServer) -> Config:
        return configured(
            server={"public_url": "http://lan.example"},
            mail={"host": "127.0.0.1", "port": server.port, "security": "none", "sender": "chat@example.org"},
            plugins={
                "notifications": {"mail_wait_seconds": 0, "mail_items": 3, "mail_lines": 2, "max_content": "sender"}
            },
        )

    async def test_limits_and_a_node_without_tls(self, node: Node, anna: User, ben: User, server: MailServer) -> None:
        talk = await anna.direct(ben)
        for number in range(3):
            await notified(node, ben, await anna.says(talk, f"canary-{number}"))
        assert await deliver(node)
        (mail,) = server.mails()
        assert "and 1 more" in mail.part("plain")
        assert "canary" not in mail.part("plain")
        # Mail programs offer one click for https only (RFC 8058); the page works all the same.
        assert "List-Unsubscribe" in mail.message
        assert "List-Unsubscribe-Post" not in mail.message
        assert context(node).base_url == "http://lan.example"
