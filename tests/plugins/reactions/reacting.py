"""What the dialogues about reactions are written in."""

from __future__ import annotations

from typing import Any

import pytest

from chatnode.config import Config
from chatnode.node import Node
from chatnode.testing import User


def with_reactions(**settings: Any) -> pytest.MarkDecorator:
    """Run a test on a node with these settings of the plugin."""
    name = ", ".join(f"{key}={value}" for key, value in settings.items())
    return pytest.mark.parametrize("config", [Config(of_plugins={"reactions": settings})], ids=[name])


async def react(who: User, message: str, emoji: str) -> dict[str, Any]:
    return await who.call("reactions.add", message=message, emoji=emoji)


async def on(who: User, message: str) -> dict[str, list[str]]:
    """What `messages.get` shows: emoji → handles of the first people, in order."""
    shown = (await who.call("messages.get", message=message))["message"].get("extra", {})
    for each in shown.get("reactions", ()):
        assert len(each["people"]) == min(each["count"], 3)
    return {each["emoji"]: [person["handle"] for person in each["people"]] for each in shown.get("reactions", ())}


async def listed(who: User, message: str, **fields: Any) -> list[tuple[str, str]]:
    """Handle and emoji of each reaction, as `reactions.list` gives them."""
    page = await who.call("reactions.list", message=message, **fields)
    return [(each["person"]["handle"], each["emoji"]) for each in page["reactions"]]


async def kept(node: Node) -> int:
    """Rows of the plugin's tables."""
    sql = "SELECT (SELECT count(*) FROM reactions_given) + (SELECT count(*) FROM reactions_counted)"
    return (await node.core.db.read(lambda reader: reader.execute(sql).fetchone()))[0]


async def assert_consistent(node: Node) -> None:
    """The plugin's own check finds nothing."""
    [plugin] = [each.plugin for each in node.plugins if each.plugin.name == "reactions"]
    assert plugin.check is not None
    assert await node.core.db.read(lambda reader: plugin.check(reader, node.core.directory.path)) == []
