"""Bots that users own: making them, what they may, and what becomes of them with their owner."""

from __future__ import annotations

import pytest

from chatnode.model.commands.bots import SetBotCommands
from chatnode.node import Node
from chatnode.protocol import codec
from chatnode.testing import LiveUser, User, configured, refused
from tests.bots import DEPLOY, exported, make_bot
from tests.services.dialogue import Device, assert_sound, outcome


@pytest.fixture
def only_plugins() -> tuple[()]:
    """A node without plugins opens faster."""
    return ()


@pytest.fixture
async def owner(node: Node) -> LiveUser:
    """A user who may make bots and nothing else that members may not."""
    await node.call("roles.set", role="maker", permissions=["chat", "groups.create", "bots.make"])
    return await LiveUser.new(node, "olga", role="maker")


async def handles(owner: User) -> list[str]:
    return [each["bot"]["handle"] for each in (await owner.does("bots.list"))["bots"]]


async def test_a_user_makes_a_bot_that_speaks_where_it_is_added(node: Node, owner: LiveUser, ann: LiveUser) -> None:
    made = (await owner.does("bots.create", handle="Ci", name="Builds"))["bot"]
    assert (made["bot"]["handle"], made["bot"]["name"], made["bot"]["bot"]) == ("ci", "Builds", True)
    assert (made["owner"]["handle"], made["commands"]) == ("olga", [])
    token = await owner.does("bots.token", bot="ci", label="build machine", days=30)
    bot = await Device.with_token(node, token["token"])
    room = await ann.group(owner)
    await ann.does("conversations.members.add", conversation=room, member="ci")
    await bot.says(room, "build 7 is green")
    assert await ann.reads(room) == ["build 7 is green"]
    entries = (await node.call("audit.list", actor="olga"))["entries"]
    assert [each["action"] for each in entries] == ["bots.token", "bots.create"]


async def test_it_joins_nothing_by_itself(node: Node, owner: LiveUser) -> None:
    await node.call("import.conversation", source="zulip", key="general", title="general", join=True)
    await owner.does("bots.create", handle="ci")
    bot = await User.of(node, "ci")
    assert (await bot.does("inbox.list"))["conversations"] == []


async def test_who_may_not_make_bots(node: Node, owner: LiveUser, ann: LiveUser) -> None:
    with refused("forbidden"):
        await ann.does("bots.create", handle="ci")
    await owner.does("bots.create", handle="ci")
    with refused("forbidden"):
        await ann.does("bots.token", bot="ci")
    for command in ("bots.remove", "bots.token"):
        other = await User.new(node, f"other-{command.partition('.')[2]}", role="maker")
        with refused("not_found", "bot"):
            await other.does(command, bot="ci")
    await node.call("people.role", person="ci", role="maker")
    with refused("forbidden"):
        await (await User.of(node, "ci")).does("bots.create", handle="ci-2")


async def test_the_same_bot_is_made_once(node: Node, owner: LiveUser, ann: LiveUser) -> None:
    first = await owner.does("bots.create", handle="ci", name="Builds")
    assert await owner.does("bots.create", handle="ci", name="Builds") == first
    with refused("conflict", "handle"):
        await owner.does("bots.create", handle="ci", name="Another")
    with refused("conflict", "handle"):
        await owner.does("bots.create", handle="ann")


@pytest.mark.parametrize("config", [configured(bots={"per_person": 2})], ids=["two bots"])
async def test_there_are_only_so_many(owner: LiveUser) -> None:
    await owner.does("bots.create", handle="one")
    await owner.does("bots.create", handle="two")
    with refused("too_large"):
        await owner.does("bots.create", handle="three")
    await owner.does("bots.create", handle="two")  # which is there
    await owner.does("bots.remove", bot="one")
    await owner.does("bots.create", handle="three")
    assert await handles(owner) == ["three", "two"]


async def test_a_token_has_the_scope_chat_and_no_more_than_its_owner(
    node: Node, owner: LiveUser, ann: LiveUser
) -> None:
    await owner.does("bots.create", handle="ci")
    bot = await Device.with_token(node, (await owner.does("bots.token", bot="ci"))["token"])
    assert (await bot.does("people.me"))["scopes"] == ["chat"]
    with refused("forbidden"):
        await bot.does("conversations.create", title="mine")
    reader = await Device.with_token(node, (await owner.does("bots.token", bot="ci", scopes=["chat:read"]))["token"])
    with refused("forbidden"):
        await reader.says(await ann.group(), "hello")
    with refused("forbidden", "scopes"):
        await owner.does("bots.token", bot="ci", scopes=["chat", "moderate"])
    with refused("invalid", "scopes"):
        await owner.does("bots.token", bot="ci", scopes=["fly"])


