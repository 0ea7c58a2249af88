"""SIGKILL of the node while it sends 10,000 events: none is lost, and those sent twice are from around a kill."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import chatnode_webhooks
import pytest
import trio
import trio.testing
from chatnode_webhooks.outgoing.courier import IN_FLIGHT
from chatnode_webhooks.outgoing.tracks import WINDOW

from chatnode.node import Node, open_node
from chatnode.testing import User
from tests.plugins.sql import rows
from tests.plugins.webhooks.outgoing.dialogue import bot, endpoint
from tests.plugins.webhooks.outgoing.life import settings
from tests.plugins.webhooks.outgoing.receiver import Receiver

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[4]
EVENTS = 10_000
KILLS = 8


async def fill(node: Node, receiver: Receiver) -> str:
    """Returns the secret."""
    robo, ann = await bot(node, "robo"), await User.new(node, "ann")
    room = await ann.group(robo)
    secret = (await endpoint(robo, receiver, ["message.posted"]))["secret"]
    async with trio.open_nursery() as nursery:
        for begin in range(20):
            nursery.start_soon(post, ann, room, range(begin, EVENTS, 20))
    return secret


async def post(who: User, room: str, numbers: range) -> None:
    for number in numbers:
        await who.says(room, f"message {number}")


async def test_every_event_arrives(tmp_path: Path, nursery: trio.Nursery) -> None:
    receiver, chance, data = Receiver(), random.Random(1), tmp_path / "data"
    await receiver.up(nursery)
    async with open_node(data, settings(receiver.authority), only=[chatnode_webhooks]) as node:
        secret = await fill(node, receiver)
    lives: list[range] = []
    while len(set(receiver.ids)) < EVENTS:
        begin = len(receiver.got)
        command = [sys.executable, "-m", "tests.plugins.webhooks.outgoing.life", str(data), receiver.authority]
        process = await trio.lowlevel.open_process(command, stdout=subprocess.DEVNULL, cwd=ROOT)
        to_kill = begin + chance.randrange(1, EVENTS // KILLS) if len(lives) < KILLS else None
        await receiver.until(
            lambda to_kill=to_kill: len(set(receiver.ids)) >= EVENTS or (to_kill or 10**9) <= len(receiver.got)
        )
        process.kill()
        await process.wait()
        await trio.testing.wait_all_tasks_blocked(0.05)  # the receiver has read what was on its way
        lives.append(range(begin, len(receiver.got)))
    assert len(lives) > KILLS / 2
    async with open_node(data, settings(receiver.authority), only=[chatnode_webhooks]) as node:
        gids = {gid for (gid,) in await rows(node, "SELECT gid FROM log WHERE kind = 'message.posted'")}
        assert {int(each.rpartition("_")[2]) for each in set(receiver.ids)} == gids
    assert all(got.verified_by(secret) for got in receiver.got[:: EVENTS // 100])
    bodies: dict[str, bytes] = {}
    seen: dict[str, list[int]] = {}
    for number, life in enumerate(lives):
        for got in receiver.got[life.start : life.stop]:
            assert bodies.setdefault(got.id, got.body) == got.body
            seen.setdefault(got.id, []).append(number)
    twice = [each for each in seen.values() if len(each) > 1]
    assert all(len(each) == len(set(each)) for each in twice)  # not twice in one life
    assert len(twice) <= (len(lives) - 1) * (WINDOW + IN_FLIGHT)
