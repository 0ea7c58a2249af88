"""Reading a node's database with SQL, from asyncio: `chatnode.embed.reader`.

    async with chatnode.embed.reader("chat-data") as db:
        rows = await db.execute_fetchall("SELECT handle FROM v1_people WHERE bot = 0")

It knows no permissions: whoever holds it reads everything. It is for the operator's own code.
"""

from __future__ import annotations

import asyncio
import atexit
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any
from weakref import WeakSet

import aiosqlite

from chatnode.storage.engine.guarded import GuardedConnection
from chatnode.storage.reading.opening import open_for_reading

_CLOSING_SECONDS = 1.0
"""At the interpreter's end, for a statement that is being interrupted."""


@asynccontextmanager
async def reader(data: Path | str, *, seconds: float = 5.0) -> AsyncGenerator[aiosqlite.Connection]:
    """A connection that reads the database of the node in the directory `data`, whether a node has it open or not.

    It has the views that docs/embedding.md lists. It cannot write: neither here nor to a database that you attach.
    A statement, with the fetching of its rows, and a transaction may take `seconds`; then the next call raises
    `sqlite3.OperationalError`. Leaving the block interrupts what still runs.

    Raises `StartError`: no node there, tables of another version, a directory that is not on a local disk.
    """
    _check(seconds)
    connection = _ReadingConnection(Path(data), seconds)
    await connection.open()
    watching = asyncio.create_task(connection.watch(seconds))
    try:
        yield connection
    finally:
        watching.cancel()
        await connection.close()


def _check(seconds: float) -> None:
    if seconds <= 0:
        raise ValueError(f"seconds is {seconds:g}; a statement needs some time")
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError("chatnode.embed.reader works on asyncio's event loop, and none is running here") from None


class _ReadingConnection(aiosqlite.Connection):
    """aiosqlite's connection has a thread, which keeps the interpreter from ending until the connection is closed
    (omnilib/aiosqlite issues 290 and 299). This one's thread does not, and is told to close it at the end."""

    def __init__(self, data: Path, seconds: float) -> None:
        super().__init__(partial(open_for_reading, data, seconds), iter_chunk_size=64)
        self._thread.daemon = True
        self._stopping: asyncio.Future[Any] | None = None
        _open.add(self)

    async def open(self) -> None:
        try:
            await self
        except BaseException:
            if self._stopping is not None:  # its thread must not outlive the event loop that it answers to
                await asyncio.shield(self._stopping)
            raise

    def stop(self) -> asyncio.Future[Any] | None:
        self._stopping = super().stop()  # pyright: ignore[reportUnknownMemberType]
        return self._stopping

    async def watch(self, seconds: float) -> None:
        """End what takes too long and nobody calls for."""
        while True:
            await asyncio.sleep(seconds / 2)
            with suppress(ValueError):  # closed meanwhile
                await self._execute(self._end_overdue)

    def _end_overdue(self) -> None:
        assert isinstance(self._conn, GuardedConnection)
        self._conn.end_overdue()

    async def close(self) -> None:
        """Interrupt what runs, and close. A second time does nothing."""
        if not self._thread.is_alive():  # it stayed in the process that was forked
            self._connection = None
        elif self._connection is not None:
            await self.interrupt()
        await super().close()

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if not self._thread.is_alive():  # nobody would ever answer
            raise ValueError("this reader was opened before a fork, and does not work in the new process")
        return await super()._execute(fn, *args, **kwargs)  # pyright: ignore[reportUnknownMemberType]

    def close_at_exit(self) -> None:
        """Close without an event loop."""
        connection, self._connection = self._connection, None
        if connection is not None and self._thread.is_alive():
            closed = Event()
            connection.interrupt()
            closing = (None, partial(_close, connection, closed))
            self._tx.put_nowait(closing)  # pyright: ignore[reportUnknownMemberType]
            closed.wait(_CLOSING_SECONDS)


def _close(connection: Any, closed: Event) -> None:
    connection.close()
    closed.set()


_open: WeakSet[_ReadingConnection] = WeakSet()


@atexit.register
def _close_all() -> None:
    for connection in list(_open):
        connection.close_at_exit()
