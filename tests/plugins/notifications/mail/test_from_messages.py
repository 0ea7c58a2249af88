"""From a message to a mail, with everything that is between them, on a node that serves."""

from __future__ import annotations

import pytest
import trio
from chatnode_notifications.mail import sending

from chatnode.config import Config
from chatnode.node import Node
from chatnode.testing import User, configured
from tests.outbound.mail_server import MailServer
from tests.plugins.notifications.mail.mailing import SITE, verified
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
