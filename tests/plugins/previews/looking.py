"""What tests look at while a node makes previews."""

from __future__ import annotations

from typing import Any

import trio

from chatnode.node import Node
from chatnode.testing import User, catch_up
from tests.plugins.sql import rows


async def settle(node: Node) -> None:
    """Wait until the links of all messages were looked at, on a node that serves."""
    await catch_up(node)
    with trio.fail_after(30):
        while await pending(node):  # noqa: ASYNC110 -- the node does not tell when nothing is left
            await trio.sleep(0.01)


async def pending(node: Node) -> int:
    return (await rows(node, "SELECT count(*) FROM previews_links WHERE state = 'pending'"))[0][0]


async def previews(who: User, conversation: str) -> dict[str, list[dict[str, Any]]]:
    """The previews that a user sees, by the texts of the messages."""
    return {
        message["text"]: found
        for message in await who.sees(conversation)
        if (found := message.get("extra", {}).get("previews"))
    }


async def titles(who: User, conversation: str) -> list[str | None]:
    """The titles of all previews that a user sees there, in order."""
    return [
        each.get("title")
        for message in await who.sees(conversation)
        for each in message.get("extra", {}).get("previews", [])
    ]
