"""Many devices at once, in trio, each recording what it did and saw for the checker.

A device keeps a cursor, as a real client does: whenever its connection is lost it connects again, resumes
from what it has applied, and sends again what was never answered.
"""

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import orjson
import trio

from tests.checker import History

from .frames import FrameReader, Op, build_frame
from .node_process import Address, NodeProcess
from .wire import Json, Refused, message_of, new_cid, upgrade_request, welcome_of

#: What a post may end with: nothing, mentions, a word that is searched for later, some length.
WORDS = [""] * 20 + [" @ann", " @ben"] * 3 + [" needle"] + [" and more words" * 20] * 3


class Lost(Exception):
    """The connection ended before the answer came."""


class Session:
    """One connection that has said hello: replies go to who asked, pushes to `on_push`, in order."""

    def __init__(self, stream: trio.SocketStream, on_push: Callable[[Json], None]) -> None:
        self._stream = stream
        self._on_push = on_push
        self._waiting: dict[int, tuple[trio.Event, list[Json]]] = {}
        self._last_id = 0
        self._lost = False
        self.welcome: Json = {}

    async def call(self, op: str, **arguments: object) -> Json:
        """Send a command and give the `ok` part of its reply; `Refused` for an error, `Lost` for neither."""
        reply = await self.ask(op, **arguments)
        if "error" in reply:
            raise Refused(reply["error"])
        ok = reply["ok"]
        assert isinstance(ok, dict)
        return ok

    async def ask(self, op: str, **arguments: object) -> Json:
        """Send a command and give its whole reply."""
        self._last_id += 1
        request = self._last_id
        event, slot = self._waiting[request] = (trio.Event(), [])
        if self._lost:
            raise Lost
        try:
            await self._stream.send_all(build_frame(Op.TEXT, orjson.dumps({"id": request, "op": op, **arguments})))
            await event.wait()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise Lost from None
        finally:
            del self._waiting[request]
        if not slot:
            raise Lost
        return slot[0]

    async def read(self) -> None:
        """Read until the connection ends; then everybody who waits gets `Lost`."""
        frames = FrameReader()
        try:
            while data := await self._stream.receive_some(65536):
                frames.feed(data)
                while (frame := frames.next_frame()) is not None:
                    if frame.opcode == Op.TEXT:
                        self._take(orjson.loads(frame.payload))
                    elif frame.opcode == Op.PING:
                        await self._stream.send_all(build_frame(Op.PONG, frame.payload))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            self._lost = True
            for event, _ in self._waiting.values():
                event.set()

    def _take(self, value: Json) -> None:
        if "event" in value:
            self._on_push(value)
            return
        event, slot = self._waiting[value["id"]]
        slot.append(value)
        event.set()


@asynccontextmanager
async def connected(
    address: Address, token: str, device: str, cursor: Json | None, on_push: Callable[[Json], None]
) -> AsyncIterator[Session]:
    """A session after its hello. `Lost` when the node is away."""
    try:
        stream = await trio.open_tcp_stream(*address)
    except OSError:
        raise Lost from None
    async with stream:
        await _upgrade(stream)
        session = Session(stream, on_push)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.read)
            extra = {} if cursor is None else {"cursor": cursor}
            reply = await session.ask("hello", token=token, device=device, **extra)
            if "error" in reply:
                raise Refused(reply["error"])
            session.welcome = welcome_of(reply)
            yield session
            nursery.cancel_scope.cancel()


async def _upgrade(stream: trio.SocketStream) -> None:
    answer = b""
    try:
        await stream.send_all(upgrade_request())
        while not answer.endswith(b"\r\n\r\n"):
            # Byte by byte, so that nothing after the head is swallowed.
            byte = await stream.receive_some(1)
            if not byte:
                raise Lost
            answer += byte
    except trio.BrokenResourceError:
        raise Lost from None
    assert answer.startswith(b"HTTP/1.1 101 "), answer


@dataclass
class Node:
    """The node as the devices see it: sometimes away, and back under another address."""

    process: NodeProcess
    _up: trio.Event = field(default_factory=trio.Event)

    async def start(self) -> None:
        """Start it, off the trio thread."""
        await trio.to_thread.run_sync(self.process.start)
        self._up.set()

    def kill(self) -> None:
        """SIGKILL, at any moment."""
        self._up = trio.Event()
        self.process.kill()

    def gone(self) -> None:
        """It ended by itself."""
        self._up = trio.Event()

    async def address(self) -> Address:
        """Where it listens, once it is up."""
        while True:
            up = self._up
            await up.wait()
            if up is self._up:
                return self.process.address


