"""Whom a program asks that shares a node: the node in its own process, or the one in another."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import attrs
import trio

from chatnode.client.feed import Pushed
from chatnode.embed.events import LocalItem
from chatnode.embed.exchanges import forward, scope_fields
from chatnode.embed.frames import NODE, ConsumerWanted, EventsWanted, Who, batch_of, item_of
from chatnode.embed.link import NoOwner, OwnerConnection, OwnerLink, connect
from chatnode.embed.local import begin_events, caller_of, open_batches, repeatable
from chatnode.errors import Refusal
from chatnode.model.people import Person
from chatnode.protocol import codec
from chatnode.services import SUBJECTS
from chatnode.services.vouching import Profile
from chatnode.transport.exchange import Receive, Send

if TYPE_CHECKING:
    from chatnode.dispatch.table import BegunRequest
    from chatnode.node import Node


class Events(Protocol):
    """A user's events. `anext` raises `NoOwner` if the owner ends."""

    async def __anext__(self) -> LocalItem: ...

    async def aclose(self) -> None: ...


class ConsumerBatches(Protocol):
    """The batches of a consumer. Both raise `NoOwner` if the owner ends."""

    async def next(self) -> tuple[list[Pushed], int]:
        """The next batch, and up to where it goes. If the last one was not done, it comes again after a pause."""
        ...

    async def done(self, upto: int) -> None:
        """Store that everything up to there is dealt with; if that is stored already, nothing happens."""
        ...

    async def aclose(self) -> None: ...


class HasOwner(Protocol):
    """What shares a node: `chatnode.embed.attaching.SharedNode`."""

    names: set[str]
    """Of the consumers that this process has opened."""

    async def owner(self) -> NodeOwner: ...

    async def wait_changed(self, owner: NodeOwner) -> None: ...


