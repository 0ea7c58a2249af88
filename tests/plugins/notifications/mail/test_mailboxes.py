"""Adding, verifying and removing the address that mails go to."""

from __future__ import annotations

import pytest
from chatnode_notifications.mail import mailboxes

from chatnode.config import Config
from chatnode.node import Node
from chatnode.testing import User, configured, refused
from tests.outbound.mail_server import MailServer
from tests.plugins.notifications.mail.mailing import code_in, context, deliver, make_due, verified
from tests.plugins.sql import change, rows

ADDRESS = "ann@example.net"


async def test_an_address_is_used_once_its_code_was_typed(node: Node, anna: User, server: MailServer) -> None:
    assert await anna.call("notifications.mailbox.get") == {"enabled": True}
    added = await anna.call("notifications.mailbox.add", address=" Ann@EXAMPLE.net ")
    assert added["pending"] == "Ann@example.net"
    assert "mailbox" not in added
    (mail,) = server.mails()
    assert mail.recipients == ["Ann@example.net"]
    code = code_in(server)
    assert code in mail.part("plain")
    assert mail.message["Auto-Submitted"] == "auto-generated"
    assert mail.message["X-Auto-Response-Suppress"] == "All"
    found = await anna.call("notifications.mailbox.verify", code=f" {code[:3]} {code[3:]} ")
    assert found["mailbox"]["address"] == "Ann@example.net"
    assert found["mailbox"]["state"] == "active"
    assert "pending" not in found
    with refused("not_found", "code"):
        await anna.call("notifications.mailbox.verify", code=code)
    assert await anna.call("notifications.mailbox.remove") == {"enabled": True}
    assert await anna.call("notifications.mailbox.remove") == {"enabled": True}
    assert await rows(node, "SELECT * FROM notifications_mailboxes") == []


async def test_a_code_has_five_tries_and_fifteen_minutes(node: Node, anna: User, server: MailServer) -> None:
    await anna.call("notifications.mailbox.add", address=ADDRESS)
    code = code_in(server)
    for wrong in range(5):
        with refused("invalid", "code") as caught:
            await anna.call("notifications.mailbox.verify", code=f"{(int(code) + 1 + wrong) % 1_000_000:06}")
        assert f"{4 - wrong} more" in caught.value.message
    with refused("gone", "code"):
        await anna.call("notifications.mailbox.verify", code=code)
    # Another code, of which the first is no more.
    await anna.call("notifications.mailbox.add", address=ADDRESS)
    again = code_in(server)
    await change(node, "UPDATE notifications_mailboxes SET code_until = code_until - 15 * 60000")
    with refused("gone", "code"):
        await anna.call("notifications.mailbox.verify", code=again)
    stored = str(await rows(node, "SELECT * FROM notifications_mailboxes"))
    assert code not in stored
    assert again not in stored


async def test_a_repeated_request_sends_no_second_code(anna: User, server: MailServer) -> None:
    first = await anna.call("notifications.mailbox.add", address=ADDRESS)
    assert await anna.call("notifications.mailbox.add", address=ADDRESS) == first
    assert len(server.mails()) == 1
    await anna.call("notifications.mailbox.verify", code=code_in(server))
    assert "pending" not in await anna.call("notifications.mailbox.add", address=ADDRESS)
    assert len(server.mails()) == 1


async def test_the_old_address_is_told_of_another_and_stays_until_that_is_verified(
    node: Node, anna: User, server: MailServer
) -> None:
    await verified(anna, server, ADDRESS)
    found = await anna.call("notifications.mailbox.add", address="other@example.net")
    code = code_in(server)
    assert (found["mailbox"]["address"], found["pending"]) == (ADDRESS, "other@example.net")
    assert await deliver(node)
    notice = server.mails()[-1]
    assert notice.recipients == [ADDRESS]
    assert "Another email address" in notice.part("plain")
    assert "other@example.net" not in notice.raw.decode()
    found = await anna.call("notifications.mailbox.verify", code=code)
    assert found["mailbox"]["address"] == "other@example.net"
    assert len(await rows(node, "SELECT * FROM notifications_mailboxes")) == 1


