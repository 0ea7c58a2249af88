"""A mail server that refuses, breaks and dies: each mail is sent once, or it is seen why not."""

from __future__ import annotations

import logging
from pathlib import Path

import chatnode_notifications
import pytest
import trio
import trio.lowlevel
from chatnode_notifications.mail.rows import claim_mails

from chatnode.config import Config
from chatnode.node import Node, open_node
from chatnode.testing import User, configured
from tests.outbound.mail_server import DIE, DROP, MailServer
from tests.plugins.notifications.mail.mailing import SITE, deliver, make_due, notified, states, verified, wants
from tests.plugins.sql import change, rows


async def mailbox(user: User) -> dict[str, str]:
    return (await user.call("notifications.mailbox.get"))["mailbox"]


@pytest.mark.parametrize("verb", ["RCPT", "DATA", "END"])
async def test_a_mail_that_may_be_sent_later_is(
    node: Node, anna: User, ben: User, server: MailServer, verb: str
) -> None:
    await notified(node, ben, await anna.says(await anna.direct(ben), "hello"))
    server.says(**{verb: ["450 4.2.0 later", "451 4.3.0 later"]})
    for attempt in (1, 2):
        assert await deliver(node)
        assert await deliver(node)  # not before its time
        ((state, tries, wait),) = await rows(node, "SELECT state, attempts, due_at - tried_at FROM notifications_mails")
        assert (state, tries) == ("pending", attempt)
        assert (8_000, 48_000)[attempt - 1] <= wait <= (13_000, 73_000)[attempt - 1]
        assert "will be retried" in (await mailbox(ben))["last_error"]
        await make_due(node)
    assert await deliver(node)
    assert await states(node) == ["sent"]
    assert len(server.mails()) == 1
    found = await mailbox(ben)
    assert "last_error" not in found
    assert found["last_ok_at"]


async def test_an_address_that_does_not_exist_bounces(node: Node, anna: User, ben: User, server: MailServer) -> None:
    talk = await anna.direct(ben)
    await notified(node, ben, await anna.says(talk, "hello"))
    server.says(RCPT="550 5.1.1 <bob@example.net>: no such user")
    assert await deliver(node)
    assert await states(node) == ["bounced"]
    found = await mailbox(ben)
    assert found["state"] == "bounced"
    assert "550 5.1.1" in found["last_error"]
    # Nothing is sent there until its user has added it again.
    server.says()
    await notified(node, ben, await anna.says(talk, "more"))
    assert await deliver(node)
    assert server.mails() == []
    await verified(ben, server)
    assert (await mailbox(ben))["state"] == "active"
    await notified(node, ben, await anna.says(talk, "again"))
    assert await deliver(node)
    assert len(server.mails()) == 1


async def test_three_other_final_refusals_bounce_too(node: Node, anna: User, ben: User, server: MailServer) -> None:
    talk = await anna.direct(ben)
    found = list[str]()
    for reply in ("554 5.7.1 spam", "554 5.7.1 spam", None, "550 no", "554 5.7.1 spam", "552 5.2.2 full"):
        server.says(**({"END": reply} if reply is not None else {}))
        await notified(node, ben, await anna.says(talk, "hello"))
        assert await deliver(node)
        found.append((await mailbox(ben))["state"])
    assert found == ["active"] * 5 + ["bounced"]  # a success in between counts from the beginning
    assert await states(node) == ["failed", "failed", "sent", "failed", "failed", "bounced"]


async def test_while_the_server_cannot_be_used_everything_waits(
    node: Node, anna: User, ben: User, server: MailServer
) -> None:
    for number in range(3):
        user = await User.new(node, f"user{number}")
        await verified(user, server)
        await wants(node, user, "instant")
        await notified(node, user, await anna.says(await anna.direct(user), "hello"))
    server.forget()
    server.says(MAIL="421 4.3.2 going down")
    assert not await deliver(node)
    assert server.verbs().count("MAIL") == 1  # it was not asked for each of them
    assert await rows(node, "SELECT sum(attempts) FROM notifications_mails") == [(1,)]
    assert set(await states(node)) == {"pending"}
    server.says()
    await make_due(node)
    assert await deliver(node)
    assert len(server.mails()) == 3


async def test_what_is_too_old_to_send_is_given_up_for_all_to_see(
    node: Node, anna: User, ben: User, server: MailServer
) -> None:
    await notified(node, ben, await anna.says(await anna.direct(ben), "hello"))
    server.says(RCPT="450 4.2.0 later")
    assert await deliver(node)
    await change(node, "UPDATE notifications_mails SET made_at = made_at - 86400000 - 60000, due_at = 0")
    assert await deliver(node)
    assert await rows(node, "SELECT state, code FROM notifications_mails") == [("failed", "450 4.2.0")]
    assert server.mails() == []