class NodeOwner(Protocol):
    """The process that owns the node.

    Besides `Refusal`, everything raises `NoOwner` if the owner ended before it began this, and `ConnectionLost` if that
    is not known.
    """

    @property
    def url(self) -> str:
        """Where the node can be reached; empty without a port."""
        ...

    @property
    def repeatable(self) -> Collection[str]:
        """The commands that may be carried out twice."""
        ...

    async def run(self, who: Who, name: str, fields: dict[str, Any]) -> Any:
        """An object of the command's reply class."""
        ...

    async def call(self, who: Who, name: str, fields: dict[str, Any]) -> Any:
        """The same as plain values."""
        ...

    async def events(self, wanted: EventsWanted) -> Events:
        """A user's events; the session is there."""
        ...

    async def consumer(self, wanted: ConsumerWanted) -> ConsumerBatches:
        """Raises `Refusal("conflict", path="name")` while another process has the name."""
        ...

    async def answer(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer a request, or serve a client socket, of the program that the node is mounted in; the scope is an
        `inner_scope`. If it raises `NoOwner`, nothing was received."""
        ...

    async def admit(self, identity: str, profile: Profile) -> Person: ...

    async def sign_out(self, identity: str) -> None: ...

    async def health(self) -> tuple[bool, dict[str, Any]]: ...


class Owned:
    """This process is the owner."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.repeatable = frozenset(repeatable(node))

    @property
    def url(self) -> str:
        return self._node.core.base_url

    def begin(self, who: Who, name: str, fields: dict[str, Any]) -> BegunRequest | None:
        return caller_of(self._node, who).begin(name, fields)

    async def run(self, who: Who, name: str, fields: dict[str, Any]) -> Any:
        return await caller_of(self._node, who).run(name, fields)

    async def call(self, who: Who, name: str, fields: dict[str, Any]) -> Any:
        return await caller_of(self._node, who).call(name, **fields)

    async def events(self, wanted: EventsWanted) -> Events:
        return await begin_events(self._node, wanted)

    async def consumer(self, wanted: ConsumerWanted) -> ConsumerBatches:
        return await open_batches(self._node, wanted)

    async def answer(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if self._node.mounted is None:
            raise NoOwner("the node is stopping")
        await self._node.mounted(scope, receive, send)

    async def admit(self, identity: str, profile: Profile) -> Person:
        return await self._node.admit(identity, profile)

    async def sign_out(self, identity: str) -> None:
        await self._node.sign_out(identity)

    async def health(self) -> tuple[bool, dict[str, Any]]:
        return await self._node.health()


class Attached:
    """Another process is the owner."""

    def __init__(self, data: Path, link: OwnerLink) -> None:
        self._data = data
        self._link = link
        self.url: str = link.welcome["url"]
        self.repeatable = frozenset(link.welcome["repeatable"])

    async def run(self, who: Who, name: str, fields: dict[str, Any]) -> Any:
        result = await self._link.call(who, name, fields)
        gives = _reply_classes().get(name)
        return codec.read(result, gives) if gives is not None else result

    async def call(self, who: Who, name: str, fields: dict[str, Any]) -> Any:
        return await self._link.call(who, name, fields)

    async def events(self, wanted: EventsWanted) -> Events:
        return AttachedEvents(await self._ready("events", wanted.as_fields()))

    async def consumer(self, wanted: ConsumerWanted) -> ConsumerBatches:
        return AttachedBatches(await self._ready("consumer", attrs.asdict(wanted)))

    async def answer(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        async with await connect(self._data, "exchange", **scope_fields(scope)) as connection:
            await connection.send({"begin": True})
            await forward(connection, receive, send)

    async def admit(self, identity: str, profile: Profile) -> Person:
        found = await self._link.call(NODE, "admit", {"identity": identity, "profile": profile})
        return codec.read(found, Person)

    async def sign_out(self, identity: str) -> None:
        await self._link.call(NODE, "sign_out", {"identity": identity})

    async def _ready(self, purpose: str, fields: dict[str, Any]) -> OwnerConnection:
        """A connection that the owner has begun to serve."""
        connection = await connect(self._data, purpose, **fields)
        try:
            await connection.next()
        except BaseException:
            connection.close()
            raise
        return connection

    async def health(self) -> tuple[bool, dict[str, Any]]:
        found = await self._link.call(NODE, "health", {})
        return found["well"], found["parts"]


class _Held:
    """A connection of its own, closed with `aclose`, or when nothing refers to this any more."""

    def __init__(self, connection: OwnerConnection) -> None:
        self._connection = connection
        self._token = trio.lowlevel.current_trio_token()

    async def aclose(self) -> None:
        self._connection.close()
        await trio.lowlevel.checkpoint()

    def __del__(self) -> None:
        self._connection.drop(self._token)  # the last reference may have been in another thread


class AttachedEvents(_Held):
    """The events that the owner sends."""

    async def __anext__(self) -> LocalItem:
        await trio.lowlevel.checkpoint_if_cancelled()
        frame = await self._connection.next()
        if "over" in frame:
            raise StopAsyncIteration
        return item_of(frame)


class AttachedBatches(_Held):
    """The batches that the owner sends."""

    def __init__(self, connection: OwnerConnection) -> None:
        super().__init__(connection)
        self._asked = False

    async def next(self) -> tuple[list[Pushed], int]:
        if not self._asked:  # else waiting was cancelled, and the batch is on its way
            await self._send({"next": True})
            self._asked = True
        try:
            frame = await self._wait_for("batch")
        except Refusal:
            self._asked = False
            raise
        self._asked = False
        return batch_of(frame)

    async def done(self, upto: int) -> None:
        await self._send({"done": upto})
        await self._wait_for("done")

    async def _send(self, frame: dict[str, Any]) -> None:
        """Not cancellable: half a line would spoil the connection. The owner reads a few lines at any time."""
        with trio.CancelScope(shield=True):
            await self._connection.send(frame)

    async def _wait_for(self, key: str) -> dict[str, Any]:
        """The frame with this key; what was cancelled before is answered first."""
        while True:
            frame = await self._connection.next()
            if key in frame:
                return frame


@cache
def _reply_classes() -> dict[str, type[Any]]:
    """Of the node's own commands."""
    return {command.name: command.gives for subject in SUBJECTS for command in subject.commands}
