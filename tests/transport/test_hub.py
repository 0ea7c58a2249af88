"""One task reads all plain client sockets: what it promises to each of them, and between them."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from chatnode.api import Allow, Deny, Draft, only_for
from chatnode.dispatch.caller import Caller
from chatnode.errors import Refusal
from chatnode.node import Node
from chatnode.routing.outbox import SocketWire
from chatnode.storage.engine.transaction import PlannedRead, PlannedWrite, Transaction
from chatnode.storage.presence import typing
from chatnode.testing import User, refused
from chatnode.transport.connection import Connection
from chatnode.transport.frames import MessageReader
from chatnode.transport.hub import Hub
from tests.plugins.surface.making import made, node_with
from tests.services.dialogue import new_cid, token_of, with_limits

from .clients import PATIENCE, Address, ChatSocket, replace_handler, serving, wait_for, wait_live


@pytest.fixture
async def talk(ann: User, bob: User) -> str:
    return await ann.direct(bob)


def post(talk: str, text: str, number: int | str = 1, cid: str | None = None) -> dict[str, Any]:
    return {"id": number, "op": "messages.post", "conversation": talk, "cid": cid or new_cid(), "text": text}


@asynccontextmanager
async def writer_busy(node: Node) -> AsyncGenerator[threading.Event]:
    """Hold the writer thread up until the block ends or the event is set: writes that are begun stay on their way."""
    stands, may_go_on = threading.Event(), threading.Event()

    def stand(tx: Transaction) -> None:
        stands.set()
        may_go_on.wait(PATIENCE)

    node.core.db.submit(PlannedWrite(stand), lambda done: None)
    await wait_for(stands.is_set)
    try:
        yield may_go_on
    finally:
        may_go_on.set()


async def on_their_way(node: Node, writes: int) -> None:
    """Wait until this many writes of requests wait for the writer, which must be busy. The node has others, too."""
    queue = node.core.db._jobs

    def waiting() -> int:
        jobs = [queue.get_nowait() for _ in range(queue.qsize())]
        for job in jobs:
            queue.put(job)
        return sum(job is not None and job.plan is not None for job in jobs)

    await wait_for(lambda: waiting() == writes)


# ---- what needs a task and what does not


def tasks_of_connections() -> list[str]:
    """The tasks of this run that belong to one connection."""
    found: list[str] = []
    tasks = [trio.lowlevel.current_root_task()]
    while tasks and (task := tasks.pop()) is not None:
        tasks += [child for nursery in task.child_nurseries for child in nursery.child_tasks]
        if task.name.rpartition(".")[2] in ("_serve_connection", "_work", "_finish", "_drain"):
            found.append(task.name)
    return found


async def test_idle_sessions_and_requests_that_only_write_need_no_task(
    address: Address, node: Node, talk: str, anns: str
) -> None:
    async with await ChatSocket.open(address) as not_yet:
        await not_yet.call("node.info")
        assert len(tasks_of_connections()) == 1
    async with await ChatSocket.signed_in(address, anns) as one, await ChatSocket.signed_in(address, anns) as two:
        await wait_for(lambda: not tasks_of_connections())
        async with writer_busy(node) as may_go_on:
            await one.ask(post(talk, "from one"))
            await two.ask(post(talk, "from two"))
            await on_their_way(node, 2)
            assert tasks_of_connections() == []
            may_go_on.set()
            assert "ok" in await one.reply(1)
            assert "ok" in await two.reply(1)
        await one.ping()
        assert await one.receive() == b"\x8a\x00"
        await one.call("people.me")
        await wait_for(lambda: not tasks_of_connections())


async def test_marks_statuses_and_typing_are_answered_like_posts(
    address: Address, node: Node, talk: str, anns: str, bobs: str
) -> None:
    async with await ChatSocket.signed_in(address, anns) as ann, await ChatSocket.signed_in(address, bobs) as bob:
        await ann.call("messages.post", conversation=talk, cid="one", text="hello")
        assert await bob.call("receipts.delivered", conversation=talk, seq=1) == {"seq": 1, "unread": 1}
        assert await bob.call("receipts.read", conversation=talk, seq=1) == {"seq": 1, "unread": 0}
        assert (await bob.call("presence.status", text="here"))["presence"]["text"] == "here"
        assert await bob.call("presence.visible", visible=True) == {"visible": True}
        until = (await bob.call("typing", conversation=talk))["until"]
        assert (await ann.push("typing"))["until"] == until
        with refused("not_found"):
            await bob.call("typing", conversation="0" * 32)
        with refused("invalid", "seq"):
            await bob.call("receipts.read", conversation=talk, seq=2)
    counted = node.core.metrics.requests
    assert (counted["typing", "ok"], counted["typing", "not_found"], counted["receipts.read", "invalid"]) == (1, 1, 1)


@with_limits(posts_per_minute=1)
async def test_a_repeat_is_not_rate_limited_here_either(address: Address, talk: str, anns: str) -> None:
    async with await ChatSocket.signed_in(address, anns) as chat:
        first = await chat.call("messages.post", conversation=talk, cid="one", text="hello")
        assert await chat.call("messages.post", conversation=talk, cid="one", text="hello") == first | {"dup": True}
        with refused("rate_limited"):
            await chat.call("messages.post", conversation=talk, cid="two", text="again")


async def test_a_plugin_is_asked_for_what_it_wants_and_the_rest_needs_no_task(tmp_path: Path) -> None:
    prepared: list[str] = []
    checked: list[int] = []

    @only_for(when=lambda draft: draft.text.startswith("/"))
    async def prepare_draft(draft: Draft) -> None:
        await trio.lowlevel.checkpoint()
        prepared.append(draft.text)
        draft.text = draft.text.upper()

    @only_for("receipts.read", "messages.post", when=lambda command: getattr(command, "seq", None) == 1)
    async def check_command(name: str, command: Any) -> Allow | Deny:
        checked.append(command.seq)
        return Deny("not yet")

    async with node_with(tmp_path, made("demo", prepare_draft, check_command)) as node, serving(node) as address:
        ann, bob = await User.new(node, "ann"), await User.new(node, "bob")
        talk, token = await ann.direct(bob), (await ann.call("tokens.create"))["token"]
        async with await ChatSocket.signed_in(address, token) as chat:
            await chat.ask(*(post(talk, text, text) for text in ("one", "/two", "three")))
            assert [(await chat.reply(text))["ok"]["seq"] for text in ("one", "/two", "three")] == [1, 2, 3]
            with refused("forbidden"):
                await chat.call("receipts.read", conversation=talk, seq=1)
            await chat.call("receipts.delivered", conversation=talk, seq=1)
            await wait_for(lambda: not tasks_of_connections())
            async with writer_busy(node):
                await chat.ask({"id": "mark", "op": "receipts.read", "conversation": talk, "seq": 3})
                await on_their_way(node, 1)
                assert tasks_of_connections() == [], "its predicate does not want this mark"
            assert "ok" in await chat.reply("mark")
        assert await ann.reads(talk) == ["one", "/TWO", "three"]
    assert (prepared, checked) == (["/two"], [1])


# ---- order


async def test_a_read_waits_for_the_writes_before_it(address: Address, node: Node, talk: str, anns: str) -> None:
    async with await ChatSocket.signed_in(address, anns) as chat:
        async with writer_busy(node):
            await chat.ask(post(talk, "first", 1))
            await on_their_way(node, 1)
            await chat.ask({"id": 2, "op": "messages.list", "conversation": talk})
            await chat.ask(post(talk, "after the list", 3))
            await trio.sleep(0.05)
            assert node.core.db.writes_waiting == 1
        listed = (await chat.reply(2))["ok"]["messages"]
        assert [each["text"] for each in listed] == ["first"]
        assert [(await chat.reply(number))["ok"]["seq"] for number in (1, 3)] == [1, 2]


async def test_a_post_ends_the_typing_before_it_however_slow_that_is(
    address: Address, node: Node, ann: User, talk: str, anns: str, bobs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_go_on, access = threading.Event(), typing.access

    def slow(*arguments: Any) -> Any:
        may_go_on.wait(PATIENCE)
        return access(*arguments)

    monkeypatch.setattr(typing, "access", slow)
    async with await ChatSocket.signed_in(address, anns) as chat, await ChatSocket.signed_in(address, bobs) as bob:
        await chat.ask({"id": "typing", "op": "typing", "conversation": talk})
        await chat.ask(post(talk, "done", "post"))
        await trio.sleep(0.05)
        assert await ann.reads(talk) == []
        may_go_on.set()
        for name in ("typing", "post"):
            assert "ok" in await chat.reply(name)
        assert (await bob.call("typing.list", conversation=talk))["typing"] == []


async def test_typing_waits_for_the_writes_before_it(address: Address, node: Node, talk: str, anns: str) -> None:
    async with await ChatSocket.signed_in(address, anns) as chat:
        async with writer_busy(node):
            await chat.ask(post(talk, "first", 1))
            await on_their_way(node, 1)
            await chat.ask({"id": 2, "op": "typing", "conversation": talk})
            with trio.move_on_after(0.1) as waited:
                await chat.reply(2)
            assert waited.cancelled_caught
        for number in (1, 2):
            assert "ok" in await chat.reply(number)


@with_limits(posts_per_minute=0, requests_per_minute=0)
async def test_a_thousand_requests_in_one_write(address: Address, ann: User, talk: str, anns: str) -> None:
    async with await ChatSocket.signed_in(address, anns) as chat:
        await chat.ask(*(post(talk, str(number), number) for number in range(1_000)))
        seqs = [(await chat.reply(number))["ok"]["seq"] for number in range(1_000)]
    assert seqs == list(range(1, 1_001))


# ---- bounds


@with_limits(in_flight=3)
async def test_requests_beyond_the_limit_wait_in_the_socket(
    address: Address, node: Node, ann: User, talk: str, anns: str, bobs: str
) -> None:
    async with await ChatSocket.signed_in(address, anns) as chat, await ChatSocket.signed_in(address, bobs) as bob:
        async with writer_busy(node):
            for number in range(10):
                await chat.ask(post(talk, str(number), number))
                if number < 3:
                    await on_their_way(node, number + 1)
            await bob.ask(post(talk, "bob's", 1))
            await on_their_way(node, 4)
            await trio.sleep(0.05)
            assert node.core.db.writes_waiting == 4
        for number in range(10):
            assert "ok" in await chat.reply(number)
        assert "ok" in await bob.reply(1)
    texts = await ann.reads(talk)
    assert [text for text in texts if text != "bob's"] == [str(number) for number in range(10)]


@with_limits(outbox_bytes=1)
async def test_a_reply_waits_for_a_client_that_is_behind(
    address: Address, node: Node, talk: str, anns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one that the kernel does not take is queued, and the second would overflow the queue."""
    stuck, send = False, SocketWire.send_now

    def send_unless_stuck(wire: SocketWire, data: bytes | memoryview) -> int:
        return 0 if stuck else send(wire, data)

    monkeypatch.setattr(SocketWire, "send_now", send_unless_stuck)
    async with await ChatSocket.signed_in(address, anns) as chat:
        (session,) = node.sessions.all()
        async with writer_busy(node):
            for number in (1, 2):
                await chat.ask(post(talk, str(number), number))
                await on_their_way(node, number)
            stuck = True
        await wait_for(lambda: session.behind)
        await trio.sleep(0.05)
        await chat.ask({"id": 3, "op": "people.me"})
        stuck = False
        for number in (1, 2, 3):
            assert "ok" in await chat.reply(number)
    assert node.core.metrics.overflows == 0


