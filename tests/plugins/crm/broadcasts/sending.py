"""Helpers for tests of broadcasts."""

from __future__ import annotations

from typing import Any

from chatnode_crm.lists.finding import find_list
from chatnode_crm.lists.membership import add_many

from chatnode.node import Node
from chatnode.testing import User, run_work
from tests.plugins.crm.people.making import key_of


async def on_list(node: Node, by: User, name: str, *contacts: str) -> None:
    await by.call("crm.lists.create", name=name)
    keys = [await key_of(node, id) for id in contacts]
    await node.core.db.write(lambda tx: add_many(tx, find_list(tx, name).key, keys, actor=None))


async def create(by: User, text: str = "news", **fields: Any) -> dict[str, Any]:
    asked = {"title": "News", "contacts": {"all": True}, **fields}
    return (await by.call("crm.broadcasts.create", text=text, **asked))["broadcast"]


async def send(node: Node, by: User, text: str = "news", **fields: Any) -> dict[str, Any]:
    """Create and send; returns the broadcast with its figures."""
    made = await create(by, text, **fields)
    work = await run_work(node, made["work"])
    assert work["status"] == "done", work
    return await by.call("crm.broadcasts.get", broadcast=made["broadcast"])


async def talk_of(node: Node, who: User) -> str:
    """The user's direct conversation with the bot."""
    bot = await User.of(node, "news")
    return await who.direct(bot)
