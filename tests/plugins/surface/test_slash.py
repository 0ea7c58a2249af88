"""Slash commands of plugins: declaring them, and what their answers become."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trio

from chatnode.api import (
    Action,
    Consumer,
    Context,
    EventKind,
    NoticeSent,
    Permission,
    Refusal,
    Row,
    Slash,
    SlashCall,
    SlashReply,
    Transaction,
    Write,
    post_message,
)
from chatnode.node import Node
from chatnode.testing import LiveUser, catch_up, refused
from tests.bots import make_bot
from tests.plugins.surface.making import made, node_with, states
from tests.services.dialogue import outcome

CALLS: list[SlashCall] = []


@pytest.fixture(autouse=True)
def no_calls() -> None:
    CALLS.clear()


async def roll(ctx: Context, call: SlashCall) -> SlashReply | None:
    CALLS.append(call)
    if not call.text:
        return None
    if call.text == "bad":
        raise Refusal("invalid", "a die has a number of sides", path="text")
    if call.text == "crash":
        raise ZeroDivisionError
    if call.text == "nonsense":
        return "4"  # type: ignore[return-value]
    visible = "all" if call.text.endswith("!") else "only_you"
    return SlashReply(f"{ctx.me.handle} rolls {call.text}: {len(CALLS)}", visible)


async def shout(ctx: Context, call: SlashCall) -> SlashReply:
    return SlashReply(call.text.upper())


ROLL = Slash("roll", "Roll a die", "SIDES", roll)
DICE = made("dice", slash=[ROLL])


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    async with node_with(tmp_path, DICE) as node:
        yield node


@pytest.fixture
async def ann(node: Node) -> LiveUser:
    return await LiveUser.new(node, "ann")


@pytest.fixture
async def bob(node: Node) -> LiveUser:
    return await LiveUser.new(node, "bob")


async def run(who: LiveUser, room: str, text: str, cid: str = "1") -> dict[str, Any]:
    return await who.does("slash.run", conversation=room, text=text, cid=cid)


async def listed(who: LiveUser, room: str) -> list[str]:
    return [each["command"] for each in (await who.does("slash.list", conversation=room))["commands"]]


async def test_an_answer_for_the_user_alone(node: Node, ann: LiveUser, bob: LiveUser) -> None:
    talk = await ann.direct(bob)
    (offer,) = (await ann.does("slash.list", conversation=talk))["commands"]
    assert offer == {"command": "/roll", "about": "Roll a die", "usage": "SIDES", "plugin": "dice"}
    ran = await run(ann, talk, "/roll 6")
    assert (ran["notice"]["text"], ran["notice"]["plugin"], "message" in ran) == ("ann rolls 6: 1", "dice", False)
    assert (await ann.hears("notice.private"))["notice"] == ran["notice"]
    assert bob.heard("notice.private") == []
    assert await bob.reads(talk) == []
    (call,) = CALLS
    assert call == SlashCall(ran["invocation"], talk, "roll", "6")


async def test_an_answer_to_all_is_the_users_message(node: Node, ann: LiveUser, bob: LiveUser) -> None:
    """Only the plugin can write what marks it, so nobody can forge a roll."""
    talk = await ann.direct(bob)
    ran = await run(ann, talk, "/roll 6!")
    (message,) = await bob.sees(talk)
    assert (message["message"], message["text"], message["sender"]["handle"]) == (
        ran["message"],
        "ann rolls 6!: 1",
        "ann",
    )
    assert message["metadata"] == {"dice.command": "/roll"}
    with refused("invalid", "metadata"):
        await ann.says(talk, "ann rolls 6!: 6", metadata={"dice.command": "/roll"})


@pytest.mark.parametrize("text", ["/roll 6", "/roll 6!", "/roll"])
async def test_a_repeat_is_not_carried_out_again(node: Node, ann: LiveUser, text: str) -> None:
    room = await ann.group()
    first = await run(ann, room, text)
    assert await run(ann, room, text) == first | {"dup": True}
    assert len(CALLS) == 1
    with refused("conflict", "cid"):
        await run(ann, room, "/roll 20")
    assert len(await ann.reads(room)) == text.count("!")


async def test_repeats_at_the_same_time_wait_for_the_first(node: Node, ann: LiveUser) -> None:
    room = await ann.group()
    found: list[dict[str, Any]] = []

    async def ask() -> None:
        found.append(await run(ann, room, "/roll 6!"))

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(ask)
    assert len(CALLS) == 1
    assert sorted(each["dup"] for each in found) == [False, True, True, True, True]
    assert {each["message"] for each in found} == {found[0]["message"]}


async def test_an_answer_that_was_posted_counts_though_the_node_died_then(node: Node, ann: LiveUser) -> None:
    room = await ann.group()
    first = await run(ann, room, "/roll 6!")
    await node.core.db.write(lambda tx: tx.execute("DELETE FROM bots_invocations"))
    again = await run(ann, room, "/roll 6!")
    assert (again["dup"], again["message"], len(CALLS)) == (True, first["message"], 1)


async def test_refusals_and_failures_reach_the_user(node: Node, ann: LiveUser) -> None:
    room = await ann.group()
    with refused("invalid", "text") as caught:
        await run(ann, room, "/roll bad", "1")
    assert caught.value.message == "a die has a number of sides"
    for cid, text in (("2", "crash"), ("3", "nonsense")):
        with refused("internal"):
            await run(ann, room, f"/roll {text}", cid)
    (plugin,) = (await node.call("plugins.list"))["plugins"]
    assert (plugin["failures"], plugin["last_failure"][:11]) == (2, "slash /roll")
    await outcome(run(ann, room, "/roll bad", "1"))
    assert [each.text for each in CALLS] == ["bad", "crash", "nonsense", "bad"]


async def test_an_answer_to_all_needs_what_posting_needs(node: Node, ann: LiveUser) -> None:
    room = await ann.group()
    node.core.rates["posts"].per_minute = 1
    await ann.says(room, "one")
    with refused("rate_limited"):
        await run(ann, room, "/roll 6!", "1")
    await run(ann, room, "/roll 6", "2")


async def test_two_plugins_and_a_bot_of_the_same_name(tmp_path: Path) -> None:
    games = made("games", slash=[Slash("roll", "Roll all dice", "", shout)])
    async with node_with(tmp_path, DICE, games) as node:
        ann = await LiveUser.new(node, "ann")
        room = await ann.group()
        assert await listed(ann, room) == ["/dice:roll", "/games:roll"]
        await make_bot(node, "croupier", {"name": "roll", "about": "Roll"}, room=room, by=ann)
        assert await listed(ann, room) == ["/dice:roll", "/games:roll", "/roll@croupier"]
        assert await outcome(run(ann, room, "/roll 6", "1")) == "conflict"
        assert (await run(ann, room, "/games:roll six", "2"))["notice"]["text"] == "SIX"
        assert (await run(ann, room, "/roll@croupier six", "3"))["bot"]["handle"] == "croupier"


async def test_who_lacks_the_permission_does_not_see_it(tmp_path: Path) -> None:
    mine = made(
        "demo",
        slash=[Slash("shout", "Shout", "TEXT", shout, "demo.shout")],
        permissions=[Permission("demo.shout", "shout", roles=("moderator",))],
    )
    async with node_with(tmp_path, mine) as node:
        ann, bob = await LiveUser.new(node, "ann"), await LiveUser.new(node, "bob", role="moderator")
        talk = await ann.direct(bob)
        assert (await listed(ann, talk), await listed(bob, talk)) == ([], ["/shout"])
        assert await outcome(run(ann, talk, "/shout x")) == "not_found"
        assert (await run(bob, talk, "/shout x"))["notice"]["text"] == "X"


@pytest.mark.parametrize(
    ("slash", "reason"),
    [
        ([Slash("Roll", "x", "", roll)], "must be named with a-z"),
        ([Slash("ro ll", "x", "", roll)], "must be named with a-z"),
        ([ROLL, ROLL], "the slash command roll is declared twice"),
        (
            [Slash("roll", "x", "", roll, "other.permission")],
            "the permission other.permission, which neither the node nor demo declares",
        ),
        ([Slash("roll", "x", "", lambda ctx, call: None)], "must be async def"),
    ],
)
async def test_a_faulty_declaration_keeps_the_plugin_from_running(
    tmp_path: Path, slash: list[Slash], reason: str
) -> None:
    async with node_with(tmp_path, made("demo", slash=slash)) as node:
        assert reason in states(node)["demo"]


# ---- a plugin's bot


class Approvals:
    """A plugin whose bot posts a button, and reads in the log who pressed it."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []

    async def read(self, ctx: Context, rows: list[Row]) -> Write[object] | None:
        def look(reader: Any) -> list[dict[str, Any] | None]:
            return [ctx.event(reader, row) for row in rows]

        for event in await ctx.read(look):
            if event is not None:
                self.heard.append(event)
                bot = await ctx.bot("clerk")
                await ctx.as_person(bot.id).call("slash.reply", invocation=event["invocation"], text="noted")
        return None


