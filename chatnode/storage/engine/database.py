"""The database: one thread that writes in groups, a few that read.

A write is a sync function that gets a `Transaction` and runs whole, in the writer thread, inside a savepoint of its
own. Neighbours that may be run again share one, or are run in one go by their bulk (`storage/engine/commit.py`). All
waiting writes share one transaction and so one fsync. What is promised:

- A write that was handed over runs to its end; cancelling the task that waits for it ends only the waiting.
- Its result is delivered after COMMIT with synchronous=FULL, that is, when it is on disk.
- Events are handed to `on_commit`, and results to the waiters, in commit order, on the trio thread, events first.
- A write that raises is rolled back alone and its waiter gets the exception; its neighbours are not touched.
- A write with `low` waits until the low-priority lane has its turn (`storage/engine/lane.py`). Low-priority writes keep
  their order among themselves; others overtake them.
- When COMMIT itself fails, every write of the group fails. If the disk is full, the database accepts writes again when
  there is space. After any other failure it accepts no more: what fsync once refused to write may be lost without a
  further error, so it is never retried; the node must be restarted.

Only the writing connection writes and checkpoints: SQLite 3.7.0 to 3.51.2 can corrupt the file when two do.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

import outcome
import trio

from chatnode.concurrency import Signal
from chatnode.config import Storage as StorageSettings
from chatnode.errors import NodeGone, Refusal, WrongThread
from chatnode.logs import get_logger
from chatnode.storage.engine import own_threads
from chatnode.storage.engine.additions import Additions
from chatnode.storage.engine.connection import Reader, connect_reader, connect_writer
from chatnode.storage.engine.finished import finished
from chatnode.storage.engine.gaps import RawFile
from chatnode.storage.engine.group import QueuedCall
from chatnode.storage.engine.transaction import PlannedWrite, Read, Write
from chatnode.storage.engine.writer import WAKE, WriterThread

T = TypeVar("T")
logger = get_logger("storage")


class Database(WriterThread):
    """Opened by `open`, closed by `aclose`; `write` and `read` are called from trio tasks in between. While it closes,
    they raise `Refusal("unavailable")`; after that, `NodeGone`. In another thread they raise `WrongThread`: a result
    that comes back to another trio run would end this one.

    `broken` says why it takes no more writes, `full` that the last one that needed space found none.

    With `inline=True` there are no threads: a write commits alone before `write` returns. That is for tests
    that mock the clock, which would jump while a thread works.
    """

    def __init__(
        self,
        path: Path,
        settings: StorageSettings | None = None,
        *,
        inline: bool = False,
        additions: Additions | None = None,
    ) -> None:
        super().__init__(additions)
        self.path = path
        self.file = RawFile(path)
        self.settings = settings or StorageSettings()
        self.inline = inline
        self._reads: SimpleQueue[QueuedCall[Any] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._running = 0
        self._ended = Signal()
        self._reader_connections: list[Reader] = []
        self._home = threading.get_ident()
        self._closing = False
        self._closed = False
        self._held: list[QueuedCall[Any]] | None = None

    @property
    def reads_waiting(self) -> int:
        return self._reads.qsize()

    def open(self, writer: Reader | None = None) -> None:
        """Open the connections and start the threads; call from the trio thread. `writer` is one of `connect_writer`,
        which becomes the database's own: a connection takes milliseconds to read what tables there are."""
        self._home = threading.get_ident()
        self._writer = connect_writer(self.path, self.settings) if writer is None else writer
        self._writer.additions = self.additions
        self._token = trio.lowlevel.current_trio_token()
        self._reader_connections = [
            connect_reader(self.path, self.settings.reader_cache_kib)
            for _ in range(1 if self.inline else self.settings.readers)
        ]
        for connection in self._reader_connections:
            connection.additions = self.additions
        if self.inline:
            return
        self._start("chatnode-writer", self._write_forever)
        for number, connection in enumerate(self._reader_connections):
            self._start(f"chatnode-reader-{number}", self._read_forever, connection)

    async def aclose(self) -> None:
        """Run what was handed over, move the write-ahead log into the file and close. Not cancellable."""
        self._closing = True
        self._jobs.put(None)
        for _ in self._reader_connections:
            self._reads.put(None)
        with trio.CancelScope(shield=True):
            while self._running:
                await self._ended.wait()
            for thread in self._threads:
                thread.join()  # takes no time
            await trio.lowlevel.checkpoint()
        for connection in self._reader_connections:
            connection.close()
        if self.broken is None:
            self._tidy_up()
        self._writer.close()
        self.file.close()
        self._closed = True

    def _tidy_up(self) -> None:
        try:
            self._writer.execute("PRAGMA optimize")
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.Error as error:
            logger.warning("the database was closed without cleaning up: %s", error)

    async def write(self, function: Write[T], *, repeatable: bool = False, low: bool = False) -> T:
        """Run `function` in a transaction; returns when what it did is on disk.

        `low`: it is one slice of bulk work, which others do not wait for. It should take no longer than
        `lane.slice_seconds()`; `Steps` sizes slices so.

        `repeatable` promises that the function does nothing but what the transaction undoes, and so may be run again
        after that. It makes frequent writes cheaper: those of a group share a savepoint, and each gets one of its own
        only when one of them has raised.
        Raises what the function raised, `Refusal("unavailable")` when the disk takes no writes, or
        `trio.Cancelled`, in which case the function runs all the same.
        """
        self.require_home()
        await trio.lowlevel.checkpoint_if_cancelled()
        self._refuse_if_unusable()
        job = QueuedCall(function, trio.lowlevel.current_task(), repeatable=repeatable)
        if self.inline:
            job.task = None
            self._commit([job])
            self._deliver([job])
            self._note([job])
            await trio.lowlevel.cancel_shielded_checkpoint()
            assert job.outcome is not None
            return job.outcome.unwrap()
        if low:
            self.lane.put(job)
            if self._asleep:
                self._jobs.put(WAKE)
        else:
            self._jobs.put(job)
        return await job.wait()

    def submit(self, planned: PlannedWrite[T], done: Callable[[outcome.Outcome[T]], object]) -> None:
        """`write` without a task: once the write is on disk or has failed, `done` is called with what it returned or
        raised, on the trio thread, after the events of its group were handed to `on_commit`. Call from the trio thread.

        With `inline`, `done` is called before `submit` returns. Raises `Refusal("unavailable")` as `write` does.
        """
        self.require_home()
        self._refuse_if_unusable()
        job = QueuedCall(planned.function, None, repeatable=True, callback=done, plan=planned)
        if self.inline:
            self._commit([job])
            self._deliver([job])
            self._note([job])
        elif self._held is not None:
            self._held.append(job)
        else:
            self._jobs.put(job)

    def hold(self) -> None:
        """Keep submitted writes back until `hand_over`, so that those of one wake-up are committed together."""
        self._held = []

    def hand_over(self) -> None:
        """Hand the writes that were held to the writer, in their order."""
        held, self._held = self._held, None
        for job in held or ():
            self._jobs.put(job)

    async def maintain(self, function: Callable[[Reader], T]) -> T:
        """Run `function` on the writing connection between two groups, outside of any transaction; writes wait.

        For what cannot be part of one: VACUUM, checkpoints, PRAGMA optimize. Raises what the function raised.
        """
        self.require_home()
        await trio.lowlevel.checkpoint_if_cancelled()
        self._refuse_if_unusable()
        if self.inline:
            await trio.lowlevel.cancel_shielded_checkpoint()
            self._known.clear()
            return function(self._writer)
        job = QueuedCall(function, trio.lowlevel.current_task(), alone=True)
        self._jobs.put(job)
        return await job.wait()

    async def checkpoint(self) -> None:
        """Move the write-ahead log into the file now, while it is short: long work waits less for it than others would
        for all of it at once."""
        await self.maintain(lambda _: self._checkpoint())

    async def read(self, function: Read[T]) -> T:
        """Run `function` on a reading connection, inside one snapshot of the database."""
        self.require_home()
        await trio.lowlevel.checkpoint_if_cancelled()
        self._refuse_if_closing()
        job = QueuedCall(function, trio.lowlevel.current_task())
        if self.inline:
            await trio.lowlevel.cancel_shielded_checkpoint()
            return _in_snapshot(self._reader_connections[0], function)
        self._reads.put(job)
        return await job.wait()

    def submit_read(self, function: Read[T], done: Callable[[outcome.Outcome[T]], object]) -> None:
        """`read` without a task: `done` is called on the trio thread, once, with what the read returned or raised.

        With `inline`, `done` is called before `submit_read` returns. Raises `Refusal("unavailable")` as `read` does.
        """
        self.require_home()
        self._refuse_if_closing()
        job = QueuedCall(function, None, callback=done)
        if self.inline:
            job.outcome = outcome.capture(_in_snapshot, self._reader_connections[0], function)
            job.resume()
        else:
            self._reads.put(job)

    async def for_each_reader(self, function: Read[object]) -> None:
        """Run `function` on every reading connection, each when it has nothing else to do."""
        async with trio.open_nursery() as nursery:
            together = threading.Barrier(len(self._reader_connections))

            def run(reader: Reader) -> None:
                function(reader)
                with contextlib.suppress(threading.BrokenBarrierError):
                    together.wait(timeout=0.1)  # so that no connection takes two

            for _ in self._reader_connections:
                nursery.start_soon(self.read, run)

    def require_home(self) -> None:
        """Raises `WrongThread` outside of the thread that opened the database."""
        if threading.get_ident() != self._home:
            raise WrongThread

    # ---- in the threads

    def _start(self, name: str, target: Callable[..., None], *args: Any) -> None:
        # Daemons, so that a node that dies without closing does not hang at exit: nothing acknowledged is lost.
        thread = threading.Thread(target=self._run, args=(target, *args), name=name, daemon=True)
        self._threads.append(thread)
        self._running += 1
        thread.start()

    def _run(self, target: Callable[..., None], *args: Any) -> None:
        """Says when it ends, so that waiting takes no further thread: at the exit of the interpreter there is none."""
        own_threads.enter()
        try:
            target(*args)
        finally:
            with contextlib.suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self._thread_ended)

    def _thread_ended(self) -> None:
        self._running -= 1
        self._ended.notify()

    def _read_forever(self, connection: Reader) -> None:
        while (job := self._reads.get()) is not None:
            job.outcome = outcome.capture(_in_snapshot, connection, job.function)
            self._token.run_sync_soon(job.resume)

    def _refuse_if_closing(self) -> None:
        if self._closed:
            raise NodeGone("the node was closed")
        if self._closing:
            raise Refusal("unavailable", "the node is stopping")

    def _refuse_if_unusable(self) -> None:
        if self._closing:
            self._refuse_if_closing()
        if self.broken is not None:
            raise Refusal("unavailable", "storage failed; the node must be restarted")


def _in_snapshot(connection: Reader, function: Read[T]) -> T:
    connection.execute("BEGIN")
    try:
        return finished(function(connection))
    finally:
        with contextlib.suppress(sqlite3.Error):  # as when the file is damaged, which `function` has met already
            connection.execute("ROLLBACK")
