"""From a message to a mail, with everything that is between them, on a node that serves."""

from __future__ import annotations

import pytest
import trio
from chatnode_notifications.mail import sending

from chatnode.config import Config
from chatnode.node import Node
from chatnode.testing import User, configured
from tests.outbound.mail_server import MailServer
from tests.plugins.notifications.mail.mailing import SITE, change, deliver, make_due, states, verified
from tests.plugins.notifications.telling import MINUTE, tell
from tests.plugins.sql import rows


@pytest.fixture
def config(server: MailServer) -> Config:
    return configured(
        server={"public_url": SITE},
        mail={"host": "127.0.0.1", "port": server.port, "security": "none", "sender": "chat@example.org"},
        plugins={"notifications": {"settle_seconds": 0, "mail_wait_seconds": 0, "mail_codes_per_minute": 0}},
    )


async def test_a_message_becomes_a_mail(
    node: Node, nursery: trio.Nursery, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "_LOOK_SECONDS", 0.1)
    amy, ben = [await User.new(node, handle) for handle in ("amy", "ben")]
    await verified(ben, server)
    await ben.call("notifications.settings.set", mail="instant", zone="Europe/Paris", language="fr")
    await nursery.start(node.serve, "127.0.0.1:0")
    await amy.says(await amy.direct(ben), "Shall we meet?")
    with trio.fail_after(60):
        while not server.mails():  # noqa: ASYNC110 -- what other tasks do
            await trio.sleep(0.05)
    (mail,) = server.mails()
    assert mail.recipients == ["ben@example.net"]
    assert "Shall we meet?" in mail.part("plain")
    assert "Pendant votre absence" in mail.part("plain")


async def test_the_settings_say_when_a_digest_is_due(node: Node, server: MailServer) -> None:
    ben = await User.new(node, "ben")

    async def due() -> int | None:
        return (await rows(node, "SELECT next_digest_at FROM notifications_people"))[0][0]

    await ben.call("notifications.settings.set", mail="digest", zone="UTC")
    first = await due()
    assert first is not None
    assert first % 86_400_000 == 8 * 3_600_000
    await ben.call("notifications.settings.set", digest={"every": "daily", "at": "09:30"})
    second = await due()
    assert second is not None
    assert second % 86_400_000 == 9.5 * 3_600_000
    await ben.call("notifications.settings.set", zone="Asia/Kolkata")
    third = await due()
    assert third is not None
    assert third % 86_400_000 == 4 * 3_600_000
    await ben.call("notifications.settings.set", mail="off")
    assert await due() is None


@pytest.mark.parametrize("mail", ["instant", "digest"])
async def test_a_mention_is_mailed_although_a_later_message_was_deleted(
    node: Node, server: MailServer, mail: str
) -> None:
    amy, ben, cay = [await User.new(node, handle) for handle in ("amy", "ben", "cay")]
    await verified(ben, server)
    await ben.call("notifications.settings.set", mail=mail)
    group = await amy.group(ben, cay, title="Garden")
    await amy.says(group, "@ben the server is on fire")
    small_talk = await cay.says(group, "lol")
    await tell(node, ahead_seconds=MINUTE)
    await cay.call("messages.delete", message=small_talk)
    await make_due(node)
    assert await deliver(node)
    (sent,) = server.mails()
    assert "amy · Garden: @ben the server is on fire\n" in sent.part("plain")  # and no more messages


@pytest.mark.parametrize(("first", "then"), [("instant", "digest"), ("digest", "instant")])
async def test_what_could_not_be_sent_yet_is_in_a_mail_of_the_kind_that_is_wanted_then(
    node: Node, server: MailServer, first: str, then: str
) -> None:
    amy, ben = [await User.new(node, handle) for handle in ("amy", "ben")]
    await verified(ben, server)
    await ben.call("notifications.settings.set", mail=first)
    await amy.says(await amy.direct(ben), "important")
    await tell(node, ahead_seconds=MINUTE)
    await make_due(node)
    server.says(RCPT="450 4.2.0 greylisted")
    assert await deliver(node)
    server.says()
    await change(node, "UPDATE notifications_items SET created_at = created_at - 1000")  # it was a while ago
    await change(node, "UPDATE notifications_mail_items SET first_at = first_at - 1000")
    await ben.call("notifications.settings.set", mail=then)
    await make_due(node)
    assert await deliver(node)
    (sent,) = server.mails()
    assert "important" in sent.part("plain")
    assert f".{then}." in sent.message["List-Unsubscribe"]
    assert await states(node) == ["suppressed", "sent"]
    await make_due(node)
    assert await deliver(node)
    assert len(server.mails()) == 1
