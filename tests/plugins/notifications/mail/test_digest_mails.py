"""Digests: one mail for a slot, with what is unread, or none."""

from __future__ import annotations

import pytest
from chatnode_notifications.mail import scheduling
from chatnode_notifications.preferences.model import DigestTime
from chatnode_notifications.settings import NotificationsSettings

from chatnode.api import Transaction, now_ms
from chatnode.node import Node
from chatnode.testing import User
from tests.outbound.mail_server import MailServer
from tests.plugins.notifications.mail.mailing import deliver, make_due, next_digest, notified, states, verified, wants
from tests.plugins.sql import change, rows

HOUR = 3_600_000


@pytest.fixture
async def ben(node: Node, server: MailServer) -> User:
    """He wants a digest every day."""
    user = await User.new(node, "bob")
    await verified(user, server)
    await wants(node, user, "digest", digest=DigestTime(), zone="Asia/Kolkata")
    return user


async def test_a_digest_tells_of_what_is_unread_once(node: Node, anna: User, ben: User, server: MailServer) -> None:
    talk = await anna.direct(ben)
    for text in ("one", "two\nlines"):
        await notified(node, ben, await anna.says(talk, text))
    assert await deliver(node)
    assert server.mails() == []  # not before its time
    (text,) = await next_digest(node, server)
    assert "one" in text
    assert "two lines" in text
    assert server.mails()[0].message["Subject"] == "Digest: 2 unread notifications"
    await notified(node, ben, await anna.says(talk, "three"))
    (text,) = await next_digest(node, server)
    assert "three" in text
    assert "one" not in text


async def test_an_empty_digest_is_not_sent(node: Node, anna: User, ben: User, server: MailServer) -> None:
    assert await next_digest(node, server) == []
    talk = await anna.direct(ben)
    posted = await anna.posts(talk, "read")
    await notified(node, ben, posted["message"])
    await ben.call("receipts.read", conversation=talk, seq=posted["seq"])
    assert await next_digest(node, server) == []


async def test_a_slot_has_one_digest(node: Node, anna: User, ben: User, server: MailServer) -> None:
    """Whatever makes it due again: a change of zone, or of the clock."""
    talk = await anna.direct(ben)
    await notified(node, ben, await anna.says(talk, "one"))
    await next_digest(node, server)
    await notified(node, ben, await anna.says(talk, "two"))
    for zone in ("Asia/Kolkata", "UTC", "Asia/Kolkata"):
        await wants(node, ben, "digest", zone=zone)
        await change(node, "UPDATE notifications_people SET next_digest_at = 1")
        assert await deliver(node)
    slots = await rows(node, "SELECT slot FROM notifications_mails WHERE slot NOT LIKE '%before%'")
    assert len(set(slots)) == len(slots) == len(server.mails()) <= 2


async def test_a_node_that_was_down_for_days_sends_one(node: Node, anna: User, ben: User, server: MailServer) -> None:
    await wants(node, ben, "digest", digest=DigestTime("hourly", "00:00"))
    await notified(node, ben, await anna.says(await anna.direct(ben), "one"))
    await change(node, "UPDATE notifications_people SET next_digest_at = next_digest_at - ?", 72 * HOUR)
    assert await deliver(node)
    assert await deliver(node)
    assert len(server.mails()) == 1
    ((due,),) = await rows(node, "SELECT next_digest_at FROM notifications_people")
    now = now_ms()
    assert now - HOUR < due <= now + HOUR


async def test_a_digest_that_failed_is_in_the_next(node: Node, anna: User, ben: User, server: MailServer) -> None:
    await notified(node, ben, await anna.says(await anna.direct(ben), "one"))
    server.says(RCPT=["450 4.2.1 later"])
    assert await next_digest(node, server) == []
    assert await states(node) == ["pending"]
    await change(node, "UPDATE notifications_mails SET made_at = made_at - ?", 25 * HOUR)
    (text,) = await next_digest(node, server)
    assert "one" in text
    assert await states(node) == ["failed", "sent"]


