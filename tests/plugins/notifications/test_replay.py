"""Old snapshot + events = fresh snapshot: live and after an absence, for every command that writes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import chatnode_notifications
import pytest

from chatnode.node import Node, open_node
from chatnode.testing import configured
from tests.plugins.notifications.items.client import NotificationsClient
from tests.plugins.notifications.telling import decide, tell
from tests.plugins.watched import Watched
from tests.properties.world import SignedIn
from tests.services.dialogue import assert_sound

REPLAYED = {
    "notifications.send", "notifications.read", "notifications.settings.set", "notifications.register",
    "notifications.unregister", "notifications.test", "notifications.retry", "notifications.forget",
    "notifications.mailbox.add", "notifications.mailbox.verify", "notifications.mailbox.remove",
    "notifications.mail.test",
}  # fmt: skip
"""Of devices, deliveries and mail, clients are sent nothing to keep."""


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    config = configured(
        limits={"requests_per_minute": 0, "posts_per_minute": 0},
        plugins={"notifications": {"settle_seconds": 0, "changes_per_minute": 0, "online_delay_seconds": 0}},
    )
    async with open_node(tmp_path / "data", config, only=[chatnode_notifications]) as node:
        yield node


async def test_a_client_that_was_away_has_the_same_list(node: Node) -> None:
    people = {handle: await SignedIn.new(node, handle) for handle in ("ann", "bob")}
    watched = {handle: await Watched.of(NotificationsClient, somebody) for handle, somebody in people.items()}
    ann, bob = people["ann"], people["bob"]
    talk, group = await ann.direct(bob), await ann.group(bob)

    async def compare() -> None:
        for each in watched.values():
            await each.compare()

    async def ids() -> list[str]:
        return list(watched["bob"].live.notifications)

    await ann.says(talk, "one")
    await tell(node)
    await compare()
    assert len(await ids()) == 1
    await ann.says(group, "@bob two")
    deleted = await ann.says(group, "@bob three")
    await tell(node)
    await compare()
    await ann.call("messages.delete", message=deleted)
    await tell(node)
    for number in range(4):
        await node.call("notifications.send", person="bob", title=f"note {number}")
    await compare()
    assert len(await ids()) == 6
    await bob.call("notifications.read", ids=(await ids())[2:4])
    await compare()
    await bob.call("receipts.read", conversation=talk, seq=1)
    await decide(node)
    await compare()
    await bob.call("notifications.read", upto=(await ids())[4])
    await compare()
    await bob.says(group, "three")
    await tell(node)
    await compare()
    settings: dict[str, Any] = {"zone": "Europe/Paris", "quiet": [{"begins": "22:00", "ends": "07:00"}]}
    await bob.call("notifications.settings.set", **settings)
    await compare()
    await bob.call("notifications.settings.set", zone="", quiet=[], mail="digest")
    await compare()
    made = await bob.call("notifications.register", transport="ntfy", address="https://ntfy.example.org/topic")
    await node.call("notifications.send", person="bob", title="on a device")
    await node.call("notifications.retry", everything=True)
    await node.call("notifications.forget", everything=True)
    await bob.call("notifications.unregister", registration=made["device"]["registration"])
    await bob.call("notifications.mailbox.remove")
    await compare()
    assert all("read_at" in each for each in list(watched["bob"].live.notifications.values())[:5])
    await assert_sound(node)
