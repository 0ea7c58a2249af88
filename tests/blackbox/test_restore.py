"""A backup taken while everybody talks, restored elsewhere: `check` is clean, clients resync once, and all agree.

Twenty-four devices of eight people post over real sockets while the command line makes backups beside the node.
Each backup is restored into a new directory. There a device comes back with the cursor that it had when the old node
ended, which means nothing any more.
"""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest
import trio

from chatnode.client import Client, Cursor, Live, Pushed, Reset, connect

from .node_process import NodeProcess

pytestmark = pytest.mark.slow

PEOPLE = ("ann", "ben", "cleo", "dan", "eva", "finn", "gil", "hana")
GROUPS = {"everybody": PEOPLE, "first half": PEOPLE[:4], "every other": PEOPLE[::2]}
DEVICES = 24
BACKUPS = 3
#: Acks before the first backup, between two, and after the last.
ACKS = 300
TOO_LONG = 240

Json = dict[str, Any]


@dataclass
class Device:
    """What one client knows: its cursor, and the messages by conversation and seq."""

    token: str
    cursor: Cursor | None = None
    known: dict[str, dict[int, Json]] = field(default_factory=dict)
    resets: int = 0

    async def listen(self, client: Client, live: trio.Event | None = None) -> None:
        """Keep up with everything, as an app does."""
        async for item in client.events():
            if isinstance(item, Reset):
                self.resets += 1
                self.known = {}
                for entry in item.inbox.conversations:
                    self.known[entry.conversation] = await fetch(client, entry.conversation)
            elif isinstance(item, Pushed) and item.name == "message.posted":
                message = item.fields["message"]
                self.known.setdefault(message["conversation"], {})[message["seq"]] = shown(message)
            elif isinstance(item, Live) and live is not None:
                live.set()
            self.cursor = item.cursor or self.cursor

    async def catch_up(self, url: str) -> None:
        """Come back with the cursor, and stay until everything is known."""
        async with connect(url, self.token, cursor=self.cursor) as client, trio.open_nursery() as nursery:
            live = trio.Event()
            nursery.start_soon(self.listen, client, live)
            await live.wait()
            nursery.cancel_scope.cancel()


def shown(message: Json) -> Json:
    return {name: message[name] for name in ("message", "seq", "gid", "cid", "text")}


async def fetch(client: Client, conversation: str) -> dict[int, Json]:
    """All messages of a conversation, by pages."""
    found: dict[int, Json] = {}
    after = 0
    while page := (await client.call("messages.list", conversation=conversation, after=after, limit=200))["messages"]:
        found |= {message["seq"]: shown(message) for message in page}
        after = page[-1]["seq"]
    return found


@dataclass
class Talk:
    """Everything that goes on on the first node. `acked` are gids by cid."""

    node: NodeProcess
    random: random.Random
    devices: dict[str, Device]
    rooms: dict[str, tuple[str, ...]] = field(default_factory=dict)
    acked: dict[str, int] = field(default_factory=dict)

    def url(self) -> str:
        host, port = self.node.address
        return f"http://{host}:{port}"

    async def run(self, directory: Path) -> list[tuple[Path, int]]:
        """All of it; each backup with the gid of a message that must be in it."""
        backups: list[tuple[Path, int]] = []
        with trio.fail_after(TOO_LONG):
            await self.make_rooms()
            async with trio.open_nursery() as nursery:
                for name, device in self.devices.items():
                    nursery.start_soon(self.live, name.partition(" ")[0], device)
                for number in range(BACKUPS):
                    await self.reach(ACKS * (number + 1))
                    before = max(self.acked.values())
                    path = directory / f"backup-{number}"
                    done = await trio.to_thread.run_sync(
                        lambda path=path: self.node.run("backup", str(path), "--passphrase-file", f"{directory}/secret")
                    )
                    assert done.returncode == 0, done.stderr
                    backups.append((path, before))
                await self.reach(ACKS * (BACKUPS + 2))
                nursery.cancel_scope.cancel()
        return backups

    async def make_rooms(self) -> None:
        for title, members in GROUPS.items():
            async with connect(self.url(), self.devices[f"{members[0]} 0"].token, events=False) as client:
                made = await client.call("conversations.create", title=title, members=list(members))
                self.rooms[made["conversation"]] = members
        async with connect(self.url(), self.devices["ann 0"].token, events=False) as client:
            direct = await client.call("conversations.direct", **{"with": "ben"})
            self.rooms[direct["conversation"]] = ("ann", "ben")

    async def live(self, person: str, device: Device) -> None:
        mine = [room for room, members in self.rooms.items() if person in members]
        async with connect(self.url(), device.token) as client, trio.open_nursery() as nursery:
            nursery.start_soon(device.listen, client)
            while True:
                room = self.random.choice(mine)
                others = [each for each in self.rooms[room] if each != person]
                posted = await client.post(room, f"{self.random.random()} @{self.random.choice(others)}")
                self.acked[posted.message] = posted.gid
                if self.random.random() < 0.1:
                    await client.call("receipts.read", conversation=room, seq=posted.seq)
                if self.random.random() < 0.05:
                    await client.call("messages.edit", message=posted.message, text=f"rather {posted.seq}")

    async def reach(self, acks: int) -> None:
        while len(self.acked) < acks:  # noqa: ASYNC110 - a count that many devices add to
            await trio.sleep(0.01)