async def test_the_notice_reaches_the_old_address_whatever_happens_next(
    node: Node, anna: User, server: MailServer
) -> None:
    await verified(anna, server, ADDRESS)
    await anna.call("notifications.mailbox.add", address="eve@example.net")
    await anna.call("notifications.mailbox.verify", code=code_in(server))
    await anna.call("notifications.mailbox.remove")
    assert await deliver(node)
    assert server.mails()[-1].recipients == [ADDRESS]


async def test_nobody_is_flooded_with_codes(node: Node, anna: User, server: MailServer) -> None:
    for number in range(10):
        await anna.call("notifications.mailbox.add", address=f"a{number}@example.net")
    with refused("rate_limited", "address") as caught:
        await anna.call("notifications.mailbox.add", address=ADDRESS)
    assert 86_000 < (caught.value.retry_after or 0) <= 86_400
    # One address, asked for by many users.
    for number in range(9):
        await (await User.new(node, f"user{number}")).call("notifications.mailbox.add", address="a0@example.net")
    with refused("rate_limited", "address"):
        await (await User.new(node, "last")).call("notifications.mailbox.add", address="a0@example.net")
    await change(node, "UPDATE notifications_mail_codes SET at = at - 86400001")
    await anna.call("notifications.mailbox.add", address=ADDRESS)
    assert len(server.mails()) == 20


@pytest.mark.parametrize(
    "address", ["ann", "ann@", "ann@localhost", "a b@example.net", "ann@example.net\r\nBcc: eve@example.net",
    "Ann <ann@example.net>", "grüße@example.net", "ann@example.net,eve@example.net"],
)  # fmt: skip
async def test_what_is_no_address_is_refused(anna: User, server: MailServer, address: str) -> None:
    with refused("invalid", "address"):
        await anna.call("notifications.mailbox.add", address=address)
    assert server.verbs() == []


async def test_a_code_that_cannot_be_sent_is_said_at_once(node: Node, anna: User, server: MailServer) -> None:
    server.says(RCPT="550 5.1.1 no such user")
    with refused("invalid", "address") as caught:
        await anna.call("notifications.mailbox.add", address=ADDRESS)
    assert "550 5.1.1" in caught.value.message
    assert await rows(node, "SELECT * FROM notifications_mailboxes") == []
    server.says(CONNECT="421 4.3.2 not now", MAIL="421 4.3.2 not now")
    with refused("unavailable"):
        await anna.call("notifications.mailbox.add", address=ADDRESS)
    server.says()
    await anna.call("notifications.mailbox.add", address=ADDRESS)
    assert len(server.mails()) == 1


async def test_a_code_that_was_not_sent_does_not_count(node: Node, anna: User, server: MailServer) -> None:
    server.says(MAIL="421 4.3.2 going down")
    for _ in range(11):
        with refused("unavailable"):
            await anna.call("notifications.mailbox.add", address=ADDRESS)
    server.says()
    await anna.call("notifications.mailbox.add", address=ADDRESS)
    assert len(server.mails()) == 1
    # One that the server refuses does, as a user could try out addresses.
    server.says(RCPT="550 5.1.1 no such user")
    for number in range(9):
        with refused("invalid", "address"):
            await anna.call("notifications.mailbox.add", address=f"a{number}@example.net")
    with refused("rate_limited", "address"):
        await anna.call("notifications.mailbox.add", address="a10@example.net")