async def test_tokens_are_replaced(node: Node, owner: LiveUser) -> None:
    await owner.does("bots.create", handle="ci")
    lost = await Device.with_token(node, (await owner.does("bots.token", bot="ci"))["token"])
    await owner.does("bots.token", bot="ci", replace=True)
    with refused("unauthenticated"):
        await lost.does("people.me")


async def test_it_lists_only_users_with_whom_it_shares_a_conversation(
    node: Node, owner: LiveUser, ann: LiveUser, bob: LiveUser, eve: LiveUser
) -> None:
    await owner.does("bots.create", handle="ci")
    bot = await User.of(node, "ci")
    assert await listed(bot) == ([], [])
    room = await ann.group(bob)
    await ann.does("conversations.members.add", conversation=room, member="ci")
    assert await listed(bot) == (["ann", "bob", "ci"], ["ann", "bob", "ci"])
    await ann.does("conversations.members.remove", conversation=room, member="bob")
    assert await listed(bot) == (["ann", "ci"], ["ann", "ci"])
    assert "eve" in (await listed(ann))[0]
    others = await make_bot(node, "helper")  # of the node's operator
    assert "eve" in (await listed(others))[1]


async def listed(who: User) -> tuple[list[str], list[str]]:
    """The handles that they see in the list of people, and in the collection."""
    plain = (await who.does("people.list"))["people"]
    filtered = (await who.does("items.query", collection="people"))["data"]
    return [each["handle"] for each in plain], [each["handle"] for each in filtered]


async def test_it_has_a_rate_of_its_own(node: Node, owner: LiveUser, ann: LiveUser) -> None:
    await owner.does("bots.create", handle="ci")
    room = await ann.group()
    await ann.does("conversations.members.add", conversation=room, member="ci")
    bot = await User.of(node, "ci")
    node.core.bot_rates["posts"].per_minute = 2
    await bot.says(room, "one")
    await bot.says(room, "two")
    with refused("rate_limited"):
        await bot.says(room, "three")
    for text in ("one", "two", "three"):
        await ann.says(room, text)


# ---- with the owner


async def test_a_deactivated_owner_pauses_their_bots(node: Node, owner: LiveUser, ann: LiveUser) -> None:
    await owner.does("bots.create", handle="ci")
    await owner.does("bots.create", handle="off")
    await node.call("people.deactivate", person="off")
    bot = await Device.with_token(node, (await owner.does("bots.token", bot="ci"))["token"])
    await bot.does("bots.commands.set", commands=[DEPLOY])
    room = await ann.group()
    await ann.does("conversations.members.add", conversation=room, member="ci")

    await node.call("people.deactivate", person="olga")
    with refused("unauthenticated"):
        await bot.says(room, "still here")
    assert (await ann.does("people.get", person="ci"))["person"]["deactivated"]
    assert (await ann.does("slash.list", conversation=room))["commands"] == []
    with refused("conflict", "person"):
        await node.call("people.reactivate", person="ci")

    await node.call("people.reactivate", person="olga")
    assert "deactivated" not in (await ann.does("people.get", person="ci"))["person"]
    assert (await ann.does("people.get", person="off"))["person"]["deactivated"], "an administrator did that"
    assert [each["command"] for each in (await ann.does("slash.list", conversation=room))["commands"]] == ["/deploy"]
    bot = await Device.with_token(node, (await owner.does("bots.token", bot="ci"))["token"])
    await bot.says(room, "back again")


async def test_a_paused_bot_that_is_deactivated_stays_so(node: Node, owner: LiveUser) -> None:
    await owner.does("bots.create", handle="ci")
    await node.call("people.deactivate", person="olga")
    await node.call("people.deactivate", person="ci")
    await node.call("people.reactivate", person="olga")
    assert (await node.call("people.get", person="ci"))["person"]["deactivated"]