@dataclass
class Device:
    """One device of a member: a cursor, what it may send to, and its part of the history."""

    node: Node
    history: History
    member: str
    token: str
    name: str
    conversations: list[str]
    random: random.Random
    cursor: Json | None = None
    #: conversation → highest seq seen in a push
    seen: dict[str, int] = field(default_factory=dict)
    acked: int = 0
    resumed: int = 0
    _pending: Json | None = None
    _gone: trio.Event = field(default_factory=trio.Event)

    def record(self, op: str, **more: object) -> None:
        """Add to the history."""
        self.history.add(self.name, self.member, op, **more)

    def on_push(self, push: Json) -> None:
        """Record a message, and move the cursor over everything that is durable."""
        if message := message_of(push):
            shown = {key: message[key] for key in ("conversation", "seq", "gid")}
            shown |= cid_sender_text(message)
            self.record("push", **shown)
            self.seen[message["conversation"]] = message["seq"]
        if (gid := push.get("gid")) is not None and self.cursor is not None:
            self.cursor["gid"] = max(self.cursor["gid"], gid)

    async def live(self, act: Callable[["Device", Session], Awaitable[None]]) -> None:
        """Connect and act; when the connection is lost, do it again. Ends when `act` returns."""
        while True:
            try:
                async with self.session() as session:
                    await act(self, session)
                    return
            except* Lost:
                await trio.sleep(self.random.uniform(0, 0.05))

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """Connect, from the cursor if there is one."""
        address = await self.node.address()
        async with connected(address, self.token, self.name, self.cursor, self.on_push) as session:
            welcome = session.welcome
            if self.cursor is None:
                self.cursor = {"epoch": welcome["epoch"], "gid": welcome["head"]}
            else:
                assert welcome["mode"] == "replay", f"a resume with a good cursor was answered with {welcome}"
                self.resumed += 1
            yield session

    async def post(self, session: Session) -> None:
        """Post to a conversation, or first what was posted before and never answered."""
        if self._pending is None:
            cid = new_cid()
            conversation = self.random.choice(self.conversations)
            text = f"word {cid}" + self.random.choice(WORDS)
            self._pending = {"conversation": conversation, "cid": cid, "text": text}
        post = self._pending
        self.record("post", phase="invoke", **post)
        try:
            ok = await session.call("messages.post", **post)
        except Refused as refused:
            self.record("post", phase="fail", **post, error=refused.error)
            raise
        except Lost:
            self.record("post", phase="unknown", **post)
            raise
        self.record("post", phase="ok", **post, seq=ok["seq"], gid=ok["gid"], dup=ok.get("dup", False))
        self._pending = None
        self.acked += 1

    async def read(self, session: Session) -> None:
        """Say that everything seen in one conversation was read."""
        conversation = self.random.choice(self.conversations)
        receipt = {"conversation": conversation, "seq": self.seen.get(conversation, 0)}
        if receipt["seq"] == 0:
            return
        try:
            await session.call("receipts.read", **receipt)
        except Lost:
            self.record("read", phase="unknown", **receipt)
            raise
        self.record("read", phase="ok", **receipt)

    @property
    def settled(self) -> bool:
        """Whether everything this device sent was answered."""
        return self._pending is None


def cid_sender_text(message: Json) -> Json:
    """What the checker wants of a message: cid (None when the node wrote it), sender's handle, text."""
    sender = message.get("sender") or {}
    return {"cid": message.get("cid"), "sender": sender.get("handle"), "text": message.get("text")}


async def export(history: History, session: Session, member: str, label: str, mine: list[str]) -> None:
    """Everything the node tells this member now: lists, counters, search."""
    client = f"{member} {label}"
    inbox = await session.call("inbox.list", limit=100)
    history.add(client, member, "received", way="inbox", text=orjson.dumps(inbox).decode())
    counters = {entry["conversation"]: entry for entry in inbox["conversations"]}
    for conversation in mine:
        messages = [
            {"seq": message["seq"], "gid": message["gid"], **cid_sender_text(message)}
            async for message in listed(session, conversation)
        ]
        entry = counters[conversation]
        counts = {"unread": entry["unread"], "mentions": entry.get("mentions")}
        about = {"label": label, "conversation": conversation}
        history.add(client, member, "export", **about, messages=messages, **counts)


async def search(history: History, session: Session, member: str, label: str, word: str) -> None:
    """Record what a search for one word finds, all its pages."""
    cids: list[str] = []
    after: dict[str, object] = {}
    while True:
        found = await session.call("search.messages", query=word, limit=100, **after)
        history.add(f"{member} {label}", member, "received", way="search", text=orjson.dumps(found).decode())
        cids += [hit["message"]["cid"] for hit in found["results"]]
        if "next" not in found:
            break
        after = {"after": found["next"]}
    history.add(f"{member} {label}", member, "search", label=label, query=word, found=cids)


async def listed(session: Session, conversation: str, page: int = 200) -> AsyncIterator[Json]:
    """All messages of a conversation, by pages."""
    after = 0
    while True:
        ok = await session.call("messages.list", conversation=conversation, after=after, limit=page)
        for message in ok["messages"]:
            yield message
        if not ok["messages"]:
            return
        after = ok["messages"][-1]["seq"]