async def test_old_rows_are_removed_every_day(node: Node, anna: User, ben: User) -> None:
    await notified(node, ben, await anna.says(await anna.direct(ben), "hello"))
    assert await deliver(node)
    assert (await node.call("jobs.run", job="notifications.mail_tidy"))["job"]["ok"]
    assert await states(node) == ["sent"]
    await change(node, "UPDATE notifications_mails SET ended_at = ended_at - 91 * 86400000")
    await change(node, "UPDATE notifications_mail_codes SET at = at - 2 * 86400000")
    assert (await node.call("jobs.run", job="notifications.mail_tidy"))["job"]["result"].startswith("2 ")
    for table in ("mails", "mail_items", "mail_codes"):
        assert await rows(node, f"SELECT * FROM notifications_{table}") == [], table


async def test_no_text_and_no_address_is_logged(
    node: Node, anna: User, ben: User, server: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    talk = await anna.direct(ben)
    with caplog.at_level(logging.DEBUG, "chatnode"):
        for replies in ({"RCPT": "550 5.1.1 <bob@example.net> canary"}, {"END": DROP}, {"CONNECT": "554 canary"}, {}):
            server.says(**replies)
            await notified(node, ben, await anna.says(talk, "canary"))
            await deliver(node)
            await make_due(node)
    assert caplog.records
    assert "canary" not in caplog.text
    assert "bob@example.net" not in caplog.text


# ---- servers and nodes that are killed in the middle


async def test_a_mail_server_is_killed_in_the_middle_and_comes_back(tmp_path: Path) -> None:
    """Every notification is delivered; twice, with the same id, only what the server had when it died."""
    server = MailServer(tmp_path / "server")
    server.start()
    config = configured(
        server={"public_url": SITE},
        mail={"host": "127.0.0.1", "port": server.port, "security": "none", "sender": "chat@example.org"},
        plugins={"notifications": {"mail_wait_seconds": 0, "mail_codes_per_minute": 0}},
    )
    async with open_node(tmp_path / "data", config, only=[chatnode_notifications]) as node:
        ann = await User.new(node, "ann")
        for number in range(8):
            user = await User.new(node, f"user{number}")
            await verified(user, server)
            await wants(node, user, "instant")
            await notified(node, user, await ann.says(await ann.direct(user), "hello"))
        server.says(END=[None, None, DIE])
        assert not await deliver(node)
        server.wait_until_dead()
        await make_due(node)
        assert not await deliver(node)  # nobody is there
        server.says()
        server.start()
        await make_due(node)
        assert await deliver(node)
        assert await states(node) == ["sent"] * 8
    server.kill()
    ids = [mail.id for mail in server.mails()]
    assert len(ids) == 9
    assert len(set(ids)) == 8
    assert ids[2] in ids[3:]


async def test_a_node_that_ends_lets_the_mail_be_finished(tmp_path: Path, server: MailServer, config: Config) -> None:
    """So the same mail is not sent again after a restart, and what it had claimed is sent then."""
    async with open_node(tmp_path / "data", config, only=[chatnode_notifications]) as node:
        ann = await User.new(node, "ann")
        users = [await User.new(node, f"user{number}") for number in range(3)]
        for user in users:
            await verified(user, server)
            await wants(node, user, "instant")
            await notified(node, user, await ann.says(await ann.direct(user), "hello"))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(deliver, node)
            with trio.fail_after(30):
                while not server.mails():
                    await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
        assert (await states(node))[0] == "sent"
    async with open_node(tmp_path / "data", config, only=[chatnode_notifications]) as node:
        await make_due(node)
        assert await deliver(node)
        assert await states(node) == ["sent"] * 3
    assert len({mail.id for mail in server.mails()}) == len(server.mails()) == 3


async def test_what_a_killed_node_was_sending_is_due_again_with_the_same_id(
    node: Node, anna: User, ben: User, server: MailServer
) -> None:
    await notified(node, ben, await anna.says(await anna.direct(ben), "hello"))
    server.says(END=DROP)  # the server has it, and the node does not know
    assert not await deliver(node)
    server.says()
    await change(node, "UPDATE notifications_mails SET due_at = 0")
    await node.core.db.write(lambda tx: claim_mails(tx, 10, 60_000))
    assert await deliver(node)
    assert len(server.mails()) == 1  # the claim is an attempt, for a minute
    ((wait,),) = await rows(node, "SELECT due_at - tried_at FROM notifications_mails")
    assert wait == 60_000
    await make_due(node)
    assert await deliver(node)
    assert len({mail.id for mail in server.mails()}) == 1
    assert len(server.mails()) == 2