@pytest.fixture
def talk(tmp_path: Path) -> Iterator[Talk]:
    """A node that runs, and devices of everybody."""
    node = NodeProcess(tmp_path / "data")
    for person in PEOPLE:
        node.add_user(person)
    tokens = {person: node.token(person) for person in PEOPLE}
    devices = {f"{PEOPLE[n % 8]} {n // 8}": Device(tokens[PEOPLE[n % 8]]) for n in range(DEVICES)}
    with node:
        yield Talk(node, random.Random(9), devices)


def lines(done: subprocess.CompletedProcess[str]) -> list[Json]:
    assert done.returncode == 0, done.stderr
    return [orjson.loads(line) for line in done.stdout.splitlines()]


def test_a_backup_under_load_is_a_node_with_which_all_agree(talk: Talk, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("correct horse battery staple\n")
    backups = trio.run(talk.run, tmp_path)
    assert talk.node.stop() == 0
    assert talk.node.trouble() is None
    for number, (path, before) in enumerate(backups):
        data = tmp_path / f"restored-{number}"
        restored = NodeProcess(data)
        done = restored.run("restore", str(path), "--passphrase-file", str(tmp_path / "secret"))
        assert done.returncode == 0, done.stderr
        assert restored.check().returncode == 0
        exported = lines(restored.run("export"))
        there = {row["id"]: row for row in exported if row["type"] == "message"}
        # It is one moment of the old node: all that was acked up to it, and nothing of what came later.
        head = exported[0]["head"]
        assert before <= head
        assert {id for id, gid in talk.acked.items() if gid <= head} <= set(there)
        assert not {id for id, gid in talk.acked.items() if gid > head} & set(there)
        with restored:
            devices = {name: Device(device.token, device.cursor) for name, device in talk.devices.items()}
            trio.run(everybody_comes_back, talk, restored, devices, there)
            assert restored.stop() == 0
        assert restored.check().returncode == 0
        assert restored.trouble() is None


async def everybody_comes_back(
    talk: Talk, restored: NodeProcess, devices: dict[str, Device], there: dict[str, Json]
) -> None:
    host, port = restored.address
    url = f"http://{host}:{port}"
    with trio.fail_after(TOO_LONG):
        for again in (False, True):
            async with trio.open_nursery() as nursery:
                for device in devices.values():
                    nursery.start_soon(device.catch_up, url)
            assert {device.resets for device in devices.values()} == {1}
            if not again:
                async with connect(url, devices["ann 0"].token, events=False) as client:
                    for room in (room for room, members in talk.rooms.items() if "ann" in members):
                        posted = await client.post(room, "we are back")
                        there[posted.message] = {"conversation": room, "seq": posted.seq, "text": "we are back"}
    for room, members in talk.rooms.items():
        due = {row["seq"]: (id, row["text"]) for id, row in there.items() if row["conversation"] == room}
        assert sorted(due) == list(range(1, len(due) + 1))
        for name, device in devices.items():
            known = device.known.get(room)
            if name.partition(" ")[0] in members:
                assert known is not None
                assert {seq: (message["message"], message["text"]) for seq, message in known.items()} == due
            else:
                assert known is None
