"""See the package."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiosqlite
import trio

from benchmarks.reaching.work import COUNT, NOTE, NUMBER, READ, SCHEMA, STORE, TEXT, take_turns
from chatnode.config import Config
from chatnode.portal.loops import LoopPortal, wait_for
from chatnode.portal.thread import Portal
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.database import Database
from chatnode.storage.engine.directory import DataDirectory
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.upkeep.upgrading import upgrade

STOP_SECONDS = 10


# ---- the core's own writer and readers


@asynccontextmanager
async def opened(data: Path) -> AsyncGenerator[Database]:
    """The database of a new node, with the tables of the work."""
    directory = DataDirectory(data)
    directory.claim()
    config = Config()
    upgrade(directory, config)
    db = Database(directory.database, config.storage)
    db.open()
    try:
        await db.write(_make)
        yield db
    finally:
        await db.aclose()
        directory.release()


def _make(tx: Transaction) -> None:
    for sql in SCHEMA:
        tx.execute(sql)


def _post(tx: Transaction) -> None:
    (seq,) = tx.execute(NUMBER).fetchone()
    tx.execute(STORE, (seq, TEXT, tx.now))
    tx.execute(NOTE, (seq,))


def _read(seq: int) -> Callable[[Reader], Any]:
    return lambda reader: reader.execute(READ, (seq,)).fetchone()


class FromTrio:
    """As the node's services do."""

    def __init__(self, db: Database) -> None:
        self.db = db

    async def post(self) -> None:
        await self.db.write(_post, repeatable=True)

    async def read(self, seq: int) -> None:
        await self.db.read(_read(seq))

    async def together(self, work: Callable[[], Awaitable[None]], times: int) -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(times):
                nursery.start_soon(work)


async def from_trio(data: Path) -> int:
    async with opened(data) as db:
        return await take_turns(FromTrio(db))


class OnAsyncio:
    """The tasks of both ways that run on asyncio."""

    async def together(self, work: Callable[[], Awaitable[None]], times: int) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(times):
                group.create_task(_awaited(work))


async def _awaited(work: Callable[[], Awaitable[None]]) -> None:
    await work()


class ThroughThread(OnAsyncio):
    """As a program on asyncio reaches the node, which runs in a thread of its own."""

    def __init__(self, portal: LoopPortal, db: Database) -> None:
        self.portal = portal
        self.db = db

    async def post(self) -> None:
        await self.portal.run(self._write)

    async def read(self, seq: int) -> None:
        await self.portal.run(self.db.read, _read(seq))

    async def _write(self) -> None:
        await self.db.write(_post, repeatable=True)


async def through_thread(data: Path) -> int:
    portal = Portal("the benchmark")
    found: list[Database] = []

    async def main(portal: Portal) -> None:
        async with opened(data) as db, portal.accepting():
            portal.batches = db
            found.append(db)
            portal.opened(STOP_SECONDS)
            await portal.wait_stopping()

    portal.start(main)
    await wait_for(portal.ready)
    try:
        return await take_turns(ThroughThread(LoopPortal(portal), found[0]))
    finally:
        portal.stop()
        await wait_for(portal.ended)


# ---- aiosqlite


class ThroughAiosqlite(OnAsyncio):
    """One connection writes, a lock keeps transactions apart; another one reads."""

    def __init__(self, writer: aiosqlite.Connection, reader: aiosqlite.Connection) -> None:
        self.writer = writer
        self.reader = reader
        self.writing = asyncio.Lock()

    async def post(self) -> None:
        async with self.writing:
            ((seq,),) = await self.writer.execute_fetchall(NUMBER)
            await self.writer.execute(STORE, (seq, TEXT, 0))
            await self.writer.execute(NOTE, (seq,))
            await self.writer.commit()

    async def read(self, seq: int) -> None:
        await self.reader.execute_fetchall(READ, (seq,))


async def through_aiosqlite(data: Path) -> int:
    path = data / "chatnode.sqlite3"
    async with aiosqlite.connect(path) as writer, aiosqlite.connect(path) as reader:
        for connection in (writer, reader):
            await connection.execute("PRAGMA journal_mode = WAL")
            await connection.execute("PRAGMA synchronous = FULL")
            await connection.execute("PRAGMA foreign_keys = ON")
        for sql in SCHEMA:
            await writer.execute(sql)
        await writer.commit()
        return await take_turns(ThroughAiosqlite(writer, reader))


# ---- the program


WAYS = {"trio": from_trio, "thread": through_thread, "aiosqlite": through_aiosqlite}


async def _stored(path: Path) -> int:
    async with aiosqlite.connect(path) as database:
        ((count,),) = await database.execute_fetchall(COUNT)
    return count


def main(way: str, directory: str) -> None:
    data = Path(directory)
    data.mkdir()
    posted = trio.run(from_trio, data) if way == "trio" else asyncio.run(WAYS[way](data))
    print(json.dumps({"posted": posted, "stored": asyncio.run(_stored(data / "chatnode.sqlite3"))}))


if __name__ == "__main__":
    main(*sys.argv[1:])
