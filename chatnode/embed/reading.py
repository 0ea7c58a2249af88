"""Reading a node's database with SQL, from asyncio: `chatnode.embed.reader`.

    async with chatnode.embed.reader("chat-data") as db:
        rows = await db.execute_fetchall("SELECT handle FROM v1_people WHERE bot = 0")

It checks no permissions and reads everything: it is for the operator's own code.
"""

from __future__ import annotations

import asyncio
import atexit
import os
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
        raise ValueError(f"seconds is {seconds:g}; it must be above 0")
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError("chatnode.embed.reader works on asyncio's event loop, and none is running here") from None


class _ReadingConnection(aiosqlite.Connection):
    """aiosqlite's connection has a thread, which keeps the interpreter from ending until the connection is closed. This
    one's does not; it is told to close the connection at the end."""

    def __init__(self, data: Path, seconds: float) -> None:
        super().__init__(partial(self._make, data, seconds), iter_chunk_size=64)
        self._thread.daemon = True
        self._process = os.getpid()
        self._made: GuardedConnection | None = None
        self._stopping: asyncio.Future[Any] | None = None
        _open.add(self)

    async def open(self) -> None:
        try:
            await self
        except BaseException:
            if self._stopping is not None:  # its thread must not outlive the event loop that it answers to
                await asyncio.shield(self._stopping)
            raise

    def _make(self, data: Path, seconds: float) -> GuardedConnection:
        self._made = open_for_reading(data, seconds)
        return self._made

    def _close_made(self) -> None:
        """In its thread: also if the opening was cancelled, and nobody got the connection."""
        if self._made is not None:
            self._made.close()

    def stop(self) -> asyncio.Future[Any] | None:
        self._tx.put_nowait((None, self._close_made))  # pyright: ignore[reportUnknownMemberType]
        self._stopping = super().stop()  # pyright: ignore[reportUnknownMemberType]
        return self._stopping

    async def watch(self, seconds: float) -> None:
        """End what takes too long and nobody calls for."""
        while True:
            await asyncio.sleep(seconds / 2)
            with suppress(ValueError):  # closed meanwhile
                await self._execute(self._end_overdue)

    def _end_overdue(self) -> None:
        assert self._made is not None
        self._made.end_overdue()

    async def close(self) -> None:
        """Interrupt what runs, and close. A second time does nothing."""
        if not self._thread.is_alive():  # it stayed in the process that was forked
            self._connection = None
        elif self._connection is not None:
            await self.interrupt()
        await super().close()

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if os.getpid() != self._process:  # nobody would ever answer
            raise ValueError("this reader was opened before a fork, and does not work in the new process")
        if self._connection is None:
            raise ValueError("this reader was closed; open another one with chatnode.embed.reader")
        return await super()._execute(fn, *args, **kwargs)  # pyright: ignore[reportUnknownMemberType]

    def close_at_exit(self) -> None:
        """Close without an event loop."""
        if self._connection is None or not self._thread.is_alive():
            return
        closed = Event()
        self._connection.interrupt()
        for work in (self._close_made, closed.set):
            self._tx.put_nowait((None, work))  # pyright: ignore[reportUnknownMemberType]
        closed.wait(_CLOSING_SECONDS)
        self._connection = None  # else it would warn that nobody closed it


_open: WeakSet[_ReadingConnection] = WeakSet()


@atexit.register
def _close_all() -> None:
    for connection in list(_open):
        connection.close_at_exit()