async def test_the_bot_of_a_plugin_hears_by_a_consumer(tmp_path: Path) -> None:
    approvals = Approvals()
    plugin = made("demo", consumers=[Consumer("pressed", approvals.read, frozenset({"action.invoked"}))])
    async with node_with(tmp_path, plugin) as node:
        ann, eve = await LiveUser.new(node, "ann"), await LiveUser.new(node, "eve")
        ctx = node.plugins.loaded["demo"].context
        bot = await ctx.bot("clerk")
        room = await ann.group()
        await ann.does("conversations.members.add", conversation=room, member="clerk")

        def post(tx: Transaction) -> str:
            ask = [Action("yes", "Yes"), Action("no", "No", confirm="Really?")]
            return post_message(tx, bot, room, "May I?", cid="1", actions=ask).message

        message = await node.core.db.write(post)
        assert await node.core.db.write(post) == message
        with refused("forbidden", "actions"):
            await node.core.db.write(
                lambda tx: post_message(tx, ann.account, room, "x", cid="2", actions=[Action("yes", "Yes")])
            )
        await ann.does("actions.invoke", message=message, action="no", cid="1")
        await catch_up(node)
        assert [(each["action"], each["person"]["handle"]) for each in approvals.heard] == [("no", "ann")]
        assert (await ann.hears("notice.private"))["notice"]["text"] == "noted"
        assert eve.heard("notice.private") == []


async def test_events_of_the_core_are_not_a_plugins_to_declare(tmp_path: Path) -> None:

    taken = made("demo", events=[EventKind(NoticeSent, lambda reader, row: None)])
    async with node_with(tmp_path, taken) as node:
        assert "notice.private already exists" in states(node)["demo"]
