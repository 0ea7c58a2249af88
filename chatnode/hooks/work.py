"""Durable work of plugins: what a plugin declares, and what its function gets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from time import monotonic
from typing import Any, TypeVar, cast

import trio

from chatnode.concurrency import shielded
from chatnode.errors import WrongValue
from chatnode.hooks.context import Context
from chatnode.model.records import record
from chatnode.storage.engine.database import Database
from chatnode.storage.engine.finished import finished
from chatnode.storage.engine.lane import timed
from chatnode.storage.engine.steps import Steps
from chatnode.storage.engine.transaction import Transaction, Write
from chatnode.storage.work import work as storage
from chatnode.storage.work.work import EndedWork, StoredWork

T = TypeVar("T")

RATE_SECONDS = 10.0
"""A rate is that of about the last so many seconds."""


@record(frozen=True)
class WorkKind:
    """A kind of durable work, which `ctx.start_work` starts by its `name`.

    `run` gets the plugin's context, without a requester, and the work item; what it returns is the result. It is called
    again after a failure or a crash of the node, and resumes from `work.state`. Without effect outside of `work.write`,
    everything is done exactly once. Pausing, cancelling and stopping the node cancel it at its next `await`. If it goes
    on for 3 seconds after that, because it catches `trio.Cancelled`, it is ended by force and reported.

    If it raises `Refusal`, the item fails, with the message as the reason; other exceptions are failures of an attempt.
    After `tries` of them the item has failed; before that it is retried, after a wait of up to five minutes. A full
    disk and `Refusal("unavailable")` are not counted: the item waits until that has passed. Up to `at_once` items of
    the kind run at the same time. `title` is what users see if the item has no title of its own.

    Arguments and state are deleted when an item is done or cancelled; the result is kept for `work.keep_days`. Until
    then, `change_work_arguments` removes what the arguments say of a user or a contact that is erased.

    `ended` is called in the transaction in which an item ends, for whatever reason, for what must be atomic with that,
    and to clean up after a cancelled one; not when the owner is erased, nor while the plugin does not run. It may take
    `plugins.transaction_seconds`. If it fails, that is reported, its writes are rolled back, and the item has ended.
    """

    name: str
    run: Callable[[Context, Work], Awaitable[Mapping[str, Any] | None]]
    title: str
    tries: int = 5
    at_once: int = 1
    ended: Callable[[Transaction, EndedWork], None] | None = None


class Work:
    """A work that runs. `state` is the checkpoint that was stored last, None before the first; `owner` is the key of
    the user whose work it is, or None; `attempt` counts from 1.

    `done` and `total` are the progress that was stored last.
    """

    def __init__(self, db: Database, found: StoredWork, scope: trio.CancelScope, tell: Callable[[Work], None]) -> None:
        self.id = found.id
        self.kind = found.kind
        self.title = found.title
        self.owner = found.owner
        self.resource = found.resource.partition(":")[2] if found.resource is not None else None
        self.arguments: Mapping[str, Any] = found.arguments
        self.state = found.state
        self.attempt = found.failures + 1
        self.done = found.done
        self.total = found.total
        self.rate: float | None = None
        self._key = found.key
        self._db = db
        self._scope = scope
        self._tell = tell
        self._wrote = 0.0  # seconds
        self._pace = _Pace(found.done)
        self._to_note: _Noted | None = None

    async def write(self, function: Write[T]) -> T:
        """Run `function` in a transaction on the low-priority lane: other writes do not wait for it.

        It runs only while the work does: after the work was paused or cancelled, nothing is written, and this ends the
        run. It should be short; `slices` says how many rows it may write. Raises what the function raised, and
        `Refusal("unavailable")` while nothing can be written.
        """

        def run(tx: Transaction) -> tuple[bool, T | None, _Noted | None]:
            self._to_note = None
            if not storage.is_running(tx, self._key):
                return False, None, None
            return True, finished(function(tx)), self._to_note

        # Shielded, so that nothing of it is waiting to be written when the run has ended.
        (ran, result, noted), seconds = await shielded(lambda: self._db.write(lambda tx: timed(run, tx), low=True))
        self._wrote += seconds
        if not ran:
            self._scope.cancel()
        elif noted is not None:
            self._take(noted)
        await trio.lowlevel.checkpoint()
        return cast("T", result)

    def _take(self, noted: _Noted) -> None:
        self.done, self.total, self.rate = noted.done, noted.total, self._pace.took(noted.done)
        if noted.state is not None:
            self.state = noted.state
        self._tell(self)

    def note(
        self,
        tx: Transaction,
        *,
        done: int | None = None,
        total: int | None = None,
        state: Mapping[str, Any] | None = None,
    ) -> None:
        """Store progress and a checkpoint in the transaction of `write`: both are there if what it wrote is.

        What is not given stays as it is. Raises `ValueError` if the state is not JSON or has more than 1 MiB, and if
        `done` or `total` is not an integer of 0 or more.
        """
        for name, number in (("done", done), ("total", total)):
            if number is not None and (type(number) is not int or number < 0):
                raise WrongValue(f"`{name}` of a work item must be an integer of 0 or more")
        before = self._to_note or _Noted(self.done, self.total, None)
        noted = _Noted(
            before.done if done is None else done,
            before.total if total is None else total,
            before.state if state is None else dict(state),
        )
        storage.note(tx, self._key, noted.done, noted.total, self._pace.rate(noted.done), noted.state)
        self._to_note = noted

    def slices(self, most: int = 1_000) -> Iterator[int]:
        """How many rows to write next, without end: as many as take 2 ms while others write, up to `most` otherwise.

        It learns from the time that the writes between two sizes took.

            for size in work.slices():
                rows = take(size)
                if not rows:
                    break
                await work.write(lambda tx: add(tx, rows))
        """
        steps = Steps(self._db, most)
        while True:
            before, size = self._wrote, steps.size
            yield size
            steps.took(size, self._wrote - before)


@record(frozen=True)
class _Noted:
    """What a transaction has noted."""

    done: int
    total: int | None
    state: dict[str, Any] | None


class _Pace:
    """How fast a work gets on."""

    def __init__(self, done: int) -> None:
        self._at, self._done = monotonic(), done
        self._before: tuple[float, int] | None = None

    def rate(self, done: int) -> float | None:
        """Of the time since the last but one of the points that are `RATE_SECONDS` apart; None at the very start."""
        at, from_ = self._before or (self._at, self._done)
        took = monotonic() - at
        return round(max(0, done - from_) / took, 3) if took >= 0.5 else None

    def took(self, done: int) -> float | None:
        """Take note of what was stored; returns the rate."""
        rate = self.rate(done)
        if monotonic() - self._at >= RATE_SECONDS:
            self._before = (self._at, self._done)
            self._at, self._done = monotonic(), done
        return rate
