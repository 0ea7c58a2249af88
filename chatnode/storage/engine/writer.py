"""The thread that writes: it takes what waits in groups, slices of bulk work at their turn, and uses the moments
without writes for work on what is derived. `storage/engine/database.py` says what is promised.
"""

from __future__ import annotations

import sqlite3
from queue import Empty, SimpleQueue
from time import perf_counter
from typing import Any, Protocol

import outcome
import trio

from chatnode.config import Storage as StorageSettings
from chatnode.logs import get_logger
from chatnode.storage.engine.additions import Additions
from chatnode.storage.engine.commit import GroupCommit
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.gaps import RawFile
from chatnode.storage.engine.group import QueuedCall
from chatnode.storage.engine.lane import LowLane, timed
from chatnode.storage.engine.transaction import Committed

logger = get_logger("storage")

IDLE_SECONDS = 0.1
"""After this time without writes, the node is idle."""
_ALMOST = 0.001
"""A wait that ends so much too early has lasted long enough."""


def _nothing(_: object) -> None:
    """What `WAKE` runs."""


WAKE = QueuedCall(_nothing, None)
"""Wakes the writer, which sleeps, for the low-priority lane. It is no write."""


class CommitListener(Protocol):
    """Called with every committed event, in commit order, on the trio thread. Must not raise or block."""

    def __call__(self, recorded: list[Committed], /) -> None: ...


class Background(Protocol):
    """Work on what is derived from the tables, such as an index, which the writer does in slices between writes.

    All of it is called in the writer thread. Nobody waits for the work and none of it is acknowledged, so its
    commits are flushed to disk only with the next write's. It may change nothing but derived data, so that what bulks
    remember of the other tables stays true.
    """

    def committed(self, recorded: list[Committed], writes_waiting: int) -> bool:
        """Take note of what was committed; return whether a slice of work is due now, before the waiting writes."""
        ...

    def idle_seconds(self) -> float | None:
        """After how long without writes a slice of work is due; None when there is none to do."""
        ...

    def work(self, connection: Reader) -> None:
        """Do one slice, of some milliseconds, in the open transaction."""
        ...

    def failed(self) -> None:
        """The slice was undone: it raised, which was logged, or could not be committed."""
        ...


