"""Calls of a process that is attached to the one that owns the node; here both are in the test's own process."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import AsyncGenerator, Generator, Sequence
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.lowlevel
import trio.testing

from chatnode import control_socket
from chatnode.config import Config, Limits, Server
from chatnode.embed.attaching import SharedNode, open_shared
from chatnode.embed.exchanges import scope_fields
from chatnode.embed.frames import VERSION
from chatnode.embed.link import ANSWER_SECONDS
from chatnode.embed.owners import Owned
from chatnode.errors import InUse, Refusal, StartError
from chatnode.model.commands.messages import Posted
from chatnode.node import Node
from chatnode.services.vouching import read_identity
from chatnode.storage.engine.directory import DataDirectory
from chatnode.transport.mount import Vouched, inner_scope

from .gate import Gate
from .owners import opener


@pytest.fixture
def config() -> Config:
    return Config(
        server=Server(shutdown_seconds=0.5), limits=Limits(attached_calls=3, attached_connections=4, posts_per_minute=2)
    )


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def only_plugins(gate: Gate) -> Sequence[Any]:
    return (gate.plugin(),)


@pytest.fixture
async def owner(node: Node, nursery: trio.Nursery) -> Node:
    await nursery.start(node.run)
    return node


@pytest.fixture
async def attached(owner: Node) -> AsyncGenerator[SharedNode]:
    async with open_shared(owner.directory.path, None, start_seconds=5.0) as shared:
        yield shared


# ---- who calls


async def test_calls_as_the_operator_as_a_user_and_as_a_bot(owner: Node, attached: SharedNode) -> None:
    await attached.operator.call("people.create", handle="ann")
    ann = attached.person("ann")
    room = await ann.conversations.create(title="a room")
    posted = await ann.messages.post(conversation=room.conversation, text="hello")
    here = await owner.person("ann").messages.post(conversation=room.conversation, text="hello")
    assert (type(posted), type(here), here.seq) == (Posted, Posted, posted.seq + 1)
    await attached.bot("helper").call("people.me")
    assert (await owner.operator.call("people.get", person="helper"))["person"]["bot"] is True
    assert not isinstance(await attached.owner(), Owned)
    assert (await attached.health())[0] is True


async def test_what_is_refused_arrives_as_it_was_raised(attached: SharedNode) -> None:
    with pytest.raises(Refusal) as refused:
        await attached.person("nobody").call("people.me")
    assert (refused.value.code, refused.value.status) == ("not_found", 404)
    with pytest.raises(Refusal) as refused:
        await attached.operator.call("people.create", handle=7)
    assert (refused.value.code, refused.value.path) == ("invalid", "handle")
    with pytest.raises(Refusal, match="fields must be plain values"):
        await attached.operator.call("people.create", handle=object())
    with pytest.raises(Refusal) as refused:
        await attached.operator.call("no.such")
    assert refused.value.code == "unknown_command"


async def test_a_users_limits_apply_unless_they_are_waived(attached: SharedNode) -> None:
    await attached.operator.call("people.create", handle="ann")
    ann, trusted = attached.person("ann"), attached.person("ann", limits=False)
    room = (await ann.call("conversations.create", title="x"))["conversation"]
    for number in range(2):
        await ann.call("messages.post", conversation=room, text="x", cid=str(number))
    with pytest.raises(Refusal) as refused:
        await ann.call("messages.post", conversation=room, text="x", cid="more")
    assert refused.value.code == "rate_limited"
    assert refused.value.retry_after is not None
    await trusted.call("messages.post", conversation=room, text="x", cid="more")


# ---- many at a time


async def test_calls_are_answered_as_they_end(gate: Gate, attached: SharedNode, nursery: trio.Nursery) -> None:
    nursery.start_soon(lambda: attached.operator.call("gate.wait", name="first"))
    await gate.wait_begun(1)
    assert (await attached.operator.call("node.info"))["name"] == "chatnode"
    gate.open.set()


async def test_no_more_than_the_limit_is_begun_and_the_rest_waits(
    gate: Gate, owner: Node, attached: SharedNode
) -> None:
    async def wait(name: str) -> None:
        assert await attached.operator.call("gate.wait", name=name) == {"name": name}
        done.append(name)

    done: list[str] = []
    async with trio.open_nursery() as nursery:
        for number in range(10):
            nursery.start_soon(wait, str(number))
        await gate.wait_begun(3)
        await trio.sleep(0.05)
        assert len(gate.begun) == 3
        with control_socket.connect(owner.directory.path) or pytest.fail("no control socket") as line:
            asked = await trio.to_thread.run_sync(lambda: line.call("node.info"))
        assert asked["name"] == "chatnode"  # the command line does not wait for them
        gate.open.set()
    assert sorted(done) == sorted(gate.begun) == [str(number) for number in range(10)]


async def test_cancelling_cancels_the_call_at_the_owner(gate: Gate, attached: SharedNode) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: attached.operator.call("gate.wait", name="first"))
        await gate.wait_begun(1)
        nursery.cancel_scope.cancel()
    await gate.wait_cancelled()
    assert (await attached.operator.call("node.info"))["name"] == "chatnode"


async def test_who_does_not_take_its_answers_holds_up_only_itself(
    gate: Gate, owner: Node, attached: SharedNode
) -> None:
    """What the owner keeps for it is bounded: some answers, and the rest is not begun."""
    with await attached_by_hand(owner.directory.path, "calls") as sock:
        sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):  # it is not read any more
            for number in range(1, 100_000):
                line = {"id": number, "as": ["operator"], "op": "gate.big", "fields": {}}
                sock.send(json.dumps(line).encode() + b"\n")
        before = -1
        while before != gate.bigs:
            before = gate.bigs
            await trio.sleep(0.1)
        assert 0 < before < 100
        assert (await attached.operator.call("node.info"))["name"] == "chatnode"


async def test_a_process_that_ends_in_the_middle_leaves_nothing_behind(gate: Gate, owner: Node) -> None:
    with await attached_by_hand(owner.directory.path, "calls") as sock:
        line = {"id": 1, "as": ["operator"], "op": "gate.wait", "fields": {"name": "first"}}
        sock.sendall(json.dumps(line).encode() + b'\n{"id": 2, "as": ["oper')
        await gate.wait_begun(1)
    await gate.wait_cancelled()


# ---- requests to the mounted node

ME = {
    "type": "http", "method": "GET", "http_version": "1.1", "scheme": "http", "path": "/v1/people.me",
    "query_string": b"", "headers": [(b"host", b"chat.example")], "client": None, "server": None,
}  # fmt: skip


def request_of(name: str) -> dict[str, Any]:
    """A request without a body, of a user of the program whose account is made then."""
    vouched = Vouched(read_identity(f"app:{name}"), {"handle": name})
    return scope_fields(inner_scope(ME, vouched))


async def test_a_request_is_begun_by_who_still_waits_for_it(owner: Node) -> None:
    """A process that took the owner for hung asks again: what it asked for first must not be done as well."""
    (await attached_by_hand(owner.directory.path, "exchange", **request_of("ann"))).close()
    with await attached_by_hand(owner.directory.path, "exchange", **request_of("bob")) as sock:
        sock.sendall(b'{"begin":true}\n{"type":"http.request","more_body":false}\n')
        lines = await trio.to_thread.run_sync(lambda: sock.makefile("rb").readlines())
    assert (json.loads(lines[0])["status"], lines[-1]) == (200, b'{"over":true}\n')
    assert [person.handle for person in (await owner.operator.people.list()).people] == ["bob"]


# ---- which connections are taken


async def attached_by_hand(
    data: Path, purpose: str, version: int = VERSION, expect: bytes = b'"ok"', **fields: Any
) -> socket.socket:
    """A connection on which the owner has answered `attach`."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.connect(str(data / control_socket.NAME))
    attach = {"id": 0, "op": "attach", "version": version, "for": purpose, **fields}
    sock.sendall(json.dumps(attach).encode() + b"\n")
    assert expect in await trio.to_thread.run_sync(sock.recv, 65_536)
    return sock


