"""Reactions go with the message, and with the person; also while the plugin does not run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from chatnode_reactions import chatnode_plugin

from chatnode.config import Config
from chatnode.config import Plugins as PluginSettings
from chatnode.model.times import DAY_MS
from chatnode.node import Node, open_node
from chatnode.testing import User
from tests.ageing import days_pass, on_disk
from tests.plugins.reactions.reacting import assert_consistent, kept, on, react
from tests.services.test_privacy import export_of, of_kind

MARK = "🦩"
"""An emoji that is nowhere else."""
DISABLED = Config(plugins=PluginSettings(disabled=("reactions",)))


@pytest.fixture
async def root(node: Node) -> User:
    return await User.new(node, "root", admin=True)


async def everything(node: Node, *people: User) -> str:
    """All that people get: their exports, histories and reactions."""
    received: list[Any] = []
    for who in people:
        received.append(await export_of(who))
        received.append(await who.call("items.query", collection="message_reactions"))
        for entry in (await who.call("inbox.list"))["conversations"]:
            received.append(await who.call("messages.list", conversation=entry["conversation"]))
    return json.dumps(received, ensure_ascii=False)


async def test_with_a_message_that_is_deleted(node: Node, ann: User, bob: User) -> None:
    room = await ann.group(bob)
    message, other = [await ann.says(room, text) for text in ("regret", "stay")]
    await react(bob, message, MARK)
    await react(ann, message, "👍")
    await react(bob, other, "🎉")
    assert MARK in await everything(node, ann, bob)
    await ann.call("messages.delete", message=message)
    assert MARK not in await everything(node, ann, bob)
    assert await kept(node) == 2  # one given, one counted
    assert await on(ann, other) == {"🎉": ["bob"]}
    await assert_consistent(node)


async def test_with_messages_that_retention_removes(node: Node, ann: User, bob: User) -> None:
    room = await ann.group(bob, retention_days=30)
    await react(bob, await ann.says(room, "old"), MARK)
    await react(ann, await bob.says(room, "old too"), MARK)
    await days_pass(node, 31)
    fresh = await ann.says(room, "fresh")
    await react(bob, fresh, "👍")
    await node.call("jobs.run", job="retention")
    [receipt] = (await node.call("retention.list"))["removals"]
    assert receipt["counts"]["reactions_given"] == 2
    assert MARK not in await everything(node, ann, bob)
    assert MARK.encode() not in on_disk(node)
    assert await on(ann, fresh) == {"👍": ["bob"]}
    assert await kept(node) == 2
    await assert_consistent(node)


async def test_with_the_person_and_with_what_they_said(node: Node, root: User, ann: User, bob: User) -> None:
    room = await ann.group(bob)
    of_ann, of_bob = await ann.says(room, "I am ann"), await bob.says(room, "I am bob")
    await react(bob, of_ann, MARK)
    await react(ann, of_bob, MARK)
    await react(bob, of_bob, "👍")
    await root.call("people.erase", person="ann", handle="ann")
    assert await on(bob, of_bob) == {"👍": ["bob"]}
    assert MARK not in await everything(node, bob)
    assert MARK.encode() not in on_disk(node)
    assert await kept(node) == 2
    await assert_consistent(node)
    [entry] = [each for each in (await root.call("audit.list"))["entries"] if each["action"] == "people.erased"]
    assert entry["details"]["reactions_given"] == "1"


async def test_everybody_is_given_their_own(node: Node, ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    message = await ann.says(talk, "well?")
    await react(bob, message, "👍")
    await react(ann, message, MARK)
    at = (await ann.call("reactions.list", message=message, emoji="👍"))["reactions"][0]["at"]
    assert of_kind(await export_of(bob, limit=1), "reactions_given") == [
        {"message": message, "conversation": talk, "emoji": "👍", "at": at}
    ]
    assert MARK not in json.dumps(await export_of(bob), ensure_ascii=False)


async def test_all_of_it_while_the_plugin_is_disabled(tmp_path: Path) -> None:
    """Nobody sees reactions then, and what goes takes its reactions along."""
    async with open_node(tmp_path / "data") as node:
        root, ann, bob, cay = [
            await User.new(node, handle, admin=handle == "root") for handle in ("root", "ann", "bob", "cay")
        ]
        room = await ann.group(bob, cay)
        texts = ("deleted", "removed", "stays")
        deleted, removed, stays = [await ann.says(room, text) for text in texts]
        for message in (deleted, removed, stays):
            await react(bob, message, MARK)
            await react(cay, message, "👍")
        assert await kept(node) == 12
    async with open_node(tmp_path / "data", DISABLED) as node:
        for who in (root, ann, bob, cay):
            who.node = node
        [shown, *_] = (await ann.call("messages.list", conversation=room))["messages"]
        assert "extra" not in shown
        assert of_kind(await export_of(bob), "reactions_given")[0]["emoji"] == MARK
        await ann.call("messages.delete", message=deleted)
        await node.core.db.write(
            lambda tx: tx.execute("UPDATE messages SET at = at - ? WHERE id = ?", (2 * DAY_MS, removed))
        )
        await node.core.db.write(lambda tx: tx.execute("UPDATE messages SET at = at - ? WHERE seq = 1", (2 * DAY_MS,)))
        await ann.call("conversations.update", conversation=room, retention_days=1)
        await node.call("jobs.run", job="retention")
        await root.call("people.erase", person="bob", handle="bob")
        assert MARK.encode() not in on_disk(node)
        assert (await node.call("node.check"))["clean"]
    async with open_node(tmp_path / "data") as node:
        ann.node = node
        assert await on(ann, stays) == {"👍": ["cay"]}
        assert await kept(node) == 2
        await assert_consistent(node)


async def test_a_fault_in_the_tables_is_found(node: Node, ann: User, bob: User) -> None:
    message = await ann.says(await ann.direct(bob), "well?")
    await react(bob, message, "👍")
    check = chatnode_plugin().check
    assert check is not None
    damages = {
        "UPDATE reactions_counted SET count = 2": [
            "some reactions are counted wrongly",
            "some counted reactions do not exist",
        ],
        "UPDATE reactions_counted SET count = 1, people = '[9]'": [
            "the users shown with some reactions are not the first who reacted"
        ],
        "DELETE FROM reactions_counted": ["some reactions are counted wrongly"],
        "UPDATE messages SET deleted_at = 1": [
            "some reactions belong to messages that were deleted or removed",
            "some reactions are counted wrongly",
        ],
    }
    for damage, problems in damages.items():
        await node.core.db.write(lambda tx, damage=damage: tx.execute(damage))
        assert await node.core.db.read(lambda reader: check(reader, node.core.directory.path)) == problems, damage
    found = (await node.call("node.check"))["checks"]
    [problems] = [each["problems"] for each in found if each["name"] == "plugin reactions"]
    assert len(problems) == 2
