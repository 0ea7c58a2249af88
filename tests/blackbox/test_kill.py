"""kill -9 under load, several times over: what was acked is there, once, in order, for everyone.

Fifty devices of eight people post into conversations of two to eight members while the node is killed at random
moments. Each device resumes from its cursor and sends again what was never answered. In the end the checker
goes through all of it. Repeat a run with the seed that it prints: CHATNODE_TEST_SEED=… .
"""

import os
import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trio

from tests.checker import History, check

from .crowd import Device, Node, Session, export, listed, search
from .node_process import NodeProcess
from .wire import conversation_of, new_cid

pytestmark = pytest.mark.slow

PEOPLE = ("ann", "ben", "cleo", "dan", "eva", "finn", "gil", "hana")
STRANGER = "mallory"
GROUPS = {
    "everybody": PEOPLE,
    "first half": PEOPLE[:4],
    "second half": PEOPLE[4:],
    "every other": PEOPLE[::2],
    "a few": ("ben", "eva", "hana"),
}
DIRECTS = (("ann", "ben"), ("cleo", "hana"), ("dan", "eva"))
DEVICES = 50
KILLS = 4
#: Acks between one kill and the next.
ACKS = (100, 500)
#: For a run of any length; a bound on hanging.
TOO_LONG = 120


@dataclass
class Drama:
    """One run: the node, the people, what they did and saw."""

    process: NodeProcess
    random: random.Random
    tokens: dict[str, str]
    history: History = field(default_factory=History)
    node: Node = field(init=False)
    #: conversation → its members
    rooms: dict[str, tuple[str, ...]] = field(default_factory=dict)
    devices: list[Device] = field(default_factory=list)
    over: bool = False

    def __post_init__(self) -> None:
        self.node = Node(self.process)

    def device(self, member: str, name: str) -> Device:
        """One more device of a member."""
        mine = [room for room, members in self.rooms.items() if member in members]
        seeded = random.Random(self.random.random())
        return Device(self.node, self.history, member, self.tokens[member], name, mine, seeded)

    @property
    def acked(self) -> int:
        """How many posts were acked so far."""
        return sum(device.acked for device in self.devices)