async def test_another_version_is_told_what_to_do(owner: Node) -> None:
    expect = b"run the same chatnode in all of them"
    with await attached_by_hand(owner.directory.path, "calls", version=99, expect=expect) as sock:
        assert await trio.to_thread.run_sync(sock.recv, 65_536) == b""


async def test_there_is_a_limit_to_connections(owner: Node, attached: SharedNode) -> None:
    taken = [await attached_by_hand(owner.directory.path, "calls") for _ in range(3)]
    with pytest.raises(StartError, match=r"limits\.attached_connections"):
        async with open_shared(owner.directory.path, None, start_seconds=0.2):
            pass
    for each in taken:
        each.close()
    async with open_shared(owner.directory.path, None, start_seconds=5.0) as again:
        assert (await again.operator.call("node.info"))["name"] == "chatnode"


# ---- starting


async def test_without_an_owner_nothing_can_be_attached_to(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="no process owns the node here"):
        async with open_shared(tmp_path, None, start_seconds=0.2):
            pass
    assert os.listdir(tmp_path) == []


async def test_an_owner_that_does_not_answer_is_named(tmp_path: Path, config: Config) -> None:
    directory = DataDirectory(tmp_path)
    directory.claim()
    with pytest.raises(InUse, match="it does not answer"):
        async with open_shared(tmp_path, opener(tmp_path, config), start_seconds=0.2):
            pass
    directory.release()


