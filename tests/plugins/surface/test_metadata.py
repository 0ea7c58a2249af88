"""Keys of metadata that begin with a plugin's name are that plugin's: nobody else writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest

from chatnode.api import CHAT, Context, Draft, Nothing, command
from chatnode.config import Config, Plugins
from chatnode.node import Node
from chatnode.testing import User, refused
from tests.plugins.surface.making import made, node_with

MINE, FORGED = {"polls.id": "7"}, {"note": "a vote", "polls.id": "8"}


@attrs.define
class Ask:
    """What a plugin posts for somebody, and how."""

    conversation: str
    who: str = ""


@command("polls.ask", permission=CHAT)
async def ask(ctx: Context, asked: Ask) -> Nothing:
    """Post as the user who asks, or as another."""
    acting = ctx.as_person(asked.who) if asked.who else ctx
    await acting.call("messages.post", conversation=asked.conversation, cid=ctx.me.id, text="vote!", metadata=MINE)
    return Nothing()


@command("copycat.ask", permission=CHAT)
async def forge(ctx: Context, asked: Ask) -> Nothing:
    """Post what is another plugin's: directly, or by its command."""
    if asked.who:
        await ctx.call("polls.ask", conversation=asked.conversation)
    else:
        await ctx.call("messages.post", conversation=asked.conversation, cid="x", text="vote!", metadata=FORGED)
    return Nothing()


async def metadata_of(who: User, talk: str) -> list[dict[str, str] | None]:
    """Of the messages of a conversation."""
    page = await who.call("messages.list", conversation=talk)
    return [each.get("metadata") for each in page["messages"]]


async def post(who: User, talk: str, metadata: dict[str, str], cid: str = "one") -> dict[str, Any]:
    return await who.call("messages.post", conversation=talk, cid=cid, text="hello", metadata=metadata)


async def pair(node: Node) -> tuple[User, User, str]:
    ann, bob = await User.new(node, "ann"), await User.new(node, "bob")
    return ann, bob, await ann.direct(bob)


async def test_a_client_cannot_write_what_is_a_plugins(tmp_path: Path) -> None:
    async with node_with(tmp_path, made("polls")) as node:
        ann, bob, talk = await pair(node)
        with refused("invalid", "metadata") as caught:
            await post(ann, talk, FORGED)
        assert caught.value.message == "only the plugin polls may write polls.id"
        free = {"polls": "1", "poll.id": "2", "Polls.id": "3", "order.id": "4", ".polls.id": "5"}
        await post(ann, talk, free)
        assert await metadata_of(bob, talk) == [free]


@pytest.mark.parametrize("who", ["", "bob"])
async def test_the_plugin_itself_can_and_an_edit_keeps_it(tmp_path: Path, who: str) -> None:
    async with node_with(tmp_path, made("polls", commands=(ask,))) as node:
        ann, bob, talk = await pair(node)
        await ann.call("polls.ask", conversation=talk, who=who)
        [message] = (await ann.call("messages.list", conversation=talk))["messages"]
        assert message["metadata"] == MINE
        sender = bob if who else ann
        edited = await sender.call("messages.edit", message=message["message"], text="vote soon!")
        assert (edited["message"]["text"], edited["message"]["metadata"]) == ("vote soon!", MINE)


async def test_another_plugin_cannot_but_by_a_command_of_the_owners(tmp_path: Path) -> None:
    plugins = made("polls", commands=(ask,)), made("copycat", commands=(forge,))
    async with node_with(tmp_path, *plugins) as node:
        ann, bob, talk = await pair(node)
        with refused("invalid", "metadata"):
            await ann.call("copycat.ask", conversation=talk)
        assert await metadata_of(bob, talk) == []
        await ann.call("copycat.ask", conversation=talk, who="polls")
        assert await metadata_of(bob, talk) == [MINE]


async def test_a_hook_writes_its_own_keys_and_touches_no_others(tmp_path: Path) -> None:
    async def prepare_draft(draft: Draft) -> None:
        draft.metadata = {**(draft.metadata or {}), "polls.id": "7", "free": "yes"}

    async def forging(draft: Draft) -> None:
        if draft.text == "forge":
            draft.metadata = {"polls.id": "8"}
        elif draft.text == "drop":
            draft.metadata = None
        elif draft.metadata:
            draft.metadata["zeal.id"] = "9"

    forging.__name__ = "prepare_draft"
    async with node_with(tmp_path, made("polls", prepare_draft), made("zeal", forging)) as node:
        ann, bob, talk = await pair(node)
        await post(ann, talk, {"note": "x"})
        assert await metadata_of(bob, talk) == [{"note": "x", "polls.id": "7", "free": "yes", "zeal.id": "9"}]
        for text in ("forge", "drop"):
            with refused("internal"):
                await ann.call("messages.post", conversation=talk, cid=text, text=text)
        (zeal,) = [each for each in node.plugins.statuses() if each.name == "zeal"]
        assert zeal.failures == 2
        assert "changed the metadata key polls.id" in (zeal.last_failure or "")
        assert len(await metadata_of(bob, talk)) == 1


async def test_they_stay_the_plugins_while_it_is_disabled_or_gone(tmp_path: Path) -> None:
    """And what was posted before it was ever there is answered as it was."""
    async with node_with(tmp_path) as node:
        ann, _, talk = await pair(node)
        early = await post(ann, talk, FORGED)
    disabled = Config(plugins=Plugins(disabled=("polls",)))
    async with node_with(tmp_path, made("polls"), config=disabled) as node:
        ann = await User.of(node, "ann")
        with refused("invalid", "metadata"):
            await post(ann, talk, FORGED, "two")
        again = await post(ann, talk, FORGED)
        assert (again["message"], again["dup"]) == (early["message"], True)
    async with node_with(tmp_path, made("polls")) as node:
        pass
    async with node_with(tmp_path) as node:
        ann = await User.of(node, "ann")
        with refused("invalid", "metadata"):
            await post(ann, talk, FORGED, "two")


async def test_an_import_cannot_write_them_and_its_other_items_come_in(tmp_path: Path) -> None:
    async with node_with(tmp_path, made("polls")) as node:
        room = (await node.call("import.conversation", source="irc", key="#lunch", title="Lunch"))["conversation"]
        item = {"author": "ann", "at": 1, "text": "vote!"}
        items = [{"cid": "1", **item}, {"cid": "2", **item, "metadata": MINE}]
        done = await node.call("import.messages", conversation=room, source="irc", items=items)
        assert done["imported"] == 1
        reason = "metadata: only the plugin polls may write polls.id"
        assert done["failed"] == [{"cid": "2", "reason": reason}]
