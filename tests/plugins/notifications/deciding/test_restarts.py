"""Each message is decided once, and each bundle closed once, whatever ends in between."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path

import chatnode_notifications
from chatnode_notifications.deciding.closing import close_due

from chatnode.config import Config
from chatnode.node import Node, open_node
from chatnode.testing import User, catch_up
from tests.plugins.notifications.telling import context, tell, told, waiting
from tests.plugins.sql import rows


async def test_decided_once_and_closed_once(tmp_path: Path, config: Config) -> None:
    def opened() -> AbstractAsyncContextManager[Node]:
        return open_node(tmp_path / "data", config, only=[chatnode_notifications])

    async with opened() as node:
        amy, ben = await User.new(node, "amy"), await User.new(node, "ben")
        talk = await amy.direct(ben)
        await amy.says(talk, "one")
        await catch_up(node)
        await amy.says(talk, "two")
    async with opened() as node:
        ben = await User.of(node, "ben")
        await catch_up(node)
        await catch_up(node)
        assert [each.count for each in await waiting(node)] == [2]
        await close_due(context(node))
    async with opened() as node:
        ben = await User.of(node, "ben")
        await tell(node, ahead_seconds=60)
        assert await told(ben) == [("message", "two", 2)]
        events = await rows(node, "SELECT count(*) FROM log WHERE kind = 'notification.added'")
        assert events == [(1,)]


async def test_replaying_the_log_tells_nothing_again_that_was_read(node: Node, amy: User, ben: User) -> None:
    talk = await amy.direct(ben)
    await amy.says(talk, "one")
    await tell(node)
    await ben.does("receipts.read", conversation=talk, seq=1)
    await tell(node)
    await node.call("plugins.replay", plugin="notifications", consumer="deciding", gid=0)
    await tell(node, ahead_seconds=60)
    assert len(await told(ben)) == 1
