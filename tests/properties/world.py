"""People with clients, in one node: each with a snapshot, a live session, and a place to come back from."""

from __future__ import annotations

import contextlib
from typing import Any, Self

import attrs
import orjson

from chatnode import testing
from chatnode.dispatch.caller import Caller
from chatnode.model.commands.resume import Cursor, Welcome
from chatnode.node import Node
from chatnode.protocol import codec
from chatnode.protocol.envelopes import Push
from chatnode.routing import resume
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.log import log
from chatnode.storage.people import people, sessions
from tests.properties.client_model import Client


class FrameSession(testing.LiveSession):
    """A session of the kit that also keeps the bytes it is sent: a replay must repeat them to the byte."""

    def __init__(self, person: testing.User, key: int) -> None:
        super().__init__(person, key)
        self.frames: list[bytes] = []
        self.flushed = 0
        """How many frames had come when the session was last flushed."""

    def send(self, push: Push) -> None:
        super().send(push)
        self.frames.append(push.json)

    def flush(self) -> None:
        self.flushed = len(self.frames)


class SignedIn(testing.User):
    """A user with a token. `session` is its key: only who is signed in can be signed out, or resume."""

    session: int

    @classmethod
    async def of(cls, node: Node, handle: str) -> Self:
        person = await super().of(node, handle)
        person.session = await new_token(node, handle)
        return person

    async def call(self, name: str, /, **fields: Any) -> Any:
        """The result as plain values; raises `Refusal`."""
        account = await self.node.core.db.read(lambda reader: people.by_key(reader, self.key))
        context = Caller(self.node.core, account, self.session, address="test")
        return codec.to_plain(await self.node.table.run(context, name, fields))


async def new_token(node: Node, who: str) -> int:
    """The key of a session, of which nobody is told; also for who is deactivated, and could not get one."""

    def write(tx: Transaction) -> int:
        account = people.find(tx, who)
        return sessions.create(tx, account.key, "token", "a test", sessions.new_secret()[1], None)

    return await node.core.db.write(write)


@attrs.define
class Connection:
    """A live session and the welcome it began with."""

    session: FrameSession
    welcome: dict[str, Any]
    read: int = 0

    def take(self) -> list[bytes]:
        """The durable frames that came since the last time."""
        assert self.session.flushed == len(self.session.frames), "something was sent and not flushed"
        new, self.read = self.session.frames[self.read :], len(self.session.frames)
        return [frame for frame in new if b'"gid"' in frame and not frame.startswith(b'{"event":"live"')]


async def connect(somebody: SignedIn, gid: int | None) -> Connection:
    """Begin a session as a client socket does, with the cursor `gid` or none; ends up live."""
    node = somebody.node
    session = FrameSession(somebody, somebody.session)
    cursor = Cursor(node.core.epoch, gid) if gid is not None else None
    welcome: dict[str, Any] = {}
    try:
        async with contextlib.aclosing(resume.stream(node.core, node.sessions, session, cursor)) as parts:
            async for part in parts:
                if isinstance(part, Welcome):
                    welcome = codec.to_plain(part)
                else:
                    for push in part:
                        session.send(push)
    except BaseException:
        node.sessions.detach(session)
        raise
    return Connection(session, welcome)


async def replayed(somebody: SignedIn, gid: int) -> list[bytes]:
    """What a client that comes back with this cursor is sent before it is live. It signs in anew."""
    connection = await connect(await SignedIn.of(somebody.node, somebody.id), gid)
    somebody.node.sessions.detach(connection.session)
    assert connection.welcome["mode"] == "replay"
    return connection.take()


async def without_flushing(node: Node) -> None:
    """From now on no commit waits for the disk, since nobody pulls the plug."""
    await node.core.db.maintain(lambda connection: connection.execute("PRAGMA synchronous=OFF"))


async def head(node: Node) -> int:
    return await node.core.db.read(log.head)


def apply(client: Client, frames: list[bytes]) -> None:
    for frame in frames:
        client.apply(orjson.loads(frame))


async def fresh(somebody: SignedIn) -> Client:
    """A client with a snapshot of how things are."""
    client = Client(somebody)
    await client.begin()
    return client
