"""Reading a node's database from a test that runs on trio: asyncio has a thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite
import trio

from chatnode.embed import reader

T = TypeVar("T")
Rows = list[dict[str, Any]]


async def with_reader(data: Path, work: Callable[[aiosqlite.Connection], Awaitable[T]], **options: Any) -> T:
    """What `work` returns, which gets a reader and runs on asyncio."""

    async def run() -> T:
        async with reader(data, **options) as db:
            return await work(db)

    return await trio.to_thread.run_sync(partial(asyncio.run, run()))


async def rows(data: Path, sql: str, *parameters: Any) -> Rows:
    """The rows that a query selects, by column."""

    async def select(db: aiosqlite.Connection) -> Rows:
        cursor = await db.execute(sql, parameters)
        names = [each[0] for each in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in await cursor.fetchall()]

    return await with_reader(data, select)
