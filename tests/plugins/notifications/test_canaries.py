"""No word of a private conversation leaves the node for anybody who may not see it: in no push, webhook, topic, mail,
list or event, whatever happens between the decision to notify and the sending."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator

import attrs
import pytest

from chatnode.config import Config
from chatnode.node import Node
from chatnode.testing import LiveUser, User, configured, refused
from tests.outbound.mail_server import MailServer
from tests.plugins.notifications.alerting import Alerts
from tests.plugins.notifications.fixtures import only_plugins, plugins, service
from tests.plugins.notifications.items.test_matrix import CANARY, knows, seen_by
from tests.plugins.notifications.mail.mailing import SITE, deliver, make_due, verified
from tests.plugins.notifications.push_service import PushService
from tests.plugins.notifications.receiver import Receiver
from tests.plugins.notifications.telling import decide, tell

__all__ = ["only_plugins", "plugins", "service"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[MailServer]:
    server = MailServer(tmp_path_factory.mktemp("mail") / "server")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def config(service: PushService, server: MailServer) -> Config:
    server.forget()
    return configured(
        server={"public_url": SITE},
        outbound={"allow": [f"127.0.0.1:{service.port}"]},
        mail={"host": "127.0.0.1", "port": server.port, "security": "none", "sender": "chat@example.org"},
        plugins={
            "notifications": {
                "contact": "mailto:chat@chatnode.org", "settle_seconds": 0, "mail_wait_seconds": 0,
                "mail_codes_per_minute": 0, "changes_per_minute": 0,
            },
        },
    )  # fmt: skip


@attrs.define
class Outside:
    """Everything that left the node for each user."""

    node: Node
    service: PushService
    server: MailServer
    browsers: dict[str, Receiver] = attrs.field(factory=dict[str, Receiver])

    async def equip(self, user: User) -> None:
        """A device of each kind, and mail."""
        name, browser = user.handle, Receiver()
        self.browsers[name] = browser
        for fields in (
            {"transport": "webpush", "address": self.service.address(f"/push-{name}"), "keys": browser.keys},
            {"transport": "webhook", "address": self.service.address(f"/hook-{name}")},
            {"transport": "ntfy", "address": self.service.address(f"/topic-{name}"), "content": "full"},
        ):
            await user.call("notifications.register", **fields)
        await verified(user, self.server)
        await user.call("notifications.settings.set", mail="instant")

    async def send(self) -> None:
        await Alerts(self.node).send()
        await make_due(self.node)
        assert await deliver(self.node)

    def got(self, user: User) -> dict[str, str]:
        """By the way it took."""
        name = user.handle
        pushes = [self.browsers[name].plain(each.body).decode() for each in self.service.at(f"/push-{name}")]
        topics = [each.body.decode() for each in self.service.received if f"topic-{name}".encode() in each.body]
        mails = [each for each in self.server.mails() if each.recipients == [f"{name}@example.net"]]
        return {
            "push": "".join(pushes),
            "hook": "".join(each.body.decode() for each in self.service.at(f"/hook-{name}")),
            "ntfy": "".join(topics),
            "mail": "".join(str(each.message["Subject"]) + each.part("plain") + each.part("html") for each in mails),
        }

    async def ways(self, user: User) -> set[str]:
        """By which the user knows of it."""
        found = {way for way, text in self.got(user).items() if knows(text)}
        return found | ({"node"} if knows(await seen_by(self.node, user)) else set())


ALL_WAYS = {"push", "hook", "ntfy", "mail", "node"}


async def nothing(amy: User, ben: User, group: str, message: str) -> None:
    pass


async def blocks(amy: User, ben: User, group: str, message: str) -> None:
    await ben.does("people.block", person="amy")


async def leaves(amy: User, ben: User, group: str, message: str) -> None:
    await ben.does("conversations.leave", conversation=group)


async def is_removed(amy: User, ben: User, group: str, message: str) -> None:
    await amy.does("conversations.members.remove", conversation=group, member="ben")


async def mutes(amy: User, ben: User, group: str, message: str) -> None:
    await ben.does("conversations.settings", conversation=group, muted_until="2096-01-01T00:00:00Z")


async def is_deleted(amy: User, ben: User, group: str, message: str) -> None:
    await amy.does("messages.delete", message=message)


Change = Callable[[User, User, str, str], Awaitable[None]]


@pytest.mark.parametrize("change", [nothing, blocks, leaves, is_removed, mutes, is_deleted], ids=lambda f: f.__name__)
@pytest.mark.parametrize("when", ["decided", "closed"])
async def test_nothing_of_a_private_conversation(
    node: Node, service: PushService, server: MailServer, eve: LiveUser, change: Change, when: str
) -> None:
    outside = Outside(node, service, server)
    amy, ben, cay, dan = [await User.new(node, handle) for handle in ("amy", "ben", "cay", "dan")]
    for user in (amy, ben, cay, dan):
        await outside.equip(user)
    vault, other = await amy.group(ben, title="Vault"), await cay.group(dan, eve, title="Garden")
    message = await amy.says(vault, f"@ben @dan {CANARY}")
    await cay.says(other, "@dan it rains")
    await cay.says(await cay.direct(ben), "are you there?")
    await (decide(node) if when == "decided" else tell(node))
    await change(amy, ben, vault, message)
    await tell(node, ahead_seconds=60)
    await outside.send()

    expected: set[str] = ALL_WAYS if change is nothing else set()
    if when == "closed" and change is mutes:
        expected = {"node"}  # it was notified before, and stays in the list
    found = await outside.ways(ben)
    if change is is_deleted:
        assert CANARY not in str(outside.got(ben)) + await seen_by(node, ben)
    else:
        assert found == expected
    for user in (amy, cay, dan):
        assert await outside.ways(user) == set()
    assert not knows(await seen_by(node, eve) + str(eve.heard()))
    # The others were notified of what is theirs.
    assert {way for way, text in outside.got(dan).items() if "Garden" in text} == ALL_WAYS - {"node"}
    assert {way for way, text in outside.got(ben).items() if "are you there?" in text} == ALL_WAYS - {"node"}


@pytest.mark.parametrize("when", ["decided", "closed", "before"])
async def test_nothing_at_all_for_an_account_that_may_not_chat(
    node: Node, service: PushService, server: MailServer, when: str
) -> None:
    outside = Outside(node, service, server)
    amy, ben = await User.new(node, "amy"), await User.new(node, "ben")
    await outside.equip(ben)
    group = await amy.group(ben, title="Vault")
    await node.call("roles.set", role="watcher", permissions=["operate"])

    async def take_away() -> None:
        await node.call("people.role", person="ben", role="watcher")

    if when == "before":
        await take_away()
    message = await amy.says(group, "@ben look")
    if when != "before":
        await (decide(node) if when == "decided" else tell(node))
        await take_away()
    await amy.call("messages.edit", message=message, text=f"@ben {CANARY}")
    await tell(node, ahead_seconds=60)
    await outside.send()
    assert outside.got(ben) == {"push": "", "hook": "", "ntfy": "", "mail": ""}
    with refused("forbidden"):
        await node.call("notifications.send", person="ben", title="Hello")
