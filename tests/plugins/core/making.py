"""Plugins made for a test, and nodes that they run on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs

from chatnode.api import Consumer, Context, Plugin, Reader, Row, Step, Transaction, Write, hookimpl
from chatnode.config import Config, Plugins
from chatnode.node import Node, open_node
from chatnode.storage.log import log

SEEN = Step("seen", "CREATE TABLE made_seen (consumer TEXT, gid INTEGER, kind TEXT, UNIQUE (consumer, gid));")
Consume = Callable[[Context, Sequence[Row]], Awaitable[Write[object] | None]]


def made(name: str = "made", steps: Iterable[Step] = (SEEN,), hooks: Iterable[Any] = (), **declared: Any) -> Any:
    """A plugin that declares this; `hooks` are marked functions."""
    fields = {"version": "1.0", "api": "2.0", "about": "Made for a test.", "steps": tuple(steps), **declared}

    @hookimpl
    def chatnode_plugin() -> Plugin:
        return Plugin(name=name, **fields)

    return SimpleNamespace(chatnode_plugin=chatnode_plugin, **{hook.__name__: hook for hook in hooks})


def notes(consumer: str, rows: Sequence[Row]) -> Write[object]:
    """Writes down each row, which can be done once."""

    def write(tx: Transaction) -> None:
        tx.executemany("INSERT INTO made_seen VALUES (?, ?, ?)", [(consumer, row.gid, row.kind) for row in rows])

    return write


@attrs.define
class Noting:
    """A consumer's function that notes what it gets, by way of the effect that it gives; `before` may raise."""

    name: str = "noting"
    before: Callable[[Sequence[Row]], None] = lambda rows: None
    batches: list[list[int]] = attrs.field(factory=list[list[int]])

    async def __call__(self, ctx: Context, rows: Sequence[Row]) -> Write[object]:
        self.batches.append([row.gid for row in rows])
        self.before(rows)
        return notes(self.name, rows)

    def declared(self, **fields: Any) -> Consumer:
        return Consumer(self.name, self, **{"kinds": frozenset({"message.posted"}), **fields})


@asynccontextmanager
async def node_with(tmp_path: Path, *plugins: Any, tries: int = 3, **settings: Any) -> AsyncIterator[Node]:
    """A node over the test's directory, which has what a node before it left there."""
    inline = settings.pop("inline", False)
    config = Config(plugins=Plugins(consumer_tries=tries, **settings))
    async with open_node(tmp_path / "data", config, only=plugins, inline=inline) as node:
        yield node


async def seen(node: Node, consumer: str = "noting") -> list[int]:
    """The gids that a consumer noted, in their order."""

    def read(reader: Reader) -> list[int]:
        rows = reader.execute("SELECT gid FROM made_seen WHERE consumer = ? ORDER BY rowid", (consumer,))
        return [gid for (gid,) in rows]

    return await node.core.db.read(read)


async def logged(node: Node, kind: str = "message.posted") -> list[int]:
    """The gids of a kind that are in the log."""
    return await node.core.db.read(
        lambda reader: [gid for (gid,) in reader.execute("SELECT gid FROM log WHERE kind = ? ORDER BY gid", (kind,))]
    )


async def head(node: Node) -> int:
    return await node.core.db.read(log.head)


async def stored_cursor(node: Node, consumer: str = "noting") -> int:
    """Where the consumer begins when the node is killed now."""
    return await node.core.db.read(
        lambda reader: reader.execute("SELECT cursor FROM consumers WHERE name = ?", (consumer,)).fetchone()[0]
    )
