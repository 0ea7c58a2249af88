"""Long reads: a snapshot of the database on a connection of its own, read in parts.

Reading threads serve everyone, so what reads for long must not hold one. While a snapshot is open, the write-ahead log
cannot be reused from its start, so every write makes it longer. Keep a snapshot open for seconds or minutes, and do not
wait for clients meanwhile.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TypeVar

import trio

from chatnode.model.records import record
from chatnode.storage.engine.connection import Reader, connect_reader
from chatnode.storage.engine.database import Database
from chatnode.storage.engine.finished import finished
from chatnode.storage.engine.transaction import Read

T = TypeVar("T")


@record(frozen=True)
class Snapshot:
    """The database as it was at one moment. One part is read at a time."""

    _connection: Reader
    _inline: bool

    async def read(self, function: Read[T]) -> T:
        """Run `function` with a reader, in a thread. All functions see the same state of the database.

        If the task is cancelled, it is so after the function has returned: let a function take milliseconds.
        """
        if self._inline:
            await trio.lowlevel.checkpoint()
            return finished(function(self._connection))
        return finished(await trio.to_thread.run_sync(function, self._connection))


@asynccontextmanager
async def open_snapshot(db: Database) -> AsyncGenerator[Snapshot]:
    """A snapshot of what is committed now."""
    connection = connect_reader(db.path, db.settings.reader_cache_kib)
    connection.additions = db.additions
    try:
        connection.execute("BEGIN")
        connection.execute("SELECT 1 FROM log LIMIT 1").fetchone()  # a snapshot begins with the first read
        yield Snapshot(connection, db.inline)
    finally:
        connection.close()
