"""Sending again: one event, ranges, and after a restore."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import chatnode_webhooks
import pytest
import trio

from chatnode.config import Config
from chatnode.node import Node, open_node
from chatnode.testing import User, refused
from tests.plugins.webhooks.outgoing.dialogue import bot, endpoint, failed, id_of, sending, state, until, until_rows
from tests.plugins.webhooks.outgoing.receiver import HANG, OK, Receiver, answer


@pytest.fixture
async def room(ann: User, robo: User) -> str:
    return await ann.group(robo)


async def test_one_event_again(node: Node, receiver: Receiver, robo: User, ann: User, room: str) -> None:
    id = id_of(await endpoint(robo, receiver))
    secret = await ann.posts(await ann.group(), "canary")
    await ann.says(room, "one")
    [got] = await receiver.until_got(1)
    assert await robo.call("webhooks.replay", endpoint=id, event=got.id) == {}
    await receiver.until_got(2)
    assert (receiver.got[1].id, receiver.got[1].body) == (got.id, got.body)
    stem = got.id.rpartition("_")[0]
    with refused("not_found", "event"):  # it exists, and is not for the bot
        await robo.call("webhooks.replay", endpoint=id, event=f"{stem}_{secret['gid']}")
    with refused("not_found", "event"):
        await robo.call("webhooks.replay", endpoint=id, event=f"{stem}_999999")
    with refused("gone", "event"):
        await robo.call("webhooks.replay", endpoint=id, event="evt_00000000_1")
    await until(node, id, lambda found: not found["pending"])


@pytest.mark.parametrize("ranged", [False, True])
async def test_what_has_just_been_delivered_is_sent_again(
    node: Node, nursery: trio.Nursery, receiver: Receiver, robo: User, ann: User, room: str, ranged: bool
) -> None:
    """The node stores successes a moment later, here not before a slow one has ended."""
    receiver.answers = lambda got: HANG if got.json["data"]["message"]["text"] == "slow" else OK
    id = id_of(await endpoint(robo, receiver))
    await ann.says(room, "slow")
    await receiver.until_got(1)
    gid = (await ann.posts(room, "fast"))["gid"]
    await receiver.until_got(2)
    again = {"from_gid": gid} if ranged else {"event": receiver.ids[1]}
    await robo.call("webhooks.replay", endpoint=id, **again)
    receiver.answers = lambda got: OK
    receiver.down()
    await receiver.up(nursery)
    await receiver.until(lambda: receiver.texts().count("fast") == 2)


async def test_ranges_by_gid_and_by_time(node: Node, receiver: Receiver, robo: User, ann: User, room: str) -> None:
    id = id_of(await endpoint(robo, receiver))
    gids = [(await ann.posts(room, str(number)))["gid"] for number in range(6)]
    await receiver.until_got(6)
    await until(node, id, lambda found: found.get("sent_at"))
    await until_stored(node, gids[-1])
    for fields, texts in (
        ({"from_gid": gids[4]}, ["4", "5"]),
        ({"from_gid": gids[1], "to_gid": gids[2]}, ["1", "2"]),
        ({"from_time": "2000-01-01T00:00:00Z", "to_gid": gids[1]}, ["0", "1"]),
        ({"from_time": "2000-01-01T00:00:00+02:00"}, ["0", "1", "2", "3", "4", "5"]),
    ):
        receiver.got.clear()
        found = await robo.call("webhooks.replay", endpoint=id, **fields)
        assert found["from_gid"] <= found["to_gid"]
        await receiver.until_got(len(texts))
        assert sorted(receiver.texts()) == texts
    assert await robo.call("webhooks.replay", endpoint=id, from_time="2100-01-01T00:00:00Z") == {}
    assert await robo.call("webhooks.replay", endpoint=id, from_gid=5, to_time="2000-01-01T00:00:00Z") == {}
    for fields, path in (
        ({}, "from_gid"), ({"from_gid": 1, "from_time": "2000-01-01T00:00:00Z"}, "from_gid"),
        ({"from_gid": 1, "to_gid": 2, "to_time": "2000-01-01T00:00:00Z"}, "to_time"),
        ({"from_gid": 1, "event": "evt_00000000_1"}, "event"), ({"from_time": "2000-02-31T00:00:00Z"}, "from_time"),
    ):  # fmt: skip
        with refused("invalid", path):
            await robo.call("webhooks.replay", endpoint=id, **fields)


async def until_stored(node: Node, gid: int) -> None:
    await until_rows(node, "SELECT min(cursor) FROM webhooks_endpoints", lambda found: found[0][0] >= gid)


async def test_a_replay_goes_on_after_a_restart_and_new_events_do_not_wait(
    node: Node, nursery: trio.Nursery, receiver: Receiver, robo: User, ann: User, room: str, running: trio.CancelScope
) -> None:
    id = id_of(await endpoint(robo, receiver))
    first = (await ann.posts(room, "0"))["gid"]
    for number in range(1, 30):
        last = (await ann.posts(room, str(number)))["gid"]
    await receiver.until_got(30)
    await until_stored(node, last)
    running.cancel()
    receiver.got.clear()
    await robo.call("webhooks.replay", endpoint=id, from_gid=first)
    await ann.says(room, "new")
    again = await sending(node, nursery)
    await receiver.until_got(10)
    again.cancel()
    assert "new" in receiver.texts()[:8]
    await sending(node, nursery)
    await receiver.until(lambda: set(receiver.texts()) >= {str(number) for number in range(30)})


async def test_after_a_restore_what_was_pending_has_ended(
    tmp_path: Path, config: Config, nursery: trio.Nursery, receiver: Receiver
) -> None:
    receiver.answers = lambda got: answer(500)
    data = tmp_path / "other"
    async with open_node(data, config, only=[chatnode_webhooks]) as node:
        robo, ann = await bot(node, "robo"), await User.new(node, "ann")
        room, id = await ann.group(robo), id_of(await endpoint(robo, receiver))
        scope = await sending(node, nursery)
        await ann.says(room, "one")
        await until(node, id, lambda found: found["pending"])
        scope.cancel()
        await ann.says(room, "two")
    with closing(sqlite3.connect(data / "chatnode.sqlite3")) as database:  # as a restore does
        database.execute("UPDATE node SET value = ? WHERE key = 'epoch'", ("f" * 32,))
        database.commit()
    receiver.answers, old = (lambda got: OK), receiver.ids[0]
    receiver.got.clear()
    async with open_node(data, config, only=[chatnode_webhooks]) as node:
        ann = await User.of(node, "ann")
        scope = await sending(node, nursery)
        await until(node, id, lambda found: not found["pending"])
        await ann.says(room, "three")
        await receiver.until_got(1)
        await until(node, id, lambda found: found.get("sent_at"))
        assert (receiver.texts(), await failed(node, id)) == (["three"], [])
        assert (receiver.ids[0].startswith("evt_ffffffff_"), old.startswith("evt_ffffffff_")) == (True, False)
        assert (await state(node, id))["state"] == "active"
        scope.cancel()