class WriterThread(GroupCommit):
    """The half of `Database` that runs in the writer thread, but for `_deliver`, which runs on the trio thread."""

    file: RawFile
    settings: StorageSettings
    _token: trio.lowlevel.TrioToken

    def __init__(self, additions: Additions | None) -> None:
        super().__init__(additions)
        self.on_commit: CommitListener = lambda recorded: None
        self.background: Background | None = None
        self.lane = LowLane()
        self._jobs: SimpleQueue[QueuedCall[Any] | None] = SimpleQueue()
        self._asleep = False
        self._passed_over = False
        self._was_low = False
        """Whether the lane had the last moment without writes: it takes turns with the background."""
        self._background_at: float | None = None
        """When the background is due, if no ordinary write comes before."""

    @property
    def writes_waiting(self) -> int:
        return self._jobs.qsize()

    def _write_forever(self) -> None:
        going = True
        while going:
            job = self._next_job()
            group: list[QueuedCall[Any]] = []
            alone: QueuedCall[Any] | None = None
            while job is not None:
                if job.alone:
                    alone = job
                    break
                if job is not WAKE:
                    group.append(job)
                if len(group) >= self.settings.group_jobs:
                    break
                try:
                    job = self._jobs.get_nowait()
                except Empty:
                    break
            going = job is not None
            self._write_group(group)
            if alone is not None:
                self._known.clear()
                alone.outcome = outcome.capture(alone.function, self._writer)
                self._token.run_sync_soon(alone.resume)
        for job in self.lane.take_all():
            self._commit_and_deliver([job])

    def _write_group(self, group: list[QueuedCall[Any]]) -> None:
        """Commit what came in the ordinary lane, and a slice of the low-priority lane, if one is due.

        When no other write waits, the slice has a group of its own, after which the first is delivered already. Else it
        goes into a group, as its last write: that flushes once for both.
        """
        if group:
            self._background_at = None
            self.lane.wrote_ordinary()
            job = self.lane.take() if self._passed_over or self._jobs.qsize() else None
            if job is None:
                self._commit_and_deliver(group)
            else:
                seconds = _timing(job)
                self._commit_and_deliver([*group, job])
                self._end_slice(sum(seconds))
            self._passed_over = self._jobs.qsize() > 0  # the next group takes it along, or others might always come
            if self._passed_over:
                return
        job = self.lane.take()
        if job is not None:
            self._was_low = True
            _, seconds = timed(self._commit_and_deliver, [job])
            self._end_slice(seconds)

    def _end_slice(self, seconds: float) -> None:
        if self.lane.took(seconds) and self.broken is None:
            self._checkpoint()

    def _commit_and_deliver(self, group: list[QueuedCall[Any]]) -> None:
        self._commit(group)
        self._token.run_sync_soon(self._deliver, group)
        self._note(group)

    def _next_job(self) -> QueuedCall[Any] | None:
        """Wait for a job. A moment without one is the time for the low-priority lane, for work in the background, and
        for a checkpoint, which would hold up a busy node.
        """
        while True:
            waits = [IDLE_SECONDS] if self._checkpoint_due else []
            if (background := self._background_in()) is not None:
                waits.append(background)
            self._asleep = True
            low = self.lane.due_in()  # after `_asleep` is set: what is put from now on wakes the writer
            try:
                return self._jobs.get(timeout=min([*waits, low] if low is not None else waits, default=None))
            except Empty:
                background_due = background is not None and self._background_in() == 0.0
                if low is not None and low <= min(waits, default=low) and not (background_due and self._was_low):
                    return WAKE
                self._was_low = False
                if background_due:
                    self._work()
                else:
                    self._checkpoint_due = False
                    if self.broken is None:
                        self._checkpoint()
            finally:
                self._asleep = False

    def _background_in(self) -> float | None:
        """Seconds until the background is due, if no ordinary write comes before; None if it has nothing to do.

        Slices between two ordinary writes neither hurry it nor put it off.
        """
        idle = self.background.idle_seconds() if self.background is not None and self.broken is None else None
        if idle is None:
            self._background_at = None
            return None
        now = perf_counter()
        at = now + idle
        self._background_at = at if self._background_at is None else min(at, self._background_at)
        left = self._background_at - now
        return left if left > _ALMOST else 0.0

    def _note(self, group: list[QueuedCall[Any]]) -> None:
        """Tell the background what was committed, and let it work if it has to."""
        if self.background is None:
            return
        recorded = [each for job in group for each in job.recorded]
        if self.background.committed(recorded, self.writes_waiting):
            self._work()

    def _work(self) -> None:
        """One slice of the background's work in a transaction of its own, which costs no flush."""
        self._background_at = None
        if self.background is None or self.broken is not None:
            return
        try:
            self._writer.execute("PRAGMA synchronous=NORMAL")
            self._writer.execute("BEGIN IMMEDIATE")
            self.background.work(self._writer)
            self._writer.execute("COMMIT")
            self._checkpoint_due = True
        except Exception as error:
            logger.error("background work failed: %s", error)
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            self.background.failed()
        finally:
            self._writer.execute("PRAGMA synchronous=FULL")

    def _checkpoint(self) -> None:
        if self.file.sweeping:
            return
        try:
            self._writer.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        except sqlite3.Error as error:
            logger.warning("the write-ahead log could not be checkpointed yet: %s", error)

    def _deliver(self, group: list[QueuedCall[Any]]) -> None:
        recorded = [each for job in group for each in job.recorded]
        if recorded:
            self.on_commit(recorded)
        for job in group:
            job.resume()


def _timing(job: QueuedCall[Any]) -> list[float]:
    """Let a job add the seconds that its function takes to the list that is returned."""
    function, seconds = job.function, list[float]()

    def run(tx: Any) -> Any:
        began = perf_counter()
        try:
            return function(tx)
        finally:
            seconds.append(perf_counter() - began)

    job.function = run
    return seconds