async def test_an_owner_that_hangs_is_named_however_short_the_start_may_be(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as hung:
        hung.bind(str(tmp_path / control_socket.NAME))
        hung.listen()
        with trio.fail_after(ANSWER_SECONDS / 2), pytest.raises(InUse, match="it does not answer") as refused:
            async with open_shared(tmp_path, None, start_seconds=0.2):
                pass
    assert refused.value.process == os.getpid()


async def test_a_directory_that_may_not_be_opened_is_named_at_once(tmp_path: Path, config: Config) -> None:
    os.chmod(tmp_path, 0)
    for own in (None, opener(tmp_path, config)):
        with trio.fail_after(10), without_privileges(), pytest.raises(StartError, match="is not writable") as refused:
            async with open_shared(tmp_path, own, start_seconds=60.0):
                pass
        assert str(refused.value).count("Permission denied") <= 1
    os.chmod(tmp_path, 0o700)


@contextlib.contextmanager
def without_privileges() -> Generator[None]:
    """As a user who is not root."""
    me = os.geteuid()
    os.seteuid(65_534 if me == 0 else me)
    try:
        yield
    finally:
        os.seteuid(me)


async def test_a_node_that_cannot_start_says_why(tmp_path: Path, config: Config) -> None:
    (tmp_path / "data").write_text("no directory")
    with pytest.raises(StartError, match="cannot be used as a data directory"):
        async with open_shared(tmp_path / "data", opener(tmp_path / "data", config), start_seconds=5.0):
            pass


# ---- when the owner ends


async def test_an_owner_that_stops_answers_what_it_has_begun_and_the_next_one_the_rest(
    tmp_path: Path, config: Config
) -> None:
    """Also commands that must not be carried out twice, as the owner says what it has begun."""
    data, gate = tmp_path / "data", Gate()
    waiting = [f"w{number}" for number in range(3)]
    done: list[str] = []

    async def wait(name: str) -> None:
        await attached.operator.call("gate.wait", name=name)
        done.append(name)

    async def create(handle: str) -> None:
        await attached.operator.call("people.create", handle=handle)
        done.append(handle)

    stop = trio.Event()

    async def first_owner(task_status: trio.TaskStatus[None]) -> None:
        async with opener(data, config, gate.plugin())():
            task_status.started()
            await stop.wait()

    async with trio.open_nursery() as nursery:
        await nursery.start(first_owner)
        async with open_shared(data, opener(data, config, gate.plugin()), start_seconds=10.0) as attached:
            async with trio.open_nursery() as callers:
                for name in waiting:
                    callers.start_soon(wait, name)
                await gate.wait_begun(3)
                for number in range(20):  # no room: the owner does not begin them
                    callers.start_soon(create, f"person{number}")
                await trio.sleep(0.05)
                stop.set()
                await trio.sleep(0.05)
                gate.open.set()
            assert isinstance(await attached.owner(), Owned)
            assert len(done) == 23
            assert sorted(gate.begun) == waiting


async def test_a_start_gives_its_reason_before_its_time_is_up(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """The caller gives up at that moment and could not say why."""

    @contextlib.asynccontextmanager
    async def own() -> AsyncGenerator[Node]:
        raise InUse(tmp_path, 42)
        yield

    began = trio.current_time()
    with pytest.raises(InUse):
        async with open_shared(tmp_path, own, start_seconds=5.0):
            pass
    assert trio.current_time() - began < 5.0
