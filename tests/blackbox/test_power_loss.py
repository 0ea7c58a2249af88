"""The power is cut at any moment of a busy node's life: nothing that a client was told is lost.

Several clients post and mark at once while strace records what the node writes, flushes and sends. From that record
come states that the disk may be in after a cut (powerloss.py), and each is opened as the product opens it. Then

- every message that was acked is there, once, under the seq and gid of the ack; every mark is;
- no gid that any client has heard of is given out again;
- what is there is everything that was committed up to some moment and nothing else, and chatnode's own checks pass.

A run prints its seed. CHATNODE_TEST_SEED=… chooses states with the same one, of a record that is never quite the same.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import random
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trio

from chatnode.config import Config
from chatnode.errors import StartError
from chatnode.node import Node, open_node
from chatnode.services import declared
from chatnode.storage.engine.connection import connect_writer
from chatnode.storage.people import people
from chatnode.storage.upkeep import checks
from chatnode.testing import User
from tests import needs

from .conftest import Prepared
from .frames import Op, build_frame
from .node_process import UNLIMITED, NodeProcess
from .powerloss import DATABASE, STRACE, Record, TornState, copy_without_database, read_record, torn_states
from .wire import Chat, Json, new_cid

#: Small, so that the log starts from its beginning again and again.
CHECKPOINT_PAGES = 60
GROUPS = 5
IN_FLIGHT = 6
FIRST_REQUEST = 1000


@pytest.fixture(scope="module", autouse=True)
def strace() -> None:
    needs.tracing()


@pytest.fixture
def chance() -> random.Random:
    """A new seed for each run, unless one is given."""
    seed = int(os.environ.get("CHATNODE_TEST_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"CHATNODE_TEST_SEED={seed}")
    return random.Random(seed)


@pytest.fixture(scope="module")
def short(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Life:
    """The life of a node with few messages."""
    return live(prepared, tmp_path_factory.mktemp("short"), clients=4, batches=5)


def test_nothing_told_is_lost(short: Life, chance: random.Random, tmp_path: Path) -> None:
    assert find_faults(short, chance, tmp_path, states=40) == []


def test_a_node_goes_on_from_what_is_left(short: Life, chance: random.Random, tmp_path: Path) -> None:
    for number, state in enumerate(itertools.islice(torn_states(short.record, chance), 2)):
        trio.run(go_on, short, state, tmp_path / str(number))


@pytest.mark.slow
def test_nothing_told_is_lost_in_many_states(prepared: Prepared, chance: random.Random, tmp_path: Path) -> None:
    for number in range(2):
        life = live(prepared, tmp_path / f"life {number}", clients=6, batches=12)
        assert find_faults(life, chance, tmp_path / f"states {number}", states=350) == []
        for state in itertools.islice(torn_states(life.record, chance), 10):
            trio.run(go_on, life, state, tmp_path / f"node {number}-{state.cut}")


@pytest.mark.slow
def test_the_replay_notices_acks_that_come_before_the_flush(
    prepared: Prepared, chance: random.Random, tmp_path: Path
) -> None:
    """strace answers every fourth flush itself, so the node acks what the kernel was never asked to flush."""
    lying = ("-e", "inject=fdatasync,fsync:retval=0:when=3+4")
    life = live(prepared, tmp_path / "life", clients=4, batches=5, strace=lying)
    faults = find_faults(life, chance, tmp_path / "states", states=60)
    assert any("acked" in fault for fault in faults), faults


# -- a node's life -------------------------------------------------------------------------------------------


@dataclass
class Life:
    """What a node did, what it was asked, and every message it had stored in the end."""

    before: Path
    record: Record
    asked: dict[tuple[int, int], Asked]
    """By the client's port and the request's id."""
    stored: list[StoredMessage]


@dataclass(frozen=True)
class Asked:
    """A request, and who made it."""

    handle: str
    op: str
    fields: Json


@dataclass(frozen=True)
class StoredMessage:
    """A row of `messages`, as clients know it."""

    gid: int
    conversation: str
    seq: int
    cid: str
    text: str


def live(prepared: Prepared, directory: Path, clients: int, batches: int, strace: tuple[str, ...] = ()) -> Life:
    """Start a node, let clients talk all at once, with a pause in the middle, and stop it."""
    directory.mkdir(exist_ok=True)
    data, trace = prepared.copy_to(directory / "data"), directory / "trace"
    settings = UNLIMITED | {"STORAGE__CHECKPOINT_PAGES": CHECKPOINT_PAGES}
    wrapper = (*STRACE, *strace, "-o", str(trace))
    with NodeProcess(data, settings, wrapper) as node:
        talkers = [Talker(node, handle, token, n) for n, (handle, token) in enumerate(senders(prepared, clients))]
        groups = [talkers[0].chat.group(f"group {n}", "bob", "carol", "mallory") for n in range(GROUPS)]
        for _ in range(2):
            threads = [threading.Thread(target=talker.talk, args=(groups, batches)) for talker in talkers]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            time.sleep(0.3)  # an idle node moves its log into the database
        for talker in talkers:
            talker.chat.close()
            assert talker.failed is None, talker.failed
        assert node.stop() == 0, node.stderr_tail()
    asked = {key: each for talker in talkers for key, each in talker.asked.items()}
    with closing(sqlite3.connect(data / DATABASE)) as connection:
        stored = stored_messages(connection)
    return Life(prepared.data, read_record(trace, prepared.data), asked, stored)


def senders(prepared: Prepared, clients: int) -> Iterator[tuple[str, str]]:
    return itertools.islice(itertools.cycle(prepared.tokens.items()), clients)


class Talker:
    """A client that sends several requests in one segment, waits for all the replies, and repeats."""

    def __init__(self, node: NodeProcess, handle: str, token: str, number: int) -> None:
        self.chat = Chat(node.address, token, device=f"device {number} of {handle}")
        self.port: int = self.chat.sock.getsockname()[1]
        self.asked: dict[tuple[int, int], Asked] = {}
        self.failed: BaseException | None = None
        self._chance = random.Random(number)
        self._handle = handle
        self._posted: list[Asked] = []
        self._read: dict[str, int] = {}

    def talk(self, groups: list[str], batches: int) -> None:
        """Run in a thread; an exception ends up in `failed`."""
        try:
            for _ in range(batches):
                self._exchange([self._request(groups) for _ in range(self._chance.randint(1, IN_FLIGHT))])
        except BaseException as error:
            self.failed = error

    def _exchange(self, batch: list[Asked]) -> None:
        numbered = dict(enumerate(batch, FIRST_REQUEST + len(self.asked)))
        self.asked |= {(self.port, id): asked for id, asked in numbered.items()}
        requests = [{"id": id, "op": asked.op} | asked.fields for id, asked in numbered.items()]
        self.chat.send(b"".join(build_frame(Op.TEXT, json.dumps(request).encode()) for request in requests))
        waiting = set(numbered)
        while waiting:
            value = self.chat.next_json()
            if "event" not in value:
                assert "ok" in value, value
                waiting.remove(value["id"])
            elif value["event"] == "message.posted":
                self._read[value["message"]["conversation"]] = value["message"]["seq"]

    def _request(self, groups: list[str]) -> Asked:
        """A new post, a repeated one, or a mark."""
        what = self._chance.random()
        if what < 0.15 and self._posted:
            return self._chance.choice(self._posted)
        if what < 0.35 and self._read:
            conversation, seq = self._chance.choice(list(self._read.items()))
            return Asked(self._handle, "receipts.read", {"conversation": conversation, "seq": seq})
        cid = new_cid()
        text = f"text of {cid}" + " and more" * self._chance.choice([0, 0, 10, 400])
        conversation = self._chance.choice(groups)
        post = Asked(self._handle, "messages.post", {"conversation": conversation, "cid": cid, "text": text})
        self._posted.append(post)
        return post


# -- what was promised, and whether it is kept ---------------------------------------------------------------


@dataclass
class Promises:
    """What the clients had been told when the power was cut."""

    posts: dict[str, tuple[Asked, Json]] = field(default_factory=dict[str, tuple[Asked, Json]])
    """cid → the post and what it was answered."""
    marks: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    """Conversation and handle → seq."""
    gid: int = 0

    @classmethod
    def until(cls, cut: int, life: Life) -> Promises:
        """Everything that had begun to leave for a client at this line."""
        told = cls()
        for sent in life.record.sent:
            if sent.line <= cut:
                told._add(sent.frame, life.asked.get((sent.port, sent.frame.get("id", 0))))
        return told

    def _add(self, frame: Json, asked: Asked | None) -> None:
        ok = frame.get("ok", {})
        self.gid = max(self.gid, frame.get("gid", 0), ok.get("gid", 0))
        if frame.get("event") == "receipt.read":
            mark = (frame["conversation"], frame["person"]["handle"])
            self.marks[mark] = max(self.marks.get(mark, 0), frame["seq"])
        if asked is not None and asked.op == "messages.post":
            self.posts[asked.fields["cid"]] = (asked, ok)


def find_faults(life: Life, chance: random.Random, directory: Path, states: int) -> list[str]:
    """Open this many different states; returns what is wrong with them."""
    faults: list[str] = []
    seen: set[bytes] = set()
    for state in torn_states(life.record, chance):
        digest = hashlib.sha256(repr(state.cut).encode())
        for content in state.files.values():
            digest.update(content or b"-")
        seen.add(digest.digest())
        faults += [f"cut at line {state.cut}, {state.how}: {fault}" for fault in faults_of(life, state, directory)]
        if len(seen) == states:
            return faults
    raise AssertionError("unreachable")


def faults_of(life: Life, state: TornState, directory: Path) -> Iterator[str]:
    """Open one state as the node does; yields what is wrong with it."""
    shutil.rmtree(directory, ignore_errors=True)
    copy_without_database(life.before, directory)
    state.write_to(directory)
    promises = Promises.until(state.cut, life)
    try:
        with closing(connect_writer(directory / DATABASE, Config().storage)) as connection:
            yield from (f"{name}: {found}" for name, found in checks.declared_problems(connection, declared()).items())
            yield from broken_promises(connection, promises, life)
    except (sqlite3.DatabaseError, StartError) as error:
        yield f"damaged: {error}"


def broken_promises(connection: sqlite3.Connection, promises: Promises, life: Life) -> Iterator[str]:
    found = stored_messages(connection)
    (head,) = connection.execute("SELECT coalesce(max(gid), 0) FROM log").fetchone()
    if head < promises.gid:
        yield f"the log ends at {head}, and a client was told of {promises.gid}"
    committed = [message for message in life.stored if message.gid <= head]
    if found != committed:
        yield f"the log ends at {head}, and of the messages up to it these differ: {set(found) ^ set(committed)}"
    logged = connection.execute("SELECT gid FROM log WHERE kind = 'message.posted' ORDER BY gid").fetchall()
    if [gid for (gid,) in logged] != [message.gid for message in found]:
        yield "messages and their rows of the log are not the same"
    by_cid: dict[str, list[StoredMessage]] = {}
    for message in found:
        by_cid.setdefault(message.cid, []).append(message)
    for cid, (asked, ok) in promises.posts.items():
        post = asked.fields
        acked = StoredMessage(ok["gid"], post["conversation"], ok["seq"], cid, post["text"])
        if by_cid.get(cid) != [acked]:
            yield f"acked as {acked}, and there is {by_cid.get(cid)}"
    marks = dict(connection.execute(MARKS).fetchall())
    for (conversation, handle), seq in promises.marks.items():
        if marks.get(f"{conversation} {handle}", 0) < seq:
            yield f"{handle} was said to have read up to {seq}, and has up to {marks.get(f'{conversation} {handle}')}"


MARKS = """
SELECT conversations.id || ' ' || people.handle, members.read_seq FROM members
  JOIN conversations ON conversations.key = members.conversation JOIN people ON people.key = members.person
"""


def stored_messages(connection: sqlite3.Connection) -> list[StoredMessage]:
    rows = connection.execute(
        "SELECT messages.gid, conversations.id, messages.seq, messages.cid, messages.text FROM messages"
        " JOIN conversations ON conversations.key = messages.conversation ORDER BY messages.gid"
    )
    return [StoredMessage(*row) for row in rows]


async def go_on(life: Life, state: TornState, directory: Path) -> None:
    """A node starts with what is left: what was acked is a repeat to it, and what is new comes after all else."""
    copy_without_database(life.before, directory)
    state.write_to(directory)
    promises = Promises.until(state.cut, life)
    async with open_node(directory, Config()) as node:
        checked = await node.call("node.check")
        assert checked["clean"], checked
        for asked, ok in promises.posts.values():
            user = await user_of(node, asked.handle)
            again = await user.call(asked.op, **asked.fields)
            assert again == ok | {"dup": True}
            new = await user.call(asked.op, **asked.fields | {"cid": new_cid()})
            assert new["gid"] > promises.gid


async def user_of(node: Node, handle: str) -> User:
    return User(node, await node.core.db.read(lambda reader: people.find(reader, handle)))
