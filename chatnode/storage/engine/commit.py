"""Group commit: runs the jobs of a group in one transaction and commits it, in the writer thread."""

from __future__ import annotations

import sqlite3
from itertools import groupby
from operator import attrgetter
from time import perf_counter
from typing import Any

import outcome

from chatnode.counting import counted
from chatnode.errors import Refusal
from chatnode.logs import get_logger
from chatnode.metrics import Commits
from chatnode.storage.engine.additions import Additions
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.finished import finished
from chatnode.storage.engine.group import QueuedCall, disk_full, is_full, jobs_to_commit_again, storage_error
from chatnode.storage.engine.transaction import Bulk, BulkTransaction, Known, Transaction

logger = get_logger("storage")
Jobs = list[QueuedCall[Any]]


class GroupCommit:
    """The half of `Database` that works on the writing connection. `storage/engine/database.py` says what is promised.

    What a bulk remembers between groups is true only while nothing else writes. So it is forgotten before each write
    that is not part of that bulk, and with each rollback, including that of a failed COMMIT.
    """

    _writer: Reader

    def __init__(self, additions: Additions | None) -> None:
        self.additions = additions or Additions()
        self.broken: str | None = None
        self.full = False
        self.commits = Commits()
        self._known: Known = {}
        self._remembering: Bulk | None = None
        self._checkpoint_due = False
        self._changes = 0
        self._met_full = False

    def _commit(self, group: Jobs) -> None:
        """Run the jobs of a group and commit them together. Sets every job's outcome."""
        if not group:
            return
        began, self._met_full = perf_counter(), False
        try:
            if self.broken is not None:
                raise sqlite3.OperationalError(self.broken)
            self._writer.execute("BEGIN IMMEDIATE")
            gid: int = self._writer.execute("SELECT coalesce(max(gid), 0) + 1 FROM log").fetchone()[0]
            for repeatable, some in groupby(group, attrgetter("repeatable")):
                jobs = list(some)
                whole = len(jobs) == len(group)
                gid = self._run_together(jobs, gid, whole) if repeatable else self._run_alone(jobs, gid)
            changes = self._writer.total_changes
            self._writer.execute("COMMIT")
            self._checkpoint_due = True
            self.full = self._met_full or (self.full and changes == self._changes)
            self._changes = changes
            self.commits.jobs.observe(len(group))
            self.commits.seconds.observe(perf_counter() - began)
        except sqlite3.Error as error:
            self._known.clear()
            others = jobs_to_commit_again(group, error) if not self._writer.in_transaction else None
            if others is not None:
                self._commit(others)
            else:
                self._fail(group, error)

    def _run_together(self, jobs: Jobs, gid: int, whole: bool) -> int:
        """Run repeatable jobs in one savepoint; if one raises, all are undone and run one by one. Returns the next free
        gid.

        A savepoint for each would cost two more statements and a copy of every page that the job changes. If these
        jobs are the `whole` group, no savepoint is needed, because the transaction can be rolled back instead.
        """
        connection, first = self._writer, gid
        if len(jobs) == 1 and jobs[0].bulk is None:
            return self._run_alone(jobs, gid)
        if not whole:
            connection.execute("SAVEPOINT jobs")
        try:
            for bulk, same in groupby(jobs, attrgetter("bulk")):
                neighbours = list(same)
                gid = self._run_each(neighbours, gid) if bulk is None else self._run_bulk(bulk, neighbours, gid)
        except BaseException as error:
            if not connection.in_transaction:
                raise storage_error(error) or sqlite3.OperationalError(str(error)) from error
            for statement in ("ROLLBACK", "BEGIN IMMEDIATE") if whole else ("ROLLBACK TO jobs", "RELEASE jobs"):
                connection.execute(statement)
            for job in jobs:
                job.outcome, job.recorded = None, []
            return self._run_alone(jobs, first)
        if not whole:
            connection.execute("RELEASE jobs")
        return gid

    def _run_each(self, jobs: Jobs, gid: int) -> int:
        """Run jobs one after the other without a savepoint; returns the next free gid."""
        self._known.clear()
        for job in jobs:
            transaction = Transaction(self._writer, gid, self.additions.followers, self.additions.events)
            job.outcome = outcome.Value(finished(job.function(transaction)))
            job.recorded = transaction.recorded
            gid = transaction.next_gid
            self._check_in_transaction()
        return gid

    def _run_bulk(self, bulk: Bulk, jobs: Jobs, gid: int) -> int:
        """Run neighbours that have the same bulk in one go, without a savepoint; returns the next free gid.

        Each job gets its outcome as soon as its turn is over. So the first job without one is the one that was
        interrupted (`jobs_to_commit_again`).
        """
        if bulk is not self._remembering:  # one bulk may write what another remembers
            self._known.clear()
            self._remembering = bulk
        transaction = BulkTransaction(self._writer, gid, self.additions.followers, self.additions.events)
        recorded, taken = transaction.recorded, 0
        outcomes = bulk(transaction, self._known, [job.plan for job in jobs if job.plan is not None])
        # With `strict`, zip asks for one outcome too many, which runs the bulk to its end.
        for job, job.outcome in zip(jobs, outcomes, strict=True):
            job.recorded = recorded[taken:]
            taken = len(recorded)
            self._check_in_transaction()
        return transaction.next_gid

    def _check_in_transaction(self) -> None:
        """Raises if SQLite has rolled the transaction back and a job has hidden the error: no other job may begin."""
        if not self._writer.in_transaction:
            raise sqlite3.OperationalError("the transaction was rolled back")

    def _run_alone(self, jobs: Jobs, gid: int) -> int:
        """Run each job in a savepoint of its own; returns the next free gid."""
        self._known.clear()
        for job in jobs:
            gid = self._run_in_savepoint(job, gid)
        return gid

    def _run_in_savepoint(self, job: QueuedCall[Any], gid: int) -> int:
        """Run one job; returns the next free gid. What a failing job recorded is undone, its gids with it."""
        connection = self._writer
        transaction = Transaction(connection, gid, self.additions.followers, self.additions.events)
        connection.execute("SAVEPOINT job")
        try:
            job.outcome = outcome.Value(finished(job.function(transaction)))
            job.recorded = transaction.recorded
            gid = transaction.next_gid
        except BaseException as error:
            if not connection.in_transaction:
                # SQLite has rolled the whole transaction back, whatever the job raised: nothing of the group is stored.
                raise storage_error(error) or sqlite3.OperationalError(str(error)) from error
            full = is_full(storage_error(error))
            self._met_full = self._met_full or full
            job.outcome, job.recorded = outcome.Error(disk_full() if full else error), []
            connection.execute("ROLLBACK TO job")
        connection.execute("RELEASE job")
        return gid

    def _fail(self, group: list[QueuedCall[Any]], error: sqlite3.Error) -> None:
        self.commits.failures += 1
        if self._writer.in_transaction:
            self._writer.execute("ROLLBACK")
        if is_full(error):
            self.full = True
            refusal = disk_full()
            logger.error("the disk is full; refused %s", counted(len(group), "write"))
        else:
            if self.broken is None:
                logger.critical("storage failed and accepts no more writes: %s", error)
            self.broken = f"storage failed: {error}"
            refusal = Refusal("unavailable", "storage failed; the node must be restarted")
        for job in group:
            job.outcome = outcome.Error(refusal)
            job.recorded = []
