"""Why did it not ring?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from chatnode.node import Node
from chatnode.testing import LiveUser, User, refused
from tests.plugins.notifications.telling import register, tell, why
from tests.plugins.sql import change


async def test_each_answer(node: Node, amy: User, bob: LiveUser) -> None:
    group = await amy.group(bob)
    message = await amy.says(group, "hello")
    assert await why(bob, message) == ("unreachable", 11)
    await register(node, bob)
    assert await why(bob, message) == ("due", 11)
    await tell(node)
    assert (await why(bob, message))[0] == "waiting"
    await tell(node, ahead_seconds=60)
    assert (await why(bob, message))[0] == "notified"
    assert await why(amy, message) == ("never", 2)
    message = await amy.says(group, "again")
    until = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    await bob.does("notifications.settings.set", paused_until=until)
    assert await why(bob, message) == ("due", 10)
    await bob.does("conversations.settings", conversation=group, archived=True)
    assert await why(bob, message) == ("inbox", 8)
    await bob.does("conversations.settings", conversation=group, notify="mentions")
    assert await why(bob, message) == ("inbox", 7)
    await bob.does("conversations.settings", conversation=group, muted_until=until)
    assert await why(bob, message) == ("inbox", 6)
    await bob.does("people.block", person="amy")
    assert await why(bob, message) == ("never", 3)
    await amy.does("messages.delete", message=message)
    assert await why(bob, message) == ("never", 1)


async def test_every_row_is_told(node: Node, amy: User, ben: User) -> None:
    message = await amy.says(await amy.direct(ben), "hello")
    await ben.does("receipts.read", conversation=await ben.direct(amy), seq=1)
    found = await ben.call("notifications.explain", message=message)
    assert [each["row"] for each in found["rows"]] == list(range(1, 14))
    assert [each["row"] for each in found["rows"] if each["matched"]] == [5, 12]
    assert (found["outcome"], found["reason"], found["personal"], found["devices"]) == ("suppressed", "direct", True, 0)
    assert "direct" in found["rows"][4]["condition"]


async def test_what_became_of_it_on_each_device(node: Node, amy: User, ben: User) -> None:
    await register(node, ben)
    message = await amy.says(await amy.direct(ben), "hello")
    await tell(node)
    await change(node, "UPDATE notifications_deliveries SET state = 'failed', attempts = 9, error = 'no answer'")
    found = await ben.call("notifications.explain", message=message)
    assert found["deliveries"] == [
        {"label": "phone", "transport": "ntfy", "state": "failed", "attempts": 9, "error": "no answer"}
    ]


async def test_only_messages_that_one_may_see(node: Node, amy: User, ben: User, eve: LiveUser) -> None:
    group = await amy.group(ben)
    message = await amy.says(group, "hello")
    with refused("not_found", "message"):
        await eve.call("notifications.explain", message=message)
    await ben.does("conversations.leave", conversation=group)
    with refused("not_member", "message"):
        await ben.call("notifications.explain", message=message)