async def test_an_erased_owners_bots_end(node: Node, owner: LiveUser, ann: LiveUser) -> None:
    await owner.does("bots.create", handle="ci")
    bot = await Device.with_token(node, (await owner.does("bots.token", bot="ci"))["token"])
    await bot.does("bots.commands.set", commands=[DEPLOY])
    talk = await ann.direct(bot)
    await bot.says(talk, "hello")
    done = await node.call("people.erase", person="olga", handle="olga")
    assert done["removed"]["bots_owned"] == 1
    with refused("unauthenticated"):
        await bot.does("people.me")
    assert await ann.reads(talk) == ["hello"]
    with refused("forbidden"):
        await ann.says(talk, "are you there?")
    assert (await ann.does("slash.list", conversation=talk))["commands"] == []
    await assert_sound(node)


async def test_an_erased_bot_is_nobodys(node: Node, owner: LiveUser) -> None:
    await owner.does("bots.create", handle="ci")
    bot = await User.of(node, "ci")
    await bot.does("bots.commands.set", commands=[DEPLOY])
    await node.call("people.erase", person="ci", handle="ci")
    assert await handles(owner) == []
    await assert_sound(node)


async def test_a_removed_bot_is_only_the_author_of_what_it_said(node: Node, owner: LiveUser, ann: LiveUser) -> None:
    await owner.does("bots.create", handle="ci")
    bot = await User.of(node, "ci")
    talk = await ann.direct(bot)
    await bot.says(talk, "hello")
    await owner.does("bots.remove", bot="ci")
    assert await handles(owner) == []
    (message,) = await ann.sees(talk)
    assert (message["text"], message["sender"]["handle"]) == ("hello", "ci")
    with refused("not_found", "bot"):
        await owner.does("bots.remove", bot="ci")


async def test_administrators_see_whose_bots_there_are(node: Node, owner: LiveUser, ann: LiveUser) -> None:
    await owner.does("bots.create", handle="ci")
    root = await User.new(node, "root", admin=True)
    found = (await root.does("bots.list", owner="olga"))["bots"]
    assert [(each["bot"]["handle"], each["owner"]["handle"]) for each in found] == [("ci", "olga")]
    with refused("forbidden"):
        await ann.does("bots.list", owner="olga")


async def test_they_are_in_their_owners_export(node: Node, owner: LiveUser) -> None:
    await owner.does("bots.create", handle="ci", name="Builds")
    found = (await exported(owner, "bot"))[0]["data"]
    assert (found["handle"], found["name"]) == ("ci", "Builds")


# ---- commands


async def test_a_bot_says_what_it_offers(node: Node, ann: LiveUser) -> None:
    bot = await make_bot(node)
    other = {"name": "abort", "about": "Stop"}
    given = (await bot.does("bots.commands.set", commands=[DEPLOY, other]))["commands"]
    assert given == [other | {"usage": ""}, DEPLOY]
    with refused("forbidden"):
        await ann.does("bots.commands.set", commands=[DEPLOY])


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"name": "Deploy", "about": "x"}, "commands.0.name"),
        ({"name": "", "about": "x"}, "commands.0.name"),
        ({"name": "two words", "about": "x"}, "commands.0.name"),
        ({"name": "a@b", "about": "x"}, "commands.0.name"),
        ({"name": "a", "about": ""}, "commands.0.about"),
        ({"name": "a", "about": "x\ny"}, "commands.0.about"),
    ],
)
def test_a_command_has_a_form(wrong: dict[str, str], path: str) -> None:
    with refused("invalid", path):
        codec.structure({"commands": [wrong]}, SetBotCommands)


@pytest.mark.parametrize("config", [configured(bots={"commands": 1})], ids=["one command"])
async def test_there_are_only_so_many_commands_and_each_once(node: Node) -> None:
    bot = await make_bot(node)
    assert await outcome(bot.does("bots.commands.set", commands=[DEPLOY, {"name": "x", "about": "x"}])) == "too_large"
    assert await outcome(bot.does("bots.commands.set", commands=[DEPLOY])) == "ok"


async def test_bots_are_made_and_ended_at_a_rate(node: Node, owner: LiveUser) -> None:
    """Each is an account that stays: without a rate, a user could fill the database with them."""
    node.core.rates["bots"].per_minute = 2
    await owner.does("bots.create", handle="ci")
    await owner.does("bots.remove", bot="ci")
    for command, fields in (("bots.create", {"handle": "cd"}), ("bots.remove", {"bot": "ci"})):
        assert await outcome(owner.does(command, **fields)) == "rate_limited"