@pytest.fixture
def seed() -> int:
    """A new seed for each run, unless one is given."""
    seed = int(os.environ.get("CHATNODE_TEST_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"CHATNODE_TEST_SEED={seed}")
    return seed


@pytest.fixture
def drama(tmp_path: Path, seed: int) -> Iterator[Drama]:
    """A node with its people, not started yet."""
    process = NodeProcess(tmp_path / "data")
    for person in (*PEOPLE, STRANGER):
        process.add_user(person)
    tokens = {person: process.token(person) for person in (*PEOPLE, STRANGER)}
    yield Drama(process, random.Random(seed), tokens)
    process.kill()


def test_kill_under_load(drama: Drama, tmp_path: Path, seed: int) -> None:
    path = tmp_path / "history.jsonl"
    try:
        trio.run(play, drama)
    finally:
        drama.history.save(path)
    violations = check(drama.history.records)
    some = "\n".join(map(str, violations[:30]))
    assert not violations, f"{len(violations)} violations, seed {seed}, history in {path}\n{some}"
    # The checker had something to check.
    assert all(device.resumed > 1 for device in drama.devices)
    assert drama.acked >= KILLS * ACKS[0]
    done = drama.process.check()
    assert done.returncode == 0, done.stdout + done.stderr
    assert drama.process.trouble() is None


async def play(drama: Drama) -> None:
    """The whole run."""
    with trio.fail_after(TOO_LONG):
        await drama.node.start()
        await make_rooms(drama)
        drama.devices = [drama.device(PEOPLE[n % len(PEOPLE)], f"device {n}") for n in range(DEVICES)]
        stranger = drama.device(STRANGER, "stranger")
        async with trio.open_nursery() as nursery:
            await start_streams(drama, stranger)
            nursery.start_soon(stranger.live, keep_listening)
            for device in drama.devices:
                nursery.start_soon(device.live, chatter(drama))
            for _ in range(KILLS):
                await kill_soon(drama)
            await reach(drama, drama.acked + ACKS[0])
            drama.over = True
            await everybody_caught_up(drama)
            nursery.cancel_scope.cancel()
        await export_everything(drama, "before the restart")
        await restart(drama)
        await export_everything(drama, "after the restart")
        await restart(drama, start=False)


async def make_rooms(drama: Drama) -> None:
    """The groups and directs, each with a canary in it."""
    rooms: list[tuple[str, tuple[str, ...]]] = []
    for title, members in GROUPS.items():
        others = [member for member in members if member != members[0]]
        async with drama.device(members[0], f"founder of {title}").session() as session:
            made = await session.call("conversations.create", title=title, members=others)
            rooms.append((conversation_of(made), members))
    for one, other in DIRECTS:
        async with drama.device(one, f"{one} to {other}").session() as session:
            made = await session.call("conversations.direct", **{"with": other})
            rooms.append((conversation_of(made), (one, other)))
    for number, (room, members) in enumerate(rooms):
        drama.rooms[room] = members
        for member in members:
            drama.history.add(member, member, "joined", phase="invoke", conversation=room)
        canary = f"canary{number}x{drama.random.randrange(1 << 64):x}"
        drama.history.add(members[0], members[0], "canary", conversation=room, text=canary)
        await say(drama, members[0], room, f"hello {canary}")


async def say(drama: Drama, member: str, room: str, text: str) -> None:
    """One post by a device of its own, recorded like the others."""
    device = drama.device(member, f"{member} says {len(drama.history.records)}")
    async with device.session() as session:
        post = {"conversation": room, "cid": new_cid(), "text": text}
        device.record("post", phase="invoke", **post)
        ok = await session.call("messages.post", **post)
        device.record("post", phase="ok", **post, seq=ok["seq"], gid=ok["gid"], dup=ok["dup"])


async def start_streams(drama: Drama, stranger: Device) -> None:
    """Every device connects once, so that it has a cursor; from there on it must miss nothing."""
    for device in (*drama.devices, stranger):
        async with device.session() as session:
            for room in device.conversations:
                heads = [message["seq"] async for message in listed(session, room)]
                device.record("start", conversation=room, after=heads[-1])
                device.seen[room] = heads[-1]


def chatter(drama: Drama) -> Callable[[Device, Session], Awaitable[None]]:
    """What a device does while it is connected: post, read, and in the end settle and listen."""

    async def act(device: Device, session: Session) -> None:
        while not (drama.over and device.settled):
            if device.settled and device.random.random() < 0.05:
                await device.read(session)
            else:
                await device.post(session)
        await trio.sleep_forever()

    return act


async def keep_listening(device: Device, session: Session) -> None:
    """Only read."""
    while True:
        await session.call("inbox.list")
        await trio.sleep(0.5)


async def reach(drama: Drama, acks: int) -> None:
    """Wait for so many acks in all."""
    while drama.acked < acks:  # noqa: ASYNC110 - a count that many devices add to
        await trio.sleep(0.005)


async def kill_soon(drama: Drama) -> None:
    """Let some posts be acked, and kill the node at once, with everything under way; then start it again."""
    await reach(drama, drama.acked + drama.random.randint(*ACKS))
    await trio.sleep(drama.random.uniform(0, 0.02))
    drama.node.kill()
    await drama.node.start()


async def everybody_caught_up(drama: Drama) -> None:
    """Wait until every device has settled and seen the same head of each conversation."""
    with trio.move_on_after(30):
        while True:
            heads = {
                room: max(device.seen.get(room, 0) for device in drama.devices if room in device.conversations)
                for room in drama.rooms
            }
            behind = [d for d in drama.devices if any(d.seen[room] < heads[room] for room in d.conversations)]
            if not behind and all(device.settled for device in drama.devices):
                return
            await trio.sleep(0.02)


async def export_everything(drama: Drama, label: str) -> None:
    """What each member is told in the end, and what somebody is told who is in none of it."""
    for person in PEOPLE:
        device = drama.device(person, f"{person} exports {label}")
        async with device.session() as session:
            await export(drama.history, session, person, label, device.conversations)
            await search(drama.history, session, person, label, "needle")
    async with drama.device(STRANGER, f"stranger {label}").session() as session:
        await export(drama.history, session, STRANGER, label, [])
        for record in list(drama.history.of("canary")):
            await search(drama.history, session, STRANGER, label, record["text"])


async def restart(drama: Drama, *, start: bool = True) -> None:
    """Stop the node as an operator does, and start it again."""
    status = await trio.to_thread.run_sync(drama.process.stop)
    assert status == 0, drama.process.stderr_tail()
    drama.node.gone()
    if start:
        await drama.node.start()
