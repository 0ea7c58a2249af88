"""Users whose clients are compared with one that has just begun: old snapshot + events = fresh snapshot."""

from __future__ import annotations

from typing import Any, Generic, Protocol, TypeVar

import attrs
import orjson

from tests.properties.world import Connection, SignedIn, connect, replayed


class ClientModel(Protocol):
    """What a client shows, made from a snapshot and events."""

    gid: int

    def __init__(self, somebody: SignedIn, /) -> None: ...

    async def begin(self) -> None: ...

    def apply(self, frame: dict[str, Any], /) -> None: ...

    async def settle(self) -> None: ...

    def state(self) -> Any: ...


C = TypeVar("C", bound=ClientModel)


async def begun(kind: type[C], somebody: SignedIn) -> C:
    """A client with a snapshot of how things are."""
    client = kind(somebody)
    await client.begin()
    return client


@attrs.define
class Watched(Generic[C]):
    """A user with a client that is there all the time, and one that has a snapshot and is away."""

    somebody: SignedIn
    live: C
    away: C
    connection: Connection

    @classmethod
    async def of(cls, kind: type[C], somebody: SignedIn) -> Watched[C]:
        connection = await connect(somebody, None)
        live, away = await begun(kind, somebody), await begun(kind, somebody)
        live.gid = away.gid = connection.welcome["head"]
        return cls(somebody, live, away, connection)

    async def compare(self) -> list[dict[str, Any]]:
        """Both show what a client shows that begins now. Returns what the away one missed; it is away again."""
        pushed, missed = self.connection.take(), await replayed(self.somebody, self.away.gid)
        now = (await begun(type(self.live), self.somebody)).state()
        for client, frames in ((self.live, pushed), (self.away, missed)):
            for frame in frames:
                client.apply(orjson.loads(frame))
            await client.settle()
            assert client.state() == now, (self.somebody.handle, client is self.live)
        return [orjson.loads(frame) for frame in missed]