# ---- barriers


async def test_what_fails_while_one_is_read_ends_that_one_only(
    address: Address, node: Node, talk: str, anns: str, bobs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = MessageReader.feed

    def fail(reader: MessageReader, data: bytes) -> list[bytes]:
        texts = feed(reader, data)
        if any(b"poison" in text for text in texts):
            raise RuntimeError("a fault of ours")
        return texts

    async with await ChatSocket.signed_in(address, anns) as ann, await ChatSocket.signed_in(address, bobs) as bob:
        monkeypatch.setattr(MessageReader, "feed", fail)
        await ann.ask(post(talk, "poison"))
        await bob.ask(post(talk, "fine"))
        assert "ok" in await bob.reply(1)
        await ann.closed()
        await wait_live(node, 1)
        await bob.call("messages.post", conversation=talk, cid="on", text="and on")


async def test_what_fails_while_one_is_answered_ends_that_one_only(
    address: Address, node: Node, ann: User, talk: str, anns: str, bobs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both writes are in one commit. The one that is not answered is stored all the same."""
    send = SocketWire.send_now

    def fail(wire: SocketWire, data: bytes | memoryview) -> int:
        if b'"id":13,' in bytes(data):
            raise RuntimeError("a fault of ours")
        return send(wire, data)

    monkeypatch.setattr(SocketWire, "send_now", fail)
    async with await ChatSocket.signed_in(address, anns) as anns_chat, await ChatSocket.signed_in(address, bobs) as bob:
        async with writer_busy(node):
            await anns_chat.ask(post(talk, "unanswered", 13))
            await on_their_way(node, 1)
            await bob.ask(post(talk, "answered", 1))
            await on_their_way(node, 2)
        assert "ok" in await bob.reply(1)
        await anns_chat.closed()
        await wait_live(node, 1)
        await bob.call("receipts.read", conversation=talk, seq=2)
    assert await ann.reads(talk) == ["unanswered", "answered"]


@pytest.mark.parametrize("fails", ["plan", "write", "read", "reply"])
async def test_a_handler_that_fails_is_answered_and_the_connection_lives(
    node: Node, talk: str, anns: str, fails: str
) -> None:
    def fault(*_: object) -> Any:
        raise SystemExit(1) if fails == "plan" else RuntimeError("a fault of ours")

    plans = {
        "write": PlannedWrite(fault), "read": PlannedRead(fault), "reply": PlannedRead(lambda reader: None).then(fault),
    }  # fmt: skip

    def handler(ctx: Caller, asked: object) -> Any:
        return fault() if fails == "plan" else plans[fails]

    replace_handler(node, "typing", handler)
    async with serving(node) as address, await ChatSocket.signed_in(address, anns) as chat:
        with refused("internal"):
            await chat.call("typing", conversation=talk)
        await chat.call("messages.post", conversation=talk, cid="one", text="hello")
    assert node.core.metrics.requests["typing", "internal"] == 1


# ---- the end, with something on its way


async def test_a_client_that_sends_no_more_gets_its_replies(
    address: Address, node: Node, ann: User, talk: str, anns: str
) -> None:
    async with await ChatSocket.signed_in(address, anns) as chat:
        async with writer_busy(node):
            await chat.ask(post(talk, "and that was all"))
            await on_their_way(node, 1)
            assert isinstance(chat.stream, trio.SocketStream)
            await chat.stream.send_eof()
            await trio.sleep(0.05)
        assert "ok" in await chat.reply(1)
        await chat.closed()
    await wait_live(node, 0)


async def reset(chat: ChatSocket) -> None:
    assert isinstance(chat.stream, trio.SocketStream)
    chat.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await trio.aclose_forcefully(chat.stream)


async def test_a_client_that_resets_the_connection_takes_nothing_back(
    address: Address, node: Node, ann: User, talk: str, anns: str, bobs: str
) -> None:
    async with await ChatSocket.signed_in(address, bobs) as bob:
        chat = await ChatSocket.signed_in(address, anns)
        async with writer_busy(node):
            await chat.ask(post(talk, "stored"))
            await on_their_way(node, 1)
            await reset(chat)
        assert (await bob.push("message.posted"))["message"]["text"] == "stored"
        await wait_live(node, 1)
    assert await ann.reads(talk) == ["stored"]


@with_limits(in_flight=3)
@pytest.mark.parametrize("together", [True, False], ids=["in one packet", "in several"])
async def test_nothing_more_is_begun_for_a_client_that_reset_the_connection(
    address: Address, node: Node, ann: User, talk: str, anns: str, together: bool
) -> None:
    """What was read waits in the backlog, the rest in the kernel, which gives it out after a reset, too."""
    posts = [post(talk, str(number), number) for number in range(10)]
    chat = await ChatSocket.signed_in(address, anns)
    async with writer_busy(node):
        await chat.ask(*posts if together else posts[:3])
        await on_their_way(node, 3)
        for each in [] if together else posts[3:]:
            await chat.ask(each)
        await reset(chat)
        await trio.sleep(0.05)
    await wait_live(node, 0)
    assert await ann.reads(talk) == ["0", "1", "2"]


@with_limits(in_flight=3)
async def test_a_task_stops_when_the_client_has_reset_the_connection(node: Node, anns: str) -> None:
    may_answer = trio.Event()
    begun = 0

    async def slow(*_: object) -> object:
        nonlocal begun
        begun += 1
        await may_answer.wait()
        raise Refusal("not_found", "at last")

    replace_handler(node, "people.me", slow)
    async with serving(node) as address:
        chat = await ChatSocket.signed_in(address, anns)
        await chat.ask(*({"id": number, "op": "people.me"} for number in range(20)))
        await wait_for(lambda: begun)
        await reset(chat)
        may_answer.set()
        await wait_live(node, 0)
    assert begun <= 3


async def test_nothing_is_written_for_a_session_that_was_revoked_before(
    address: Address, node: Node, ann: User, talk: str
) -> None:
    program = await token_of(ann)
    number = await program.session()
    async with await ChatSocket.signed_in(address, program.secret) as chat, trio.open_nursery() as nursery:
        async with writer_busy(node):
            await chat.ask(post(talk, "before", 1))
            await on_their_way(node, 1)
            nursery.start_soon(lambda: ann.call("sessions.revoke", session=number))
            await wait_for(lambda: node.core.db.writes_waiting > 1)
            await chat.ask(post(talk, "too late", 2))
            await on_their_way(node, 2)
        assert "ok" in await chat.reply(1)
        assert (await chat.reply(2))["error"]["code"] == "unauthenticated"
        assert (await chat.closed()).code == 4001
    assert await ann.reads(talk) == ["before"]


@pytest.mark.slow
async def test_a_stopping_node_loses_nothing_that_is_on_its_way(node: Node, ann: User, talk: str, anns: str) -> None:
    async with AsyncExitStack() as afterwards:
        async with serving(node) as address:
            chat = await ChatSocket.signed_in(address, anns)
            await afterwards.enter_async_context(writer_busy(node))
            await chat.ask(post(talk, "on its way"))
            await on_their_way(node, 1)
            await chat.ask({"id": 2, "op": "people.me"})  # has begun, and waits for the post
            await trio.sleep(0.05)
        async with chat:
            assert (await chat.closed()).code == 1001
        assert len(node.sessions) == 0
    assert await ann.reads(talk) == ["on its way"]
    assert node.core.metrics.requests["people.me", "cancelled"] == 1


async def test_connections_come_and_go_under_the_same_descriptors(
    address: Address, node: Node, ann: User, bob: User, anns: str, bobs: str
) -> None:
    room = await ann.group(bob)
    async with await ChatSocket.signed_in(address, bobs) as bob_chat:
        for number in range(20):
            chat = await ChatSocket.signed_in(address, anns)
            await chat.call("messages.post", conversation=room, cid=f"{number}", text=f"{number}")
            await trio.aclose_forcefully(chat.stream)
            await wait_live(node, 1)
        for number in range(20):
            assert (await bob_chat.push("message.posted"))["message"]["text"] == f"{number}"


# ---- the hub alone


class Reader:
    """Counts its calls and receives nothing, so there is always something to read."""

    def __init__(self, *, fails: bool = False, closes: Connection | None = None) -> None:
        self.calls = 0
        self.errors: list[Exception] = []
        self._fails = fails
        self._closes = closes

    def on_readable(self, now: float) -> None:
        self.calls += 1
        if self._closes is not None:
            self._closes.close_now()
        if self._fails:
            raise RuntimeError("a fault of ours")

    def failed(self, error: Exception) -> None:
        self.errors.append(error)
        raise ValueError("and another on top")


Readable = Callable[[], Connection]


@pytest.fixture
def readable() -> Iterator[Readable]:
    """Makes connections on which there is a byte to read."""
    made: list[socket.socket] = []

    def make() -> Connection:
        ours, theirs = socket.socketpair()
        made.extend((ours, theirs))
        ours.setblocking(False)
        theirs.send(b"x")
        return Connection(ours, "192.0.2.1")

    yield make
    for each in made:
        each.close()


@pytest.fixture
async def hub(node: Node) -> AsyncIterator[Hub]:
    hub = Hub(node.core.db)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hub.run)
        yield hub
        nursery.cancel_scope.cancel()


async def test_a_hub_that_has_ended_takes_no_socket(node: Node, readable: Readable) -> None:
    ended = Hub(node.core.db)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ended.run)
        nursery.cancel_scope.cancel()
    with pytest.raises(OSError, match="the hub has ended"):  # what a carrier takes for the end of its connection
        readable().watch(ended, Reader())


async def test_a_reader_that_fails_and_cannot_be_ended_is_read_no_more(hub: Hub, readable: Readable) -> None:
    poisoned, fine = Reader(fails=True), Reader()
    for reader in (poisoned, fine):
        readable().watch(hub, reader)
    await wait_for(lambda: fine.calls > 3)
    assert (poisoned.calls, [type(error) for error in poisoned.errors]) == (1, [RuntimeError])
    assert len(hub) == 1


async def test_a_socket_that_another_closed_in_the_same_turn_is_not_read(hub: Hub, readable: Readable) -> None:
    one, two = readable(), readable()
    readers = [Reader(closes=two), Reader(closes=one)]
    one.watch(hub, readers[0])
    two.watch(hub, readers[1])
    await wait_for(lambda: sum(reader.calls for reader in readers) > 3)
    assert min(reader.calls for reader in readers) == 0
    assert len(hub) == 1


async def test_the_next_socket_with_the_same_descriptor_is_not_taken_for_the_last(hub: Hub, readable: Readable) -> None:
    old, new = Reader(), Reader()
    connection = readable()
    number = connection.socket.fileno()
    connection.watch(hub, old)
    connection.close_now()
    assert len(hub) == 0
    again = readable()
    assert again.socket.fileno() == number
    again.watch(hub, new)
    await wait_for(lambda: new.calls > 3)
    assert old.calls == 0


async def test_a_hub_that_always_has_something_to_read_lets_others_run(hub: Hub, readable: Readable) -> None:
    reader = Reader()
    readable().watch(hub, reader)
    turns = 0
    while reader.calls < 10:
        await trio.lowlevel.checkpoint()
        turns += 1
    assert turns >= 10