async def test_spellings_of_an_address_are_one(node: Node, server: MailServer) -> None:
    spellings = ["victim@example.net", "Victim@example.net", "VICTIM@EXAMPLE.NET", "victim+1@example.net"]
    for number in range(10):
        user = await User.new(node, f"user{number}")
        await user.call("notifications.mailbox.add", address=spellings[number % 4])
    last = await User.new(node, "last")
    for spelling in spellings:
        with refused("rate_limited", "address"):
            await last.call("notifications.mailbox.add", address=spelling)


@pytest.mark.parametrize(("reply", "code"), [("550 5.1.1 no such user", "invalid"), ("450 4.2.0 later", "unavailable")])
async def test_an_address_that_gets_no_code_is_no_news(
    node: Node, anna: User, server: MailServer, reply: str, code: str
) -> None:
    await verified(anna, server, ADDRESS)
    server.says(RCPT=[reply])
    with refused(code):
        await anna.call("notifications.mailbox.add", address="other@example.net")
    await make_due(node)
    assert await deliver(node)
    assert server.mails() == []


async def test_the_notice_of_a_node_that_was_killed_is_sent_later(node: Node, anna: User, server: MailServer) -> None:
    """It is stored before the code is sent."""
    await verified(anna, server, ADDRESS)
    await node.core.db.write(lambda tx: mailboxes.start_adding(tx, anna.account, "other@example.net", 10))
    assert await deliver(node)
    assert server.mails() == []
    await make_due(node)
    assert await deliver(node)
    assert [mail.recipients for mail in server.mails()] == [[ADDRESS]]


async def test_bots_have_no_address(node: Node, server: MailServer) -> None:
    await node.call("people.create", handle="robot", bot=True)
    with refused("forbidden"):
        await (await User.of(node, "robot")).call("notifications.mailbox.add", address=ADDRESS)


async def test_a_code_is_in_the_users_language(node: Node, anna: User, server: MailServer) -> None:
    await change(node, "INSERT INTO notifications_people (person, language) VALUES (?, 'de-AT')", anna.key)
    await anna.call("notifications.mailbox.add", address=ADDRESS)
    assert "ist Ihr Code für chat.example.org" in str(server.mails()[0].message["Subject"])


async def everything_about(user: User) -> str:
    """What the user can export, as a text."""
    found, after = "", {}
    while True:
        page = await user.call("people.export", **after)
        found += str(page["entries"])
        if "next" not in page:
            return found
        after = {"after": page["next"]}


async def test_erasing_a_user_removes_addresses_and_mails(node: Node, anna: User, server: MailServer) -> None:
    await verified(anna, server, ADDRESS)
    await anna.call("notifications.mailbox.add", address="other@example.net")
    exported = await everything_about(anna)
    assert ADDRESS in exported
    assert code_in(server) not in exported
    await node.call("people.erase", person="ann", handle="ann")
    for table in ("mailboxes", "mail_codes", "mails"):
        assert await rows(node, f"SELECT * FROM notifications_{table}") == [], table


async def test_the_operator_can_send_a_test_mail(node: Node, anna: User, server: MailServer) -> None:
    assert await node.call("notifications.mail.test", address=ADDRESS) == {
        "outcome": "sent",
        "code": "250 2.0.0",
        "why": "",
    }
    assert server.mails()[0].recipients == [ADDRESS]
    server.says(RCPT="550 5.7.1 relaying denied")
    found = await node.call("notifications.mail.test", address=ADDRESS)
    assert (found["outcome"], found["code"]) == ("never", "550 5.7.1")
    with refused("forbidden"):
        await anna.call("notifications.mail.test", address=ADDRESS)


class TestWithoutMail:
    @pytest.fixture
    def config(self) -> Config:
        return configured()

    async def test_a_node_without_a_mail_server_says_so(self, node: Node, anna: User) -> None:
        assert await anna.call("notifications.mailbox.get") == {"enabled": False}
        with refused("conflict"):
            await anna.call("notifications.mailbox.add", address=ADDRESS)
        with refused("conflict"):
            await node.call("notifications.mail.test", address=ADDRESS)
        assert not context(node).mail.enabled
