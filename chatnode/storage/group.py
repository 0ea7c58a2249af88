"""What the writer thread works on: jobs, and what it means when one fails."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import outcome
import trio

from chatnode.errors import Refusal
from chatnode.storage.transaction import Recorded

T = TypeVar("T")


class Job(Generic[T]):
    """A function on its way through a thread, and the task that waits for what it returns."""

    __slots__ = ("alone", "function", "outcome", "recorded", "repeatable", "task")

    def __init__(
        self,
        function: Callable[[Any], T],
        task: trio.lowlevel.Task | None,
        *,
        alone: bool = False,
        repeatable: bool = False,
    ) -> None:
        """`alone`: it gets the writing connection outside of any transaction. `repeatable`: see `Database.write`."""
        self.function = function
        self.repeatable = repeatable
        self.alone = alone
        self.task = task
        self.outcome: outcome.Outcome[T] | None = None
        self.recorded: list[Recorded] = []

    def resume(self) -> None:
        if self.task is not None and self.outcome is not None:
            task, self.task = self.task, None
            trio.lowlevel.reschedule(task, self.outcome)

    async def wait(self) -> T:
        def abort(_: object) -> trio.lowlevel.Abort:
            self.task = None
            return trio.lowlevel.Abort.SUCCEEDED

        return await trio.lowlevel.wait_task_rescheduled(abort)


def storage_error(error: BaseException | None) -> sqlite3.Error | None:
    """The error of SQLite that `error` is, or was raised while handling."""
    while error is not None and not isinstance(error, sqlite3.Error):
        error = error.__cause__ or error.__context__
    return error


def is_full(error: sqlite3.Error | None) -> bool:
    return error is not None and getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL


def disk_full() -> Refusal:
    return Refusal("unavailable", "the disk is full; nothing was stored", retry_after=5)
