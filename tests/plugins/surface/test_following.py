"""Following the log as one user: the same events as for a client that resumes while users come and go."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import pytest
import trio
import trio.testing

from chatnode.api import (
    Context,
    Event,
    EventKind,
    MessagePosted,
    Refusal,
    Transaction,
    access_conversation,
    event_names,
    log_rows,
    log_rows_for,
)
from chatnode.node import Node
from chatnode.storage.log import log
from chatnode.testing import User, refused
from tests.plugins.surface.making import made, node_with


@attrs.define
class Waved(Event):
    """Somebody waves to all members of a conversation, or to one."""

    name = "demo.waved"
    conversation: str


WAVED = EventKind(Waved, lambda reader, row: Waved(row.conversation))


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    async with node_with(tmp_path, made("demo", events=(WAVED,))) as node:
        yield node


@pytest.fixture
def ctx(node: Node) -> Context:
    return node.plugins.loaded["demo"].context


async def live(node: Node, users: list[User], chance: random.Random, steps: int) -> None:
    """Users do what makes every kind of row: of conversations, of one user, of several."""
    rooms = [await users[0].group(*users[1:]), await users[1].group(users[0]), await users[0].direct(users[1])]

    async def attempt(who: User, room: str) -> None:
        match chance.randrange(8):
            case 0 | 1:
                await who.says(room, "hello")
            case 2:
                await who.call("conversations.leave", conversation=room)
            case 3:
                await who.call("conversations.members.add", conversation=room, member=chance.choice(users).handle)
            case 4:
                await who.call("people.update", name=f"name {chance.random()}")
            case 5:
                await who.call("receipts.read", conversation=room, seq=1)
            case 6:
                await who.call("conversations.settings", conversation=room, archived=chance.random() < 0.5)
            case _:
                private, people = chance.random() < 0.5, [chance.choice(users).key for _ in range(chance.randrange(3))]

                def wave(tx: Transaction) -> None:
                    place = access_conversation(tx, who.account, room)
                    alone = private and len(people) == 1
                    tx.record(Waved(room), conversation=place.key, people=people, subject=1, private=alone)

                await node.core.db.write(wave)

    for _ in range(steps):
        try:
            await attempt(chance.choice(users), chance.choice(rooms))
        except Refusal:
            continue


@pytest.mark.parametrize("seed", range(3))
async def test_it_finds_what_a_resume_finds_from_every_place(node: Node, ctx: Context, seed: int) -> None:
    users = [await User.new(node, handle) for handle in ("ann", "bob", "eve")]
    await live(node, users, random.Random(seed), 60)
    head = await node.core.db.read(log.head)
    for who in users:
        for since in range(0, head + 1, 7):
            wanted = await ctx.read(
                lambda reader, who=who, since=since: log.gids_since(reader, who.account, since, 10**6)
            )
            found: list[int] = []
            place = since
            while True:
                page = await ctx.read(lambda reader, who=who, at=place: log_rows_for(reader, who.key, at, most=5))
                found += [row.gid for row in page.rows]
                if page.reached == place:
                    break
                place = page.reached
            assert found == wanted, (who.handle, since)


async def test_only_some_kinds_and_only_those_who_can_act(node: Node, ctx: Context) -> None:
    ann, bob = await User.new(node, "ann"), await User.new(node, "bob")
    room = await ann.group(bob)
    posted = await ann.posts(room, "hello")
    rows = (await ctx.read(lambda reader: log_rows_for(reader, bob.key, 0, {MessagePosted.name}))).rows
    assert [row.gid for row in rows] == [posted["gid"]]
    event = await ctx.read(lambda reader: ctx.event_for(reader, bob.key, rows[0]))
    assert event is not None
    assert event["message"]["text"] == "hello"
    await ann.call("messages.edit", message=posted["message"], text="hello all")
    await ann.call("conversations.members.remove", conversation=room, member="bob")
    edited = await ctx.read(lambda reader: log_rows(reader, 0, {"message.edited"}).rows[0])
    assert await ctx.read(lambda reader: ctx.event_for(reader, bob.key, edited)) is None
    await node.call("people.deactivate", person="bob")
    with refused("forbidden"):
        await ctx.read(lambda reader: log_rows_for(reader, bob.key, 0))


async def test_the_names_of_all_events(node: Node, ctx: Context) -> None:
    names = await ctx.read(event_names)
    assert names >= {"message.posted", "person.updated"}
    assert "typing" not in names  # is not in the log


async def test_waiting_for_the_log(node: Node, ctx: Context, nursery: trio.Nursery) -> None:
    ann = await User.new(node, "ann")
    room = await ann.group()
    head = (await ctx.read(lambda reader: log_rows(reader, 2**62, (), 1))).head
    woken: list[str] = []

    async def wait(name: str, kinds: frozenset[str] | None) -> None:
        await ctx.wait_for_log(head, kinds)
        woken.append(name)

    nursery.start_soon(wait, "any", None)
    nursery.start_soon(wait, "posts", frozenset({"message.posted"}))
    nursery.start_soon(wait, "edits", frozenset({"message.edited"}))
    await trio.testing.wait_all_tasks_blocked()
    await ann.call("conversations.update", conversation=room, title="another")
    await trio.testing.wait_all_tasks_blocked()
    assert woken == ["any"]
    message = await ann.says(room, "hello")
    await trio.testing.wait_all_tasks_blocked()
    assert woken == ["any", "posts"]
    await ann.call("messages.edit", message=message, text="hello all")
    await trio.testing.wait_all_tasks_blocked()
    assert woken == ["any", "posts", "edits"]
    await ctx.wait_for_log(head, frozenset({"never.heard"}))  # the log is further: the caller has not looked at that
