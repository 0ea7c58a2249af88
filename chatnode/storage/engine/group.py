"""What the writer thread works on: jobs, and what it means when one fails."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

import outcome
import trio

from chatnode.errors import Refusal
from chatnode.logs import get_logger
from chatnode.storage.engine.connection import was_interrupted
from chatnode.storage.engine.transaction import Committed, PlannedWrite

T = TypeVar("T")
logger = get_logger("storage")


class QueuedCall(Generic[T]):
    """A function queued for a thread, and what gets its outcome: a task that waits, or a callback."""

    __slots__ = ("alone", "bulk", "callback", "function", "outcome", "plan", "recorded", "repeatable", "task")

    def __init__(
        self,
        function: Callable[[Any], T],
        task: trio.lowlevel.Task | None,
        *,
        alone: bool = False,
        repeatable: bool = False,
        callback: Callable[[outcome.Outcome[T]], object] | None = None,
        plan: PlannedWrite[T] | None = None,
    ) -> None:
        """`alone`: it gets the writing connection outside of any transaction. `repeatable`: see `Database.write`."""
        self.function = function
        self.plan = plan
        self.bulk = plan.bulk if plan is not None else None
        self.callback = callback
        self.repeatable = repeatable
        self.alone = alone
        self.task = task
        self.outcome: outcome.Outcome[T] | None = None
        self.recorded: list[Committed] = []

    def resume(self) -> None:
        """Hand the outcome over, on the trio thread. An exception of a callback is logged and stops no other."""
        if self.callback is not None and self.outcome is not None:
            callback, self.callback = self.callback, None
            try:
                callback(self.outcome)
            except Exception:
                logger.exception("the result of a database call could not be delivered")
        if self.task is not None and self.outcome is not None:
            task, self.task = self.task, None
            trio.lowlevel.reschedule(task, self.outcome)

    def wait(self) -> Awaitable[T]:
        """Not a coroutine function: each coroutine between a task and trio makes every wake-up of the task slower."""

        def abort(_: object) -> trio.lowlevel.Abort:
            self.task = None
            return trio.lowlevel.Abort.SUCCEEDED

        return trio.lowlevel.wait_task_rescheduled(abort)  # noqa: ASYNC105


def jobs_to_commit_again(group: list[QueuedCall[Any]], error: sqlite3.Error) -> list[QueuedCall[Any]] | None:
    """The jobs of a group to commit again after a plugin's statement was interrupted; None if that is not the cause.

    SQLite undoes the whole transaction with a statement that writes and is cut. A job that has run already and cannot
    be run again is refused: nothing of it is stored, and it may be requested again.
    """
    cut = next((job for job in group if job.outcome is None), None)
    if cut is None or not was_interrupted(error):
        return None
    others: list[QueuedCall[Any]] = []
    for job in group:
        job.recorded = []
        if job is cut:
            job.outcome = outcome.Error(error.__cause__ or error)
        elif job.outcome is None or job.repeatable:
            job.outcome = None
            others.append(job)
        elif isinstance(job.outcome, outcome.Value):
            refusal = Refusal("unavailable", "a plugin took too long in the same commit; try again", retry_after=1)
            job.outcome = outcome.Error(refusal)
    return others


def storage_error(error: BaseException | None) -> sqlite3.Error | None:
    """The error of SQLite that `error` is, or was raised while handling."""
    while error is not None and not isinstance(error, sqlite3.Error):
        error = error.__cause__ or error.__context__
    return error


def is_full(error: sqlite3.Error | None) -> bool:
    return error is not None and getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL


def disk_full() -> Refusal:
    return Refusal("unavailable", "the disk is full; nothing was stored", retry_after=5)
