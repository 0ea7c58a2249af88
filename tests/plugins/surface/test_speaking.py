"""What plugins say in the chat: as bots of their own, and in transactions that post or leave no trace."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from chatnode.api import (
    Change,
    Consumer,
    Context,
    MessagePosted,
    Refusal,
    Row,
    Transaction,
    Write,
    add_member,
    find_person,
    hookimpl,
    only_for,
    open_direct,
    open_group,
    person_by_key,
    post_message,
)
from chatnode.config import Config, Limits
from chatnode.node import Node, open_node
from chatnode.testing import LiveUser, catch_up, refused
from tests.plugins.surface.making import made, node_with


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    async with node_with(tmp_path, made("demo"), config=Config(limits=Limits(message_chars=100))) as node:
        yield node


@pytest.fixture
async def ann(node: Node) -> LiveUser:
    return await LiveUser.new(node, "ann")


@pytest.fixture
async def bob(node: Node) -> LiveUser:
    return await LiveUser.new(node, "bob")


def context(node: Node, plugin: str = "demo") -> Context:
    return node.plugins.loaded[plugin].context


# ---- bots


async def test_a_bot_is_made_once_and_is_the_plugins_own(node: Node, ann: LiveUser) -> None:
    bot = await context(node).bot("helper", "Helping Hand")
    assert await context(node).bot("helper", "Helping Hand") == bot
    shown = (await ann.does("people.get", person="helper"))["person"]
    assert (shown["id"], shown["name"], shown["bot"]) == (bot.id, "Helping Hand", True)
    (listed,) = (await node.call("plugins.list"))["plugins"]
    assert listed["bots"] == ["helper"]
    entries = (await node.call("audit.list", action="people.create"))["entries"]
    assert [each["details"].get("plugin") for each in entries if each["target"] == bot.id] == ["demo"]


async def test_nobody_else_can_speak_as_it(node: Node) -> None:
    await context(node).bot("helper")
    with refused("forbidden", "person"):
        await node.call("tokens.create", person="helper")
    with refused("invalid", "person"):
        await node.call("people.password", person="helper", new="a long new password")


async def test_a_handle_that_a_user_has_is_theirs(node: Node) -> None:
    await LiveUser.new(node, "helper")
    bot = await context(node).bot("helper", "Helper")
    assert bot.handle == "helper-2"
    assert (await context(node).bot("helper", "Helper")).id == bot.id


async def test_a_name_that_cannot_be_a_handle_is_refused(node: Node) -> None:
    with refused("invalid", "handle"):
        await context(node).bot("two words")


async def test_its_display_name_follows_the_plugin(node: Node, ann: LiveUser) -> None:
    bot = await context(node).bot("helper", "Helper")
    room = await ann.group()
    await ann.does("conversations.members.add", conversation=room, member="helper")
    assert (await context(node).bot("helper", "Better Helper")).id == bot.id
    assert (await ann.hears("person.updated"))["person"]["name"] == "Better Helper"


async def test_a_long_name_leaves_room_for_a_number(node: Node) -> None:
    await LiveUser.new(node, "h" * 63)
    assert (await context(node).bot("h" * 63)).handle == "h" * 61 + "-2"
    with refused("invalid", "name"):
        await context(node).bot("h" * 63, "x" * 101)


async def test_two_plugins_do_not_share_a_bot(tmp_path: Path) -> None:
    async with node_with(tmp_path, made("demo"), made("other")) as node:
        mine, theirs = await context(node).bot("helper"), await context(node, "other").bot("helper")
        assert (mine.handle, theirs.handle) == ("helper", "helper-2")


async def test_it_sleeps_while_its_plugin_does_not_run(tmp_path: Path) -> None:
    async with node_with(tmp_path, made("demo")) as node:
        ann = await LiveUser.new(node, "ann")
        bot = await context(node).bot("helper")
        talk = (await ann.does("conversations.direct", **{"with": "helper"}))["conversation"]
    async with node_with(tmp_path) as node:
        ann = await LiveUser.of(node, "ann")
        with refused("forbidden"):
            await ann.says(talk, "are you there?")
        await node.call("people.deactivate", person="ann")
        await node.call("people.reactivate", person="ann")
    async with node_with(tmp_path, made("demo")) as node:
        ann = await LiveUser.of(node, "ann")
        await ann.says(talk, "and now?")
        assert (await context(node).bot("helper")).deactivated_at is None
        await node.call("people.deactivate", person="helper")
    async with node_with(tmp_path, made("demo")) as node:  # what an administrator did holds
        with refused("forbidden"):
            await context(node).as_person(bot.id).call("people.me")


async def test_dropped_with_its_plugin_it_is_only_the_author_of_what_it_said(tmp_path: Path) -> None:
    async with node_with(tmp_path, made("demo")) as node:
        ann = await LiveUser.new(node, "ann")
        bot = await context(node).bot("helper")
        talk = await ann.group()
        await ann.does("conversations.members.add", conversation=talk, member="helper")
        await context(node).as_person(bot.id).call("messages.post", conversation=talk, cid="1", text="I was here")
    async with node_with(tmp_path) as node:
        await node.call("plugins.drop", plugin="demo", confirm="demo")
        ann = await LiveUser.of(node, "ann")
        (message,) = await ann.sees(talk)
        assert (message["text"], message["sender"]["handle"]) == ("I was here", "helper")
    async with node_with(tmp_path, made("demo")) as node:
        await node.call("plugins.enable", plugin="demo")
    async with node_with(tmp_path, made("demo")) as node:
        another = await context(node).bot("helper")
        assert (another.handle, another.id != bot.id) == ("helper-2", True)
        with refused("forbidden"):
            await context(node).as_person(bot.id).call("people.me")


async def test_deactivated_while_it_sleeps_it_stays_so_when_its_plugin_runs_again(tmp_path: Path) -> None:
    async with node_with(tmp_path, made("demo")) as node:
        bot = await context(node).bot("helper")
    async with node_with(tmp_path) as node:
        await node.call("people.deactivate", person="helper")
        (entry,) = (await node.call("audit.list", action="people.deactivate"))["entries"]
        assert entry["target"] == bot.id
    async with node_with(tmp_path, made("demo")) as node:
        with refused("forbidden"):
            await context(node).as_person(bot.id).call("people.me")


async def test_after_its_erasure_the_plugin_gets_another_one(node: Node) -> None:
    bot = await context(node).bot("helper")
    await node.call("people.erase", person="helper", handle="helper")
    again = await context(node).bot("helper")
    assert again.key != bot.key
    assert (await node.call("plugins.list"))["plugins"][0]["bots"] == ["helper"]


# ---- posting in a transaction


async def test_what_a_transaction_posts_is_heard_as_any_message(node: Node, ann: LiveUser) -> None:
    bot = await context(node).bot("helper")
    room = await _room(ann, "helper")
    root = await ann.says(room, "the root")
    posted = await node.core.db.write(
        lambda tx: post_message(
            tx, bot, room, "hello @ann", cid="1", reply_to=root, thread=root, metadata={"demo.of": "greeting"}
        )
    )
    await ann.hears("message.posted")
    message = (await ann.hears("message.posted"))["message"]
    assert (message["message"], message["sender"]["handle"], message["text"]) == (
        posted.message,
        "helper",
        "hello @ann",
    )
    assert (message["mentions"], message["reply_to"], message["thread"]) == ([ann.id], root, root)
    assert message["metadata"] == {"demo.of": "greeting"}
    assert (await ann.sees(room))[-1] | {"replies": None} == message | {"replies": None}


async def test_the_same_cid_posts_once_and_another_text_is_refused(node: Node, ann: LiveUser) -> None:
    bot = await context(node).bot("helper")
    room = await _room(ann, "helper")
    first = await node.core.db.write(lambda tx: post_message(tx, bot, room, "once", cid="1"))
    again = await node.core.db.write(lambda tx: post_message(tx, bot, room, "once", cid="1"))
    assert (first.dup, again.dup, again.message) == (False, True, first.message)
    with refused("conflict", "cid"):
        await node.core.db.write(lambda tx: post_message(tx, bot, room, "twice", cid="1"))
    assert [each["text"] for each in await ann.sees(room)] == ["once"]


async def test_a_transaction_that_is_undone_posts_nothing(node: Node, ann: LiveUser) -> None:
    bot = await context(node).bot("helper")
    room = await _room(ann, "helper")

    def post_and_fail(tx: Transaction) -> None:
        post_message(tx, bot, room, "never", cid="1")
        raise Refusal("conflict", "no")

    for repeatable in (False, True):
        with refused("conflict"):
            await node.core.db.write(post_and_fail, repeatable=repeatable)
    await node.core.db.write(lambda tx: post_message(tx, bot, room, "after all", cid="1"))
    assert (await ann.hears("message.posted"))["message"]["text"] == "after all"
    assert [each["seq"] for each in await ann.sees(room)] == [1]


async def test_membership_closing_and_blocks_hold(node: Node, ann: LiveUser, bob: LiveUser) -> None:
    bot = await context(node).bot("helper")
    outside, closed = await ann.group(bob), await _room(ann, "helper")
    await ann.does("conversations.close", conversation=closed)
    direct = await node.core.db.write(lambda tx: open_direct(tx, bot, ann.account))
    await ann.does("people.block", person="helper")
    left = await _room(bob, "helper")
    await bob.does("conversations.members.remove", conversation=left, member="helper")
    for room, code in ((outside, "not_found"), (closed, "closed"), (direct, "closed"), (left, "not_member")):
        with refused(code):
            await node.core.db.write(lambda tx, room=room: post_message(tx, bot, room, "let me in", cid="1"))
    with refused("forbidden"):
        await node.core.db.write(lambda tx: open_group(tx, bot, "together", [ann.account]))
    assert await ann.sees(outside) == []


@pytest.mark.parametrize(
    ("fields", "code", "path"),
    [
        ({"text": ""}, "invalid", "text"),
        ({"text": "x" * 101}, "too_large", "text"),
        ({"cid": "no spaces, please"}, "invalid", "cid"),
        ({"metadata": {"n": 1}}, "invalid", "metadata.n"),
        ({"reply_to": "0" * 32}, "not_found", "reply_to"),
    ],
)
async def test_form_and_length_are_those_of_a_clients_message(
    node: Node, ann: LiveUser, fields: dict[str, Any], code: str, path: str
) -> None:
    bot = await context(node).bot("helper")
    room = await _room(ann, "helper")
    given: dict[str, Any] = {"text": "hello", "cid": "1"} | fields
    with refused(code, path):
        await node.core.db.write(lambda tx: post_message(tx, bot, room, **given))


async def test_an_account_that_cannot_act_says_nothing(node: Node, ann: LiveUser, bob: LiveUser) -> None:
    room = await ann.group(bob)
    await node.call("roles.set", role="mute", permissions=["invites.manage"])
    await node.call("people.role", person="bob", role="mute")
    with refused("forbidden"):
        await node.core.db.write(lambda tx: post_message(tx, bob.account, room, "hm", cid="1"))
    await node.call("people.deactivate", person="ann")
    with refused("forbidden"):
        await node.core.db.write(lambda tx: post_message(tx, ann.account, room, "hm", cid="1"))


async def test_an_account_that_cannot_act_opens_no_conversation(node: Node, ann: LiveUser, bob: LiveUser) -> None:
    """The plugin found it some time ago: what counts is how it is in the transaction."""
    bot = await context(node).bot("helper")
    await node.call("people.deactivate", person="helper")
    await node.call("people.deactivate", person="bob")
    for one, other in ((bot, ann.account), (ann.account, bob.account)):
        with refused("forbidden"):
            await node.core.db.write(lambda tx, one=one, other=other: open_direct(tx, one, other))
    assert (await ann.does("inbox.list"))["conversations"] == []


async def test_a_hook_answers_in_the_transaction_it_follows(tmp_path: Path) -> None:
    @hookimpl
    @only_for(MessagePosted)
    def in_transaction(tx: Transaction, change: Change) -> None:
        event = change.event
        assert isinstance(event, MessagePosted)
        if event.message.text == "ping":
            bot = find_person(tx, "helper")
            post_message(tx, bot, event.conversation, "pong", cid=event.message.message)

    async with node_with(tmp_path, made("demo", in_transaction)) as node:
        ann = await LiveUser.new(node, "ann")
        await context(node).bot("helper")
        room = await _room(ann, "helper")
        await ann.says(room, "ping")
        heard = [await ann.hears("message.posted") for _ in range(2)]
        assert [each["message"]["text"] for each in heard] == ["ping", "pong"]
        assert heard[0]["gid"] < heard[1]["gid"]


async def test_a_consumer_answers_each_message_once(tmp_path: Path) -> None:
    tries: list[int] = []

    async def consume(ctx: Context, rows: Sequence[Row]) -> Write[object] | None:
        bot = await ctx.bot("helper")

        def answer(tx: Transaction) -> None:
            tries.append(len(rows))
            for row in rows:
                if row.actor != bot.key:
                    post_message(tx, bot, row.conversation, f"seen {row.subject}", cid=str(row.gid))
            if len(tries) == 1:
                raise ValueError("the first time it fails")

        return answer

    answering = made("demo", consumers=(Consumer("answers", consume, frozenset({MessagePosted.name})),))
    async with node_with(tmp_path, answering) as node:
        ann = await LiveUser.new(node, "ann")
        await context(node).bot("helper")
        room = await _room(ann, "helper")
        for text in ("one", "two"):
            await ann.says(room, text)
        for _ in range(4):
            await catch_up(node)
        said = [each["text"] for each in await ann.sees(room)]
        assert (said, len(tries) > 2) == (["one", "two", "seen 1", "seen 2"], True)
        await node.call("plugins.replay", consumer="answers", plugin="demo", gid=0)
        await catch_up(node)
        assert [each["text"] for each in await ann.sees(room)] == said


# ---- opening and adding


async def test_a_group_is_opened_and_grown_with_its_first_message(node: Node, ann: LiveUser, bob: LiveUser) -> None:
    bot = await context(node).bot("helper")

    def write(tx: Transaction) -> str:
        room = open_group(tx, bot, "Lunch", [ann.account], description="Where to?")
        add_member(tx, bot, room, bob.account)
        add_member(tx, bot, room, bob.account)
        post_message(tx, bot, room, "welcome", cid=room)
        return room

    room = await node.core.db.write(write)
    for each in (ann, bob):
        assert (await each.hears("message.posted"))["conversation"] == room
    members = (await ann.does("conversations.members.list", conversation=room))["members"]
    assert {each["person"]["handle"]: each["role"] for each in members} == {
        "helper": "owner", "ann": "member", "bob": "member",
    }  # fmt: skip


async def test_only_who_may_add_members_adds_them(node: Node, ann: LiveUser, bob: LiveUser) -> None:
    bot = await context(node).bot("helper")
    room = await _room(ann, "helper")
    with refused("forbidden"):
        await node.core.db.write(lambda tx: add_member(tx, bot, room, bob.account))
    await node.call("people.deactivate", person="bob")
    with refused("forbidden"):
        await node.core.db.write(lambda tx: add_member(tx, ann.account, room, bob.account))


async def test_groups_have_the_size_that_the_node_allows(tmp_path: Path) -> None:
    async with open_node(tmp_path / "data", Config(limits=Limits(group_members=2)), plugins=[made("demo")]) as node:
        ann, bob = await LiveUser.new(node, "ann"), await LiveUser.new(node, "bob")
        bot = await context(node).bot("helper")
        with refused("too_large"):
            await node.core.db.write(lambda tx: open_group(tx, bot, "three", [ann.account, bob.account]))
        room = await node.core.db.write(lambda tx: open_group(tx, bot, "two", [ann.account]))
        with refused("too_large"):
            await node.core.db.write(lambda tx: add_member(tx, bot, room, bob.account))
        assert await node.core.db.read(lambda reader: person_by_key(reader, bot.key)) == bot


async def _room(owner: LiveUser, member: str) -> str:
    return (await owner.does("conversations.create", title="room", members=[member]))["conversation"]
