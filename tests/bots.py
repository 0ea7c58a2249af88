"""Bots for tests: made by the node's operator, with commands and messages that have buttons."""

from __future__ import annotations

from typing import Any

from chatnode.node import Node
from chatnode.testing import LiveUser, User

DEPLOY = {"name": "deploy", "about": "Deploy a branch", "usage": "BRANCH"}
APPROVE = {"id": "approve", "label": "Approve", "style": "primary", "confirm": "Sure?"}
REJECT = {"id": "reject", "label": "Reject"}


async def make_bot(
    node: Node, handle: str = "ci", *commands: dict[str, str], room: str = "", by: User | None = None
) -> LiveUser:
    """A connected bot, which offers `commands` and is a member of `room`, to which `by` adds it."""
    await node.call("people.create", handle=handle, bot=True)
    bot = await LiveUser.of(node, handle)
    if commands:
        await bot.does("bots.commands.set", commands=[*commands])
    if by is not None:
        await by.does("conversations.members.add", conversation=room, member=handle)
    return bot


async def invoked(node: Node, by: User, room: str, text: str = "/deploy main", cid: str = "run") -> str:
    """The id of what `by` invoked there."""
    return (await by.does("slash.run", conversation=room, text=text, cid=cid))["invocation"]


async def with_buttons(bot: User, room: str, *actions: dict[str, Any], text: str = "Deploy main?") -> str:
    """The id of a message of the bot with buttons."""
    return await bot.says(room, text, actions=[*actions] or [APPROVE, REJECT])


async def exported(who: User, *kinds: str) -> list[dict[str, Any]]:
    """The entries of these kinds in the user's own export, as they are told apart by `kind`."""
    found: list[dict[str, Any]] = []
    page = await who.does("people.export")
    while True:
        found += [each for each in page["entries"] if each["kind"] in kinds]
        if page.get("next") is None:
            return found
        page = await who.does("people.export", after=page["next"])
