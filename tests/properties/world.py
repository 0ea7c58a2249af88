"""People with clients, in one node: each with a snapshot, a live session, and a place to come back from."""

from __future__ import annotations

import contextlib
from typing import Any

import attrs
import orjson

from chatnode import testing
from chatnode.dispatch.caller import Caller
from chatnode.model.commands.resume import Cursor, Welcome
from chatnode.model.people import Account
from chatnode.node import Node
from chatnode.protocol import codec
from chatnode.protocol.envelopes import Push
from chatnode.routing import resume
from chatnode.routing.sessions import OpenSession
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.log import log
from chatnode.storage.people import people, sessions
from tests.properties.client_model import Client


class LiveSession(OpenSession):
    """A session that keeps the frames it is sent."""

    def __init__(self, account: Account, key: int) -> None:
        super().__init__(account, key)
        self.frames: list[bytes] = []
        self.flushed = 0
        self.ended: bool | None = None
        """Whether the client should come back, once the session is ended."""

    def send(self, push: Push) -> None:
        self.frames.append(push.json)

    def flush(self) -> None:
        self.flushed = len(self.frames)

    def end(self, *, resume: bool, reason: str) -> None:
        if self.ended is None:
            self.ended = resume


class Somebody(testing.User):
    """A person whose role may change meanwhile. `session` is the key of the token they are signed in with."""

    def __init__(self, node: Node, account: Account, session: int) -> None:
        super().__init__(node, account)
        self.session = session

    async def call(self, name: str, /, **fields: Any) -> Any:
        """The result as plain values; raises `Refusal`."""
        account = await self.node.core.db.read(lambda reader: people.by_key(reader, self.account.key))
        context = Caller(self.node.core, account, self.session, address="test")
        return codec.to_plain(await self.node.table.run(context, name, fields))


async def make_somebody(node: Node, handle: str, *, admin: bool = False, password: str | None = None) -> Somebody:
    fields = {} if password is None else {"password": password}
    await node.call("people.create", handle=handle, admin=admin, **fields)
    account = await node.core.db.read(lambda reader: people.find(reader, handle))
    return Somebody(node, account, await new_token(node, handle))


async def new_token(node: Node, who: str) -> int:
    """The key of a session, of which nobody is told; also for who is deactivated, and could not get one."""

    def write(tx: Transaction) -> int:
        account = people.find(tx, who)
        return sessions.create(tx, account.key, "token", "a test", sessions.new_secret()[1], None)

    return await node.core.db.write(write)


@attrs.define
class Connection:
    """A live session and the welcome it began with."""

    session: LiveSession
    welcome: dict[str, Any]
    read: int = 0

    def take(self) -> list[bytes]:
        """The durable frames that came since the last time."""
        assert self.session.flushed == len(self.session.frames), "something was sent and not flushed"
        new, self.read = self.session.frames[self.read :], len(self.session.frames)
        return [frame for frame in new if b'"gid"' in frame and not frame.startswith(b'{"event":"live"')]


async def connect(somebody: Somebody, gid: int | None) -> Connection:
    """Begin a session as a client socket does, with the cursor `gid` or none; ends up live."""
    node = somebody.node
    session = LiveSession(somebody.account, somebody.session)
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


async def replayed(somebody: Somebody, gid: int) -> list[bytes]:
    """What a client that comes back with this cursor is sent before it is live. It signs in anew."""
    token = await new_token(somebody.node, somebody.id)
    connection = await connect(Somebody(somebody.node, somebody.account, token), gid)
    somebody.node.sessions.detach(connection.session)
    assert connection.welcome["mode"] == "replay"
    return connection.take()


async def head(node: Node) -> int:
    return await node.core.db.read(log.head)


def apply(client: Client, frames: list[bytes]) -> None:
    for frame in frames:
        client.apply(orjson.loads(frame))


async def fresh(somebody: Somebody) -> Client:
    """A client with a snapshot of how things are."""
    client = Client(somebody)
    await client.begin()
    return client