async def test_a_digest_that_is_tried_again_is_the_same(node: Node, anna: User, ben: User, server: MailServer) -> None:
    talk = await anna.direct(ben)
    await notified(node, ben, await anna.says(talk, "one"))
    server.says(END="drop")  # the server has it, and cannot say so
    await change(node, "UPDATE notifications_people SET next_digest_at = 1")
    assert not await deliver(node)
    await notified(node, ben, await anna.says(talk, "two"))
    server.says()
    await change(node, "UPDATE notifications_mails SET due_at = 0")
    assert await deliver(node)
    first, second = server.mails()
    assert first.id == second.id
    assert first.part("plain") == second.part("plain")
    (text,) = await next_digest(node, server)
    assert "two" in text
    assert "one" not in text


async def test_the_first_digest_tells_nothing_older(node: Node, anna: User, ben: User, server: MailServer) -> None:
    await wants(node, ben, "off")
    talk = await anna.direct(ben)
    await notified(node, ben, await anna.says(talk, "before"))
    await change(node, "UPDATE notifications_items SET created_at = created_at - 1000")
    assert await rows(node, "SELECT next_digest_at FROM notifications_people") == [(None,)]
    await wants(node, ben, "digest")
    await notified(node, ben, await anna.says(talk, "after"))
    (text,) = await next_digest(node, server)
    assert "after" in text
    assert "before" not in text


async def test_what_waits_for_an_instant_mail_moves_to_the_digest(
    node: Node, anna: User, ben: User, server: MailServer
) -> None:
    await wants(node, ben, "instant")
    await notified(node, ben, await anna.says(await anna.direct(ben), "one"))
    await wants(node, ben, "digest")
    assert await deliver(node)
    (text,) = await next_digest(node, server)
    assert "one" in text


async def test_what_may_not_be_told_stands_in_nothings_way(
    node: Node, anna: User, ben: User, server: MailServer
) -> None:
    await notified(node, ben, await anna.says(await anna.direct(ben), "important"))
    noisy = await anna.group(ben, title="noisy")
    for number in range(3):
        await notified(node, ben, await anna.says(noisy, f"noise {number}"))
    await ben.call("conversations.leave", conversation=noisy)
    settings = NotificationsSettings(mail_items=2)
    await make_due(node)
    await node.core.db.write(lambda tx: scheduling.make_digests(tx, settings))
    assert await deliver(node)
    (mail,) = server.mails()
    assert "important" in mail.part("plain")
    assert "noise" not in mail.part("plain")


async def test_times_are_those_of_the_users_zone(node: Node, anna: User, ben: User, server: MailServer) -> None:
    await change(node, "UPDATE notifications_mailboxes SET since = 0")
    await notified(node, ben, await anna.says(await anna.direct(ben), "one"), at=1_700_000_000_000)
    (text,) = await next_digest(node, server)
    assert "[2023-11-15 03:43]" in text


async def test_a_clock_that_was_set_back_does_not_stop_digests(node: Node, ben: User) -> None:
    await change(node, "UPDATE notifications_people SET next_digest_at = 99000000000000")
    assert await deliver(node)
    ((due,),) = await rows(node, "SELECT next_digest_at FROM notifications_people")
    now = now_ms()
    assert now - HOUR < due <= now + 25 * HOUR


async def test_many_users_are_served_in_steps(node: Node, anna: User, server: MailServer) -> None:
    for number in range(23):
        user = await User.new(node, f"user{number}")
        await change(
            node, "INSERT INTO notifications_mailboxes (person, address, state, added_at, verified_at, since) "
            "VALUES (?, ?, 'active', 0, 0, 0)", user.key, f"user{number}@example.net",
        )  # fmt: skip
        await wants(node, user, "digest")
        await notified(node, user, await anna.says(await anna.direct(user), "hello"))
    await make_due(node)
    assert await deliver(node)
    assert len({mail.recipients[0] for mail in server.mails()}) == len(server.mails()) == 23


async def test_digests_are_claimed_in_short_transactions(node: Node, anna: User, ben: User) -> None:
    settings = NotificationsSettings(mail_items=2)
    talk = await anna.direct(ben)
    items = [await notified(node, ben, await anna.says(talk, str(number))) for number in range(5)]
    await make_due(node)

    def write(tx: Transaction) -> list[tuple[int]]:
        assert not scheduling.make_digests(tx, settings)
        return tx.execute("SELECT item FROM notifications_mail_items ORDER BY item").fetchall()

    assert [item for (item,) in await node.core.db.write(write)] == items[-2:]
