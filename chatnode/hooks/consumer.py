"""A plugin's consumer: reads the log from its cursor, and sets aside rows that it fails on.

The work on rows and the move of the cursor are one transaction. The move requires that the cursor is still where it was
when the rows were read, so nothing is done twice, even if the cursor was moved meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from enum import Enum, auto
from functools import partial
from time import perf_counter
from typing import Any, cast

import trio

from chatnode.concurrency import Backoff, behind_barrier
from chatnode.config import Plugins as Settings
from chatnode.errors import Refusal, WrongKind
from chatnode.hooks.guard import describe_error
from chatnode.hooks.manager import Loaded, Manager
from chatnode.hooks.plugin import Consumer
from chatnode.hooks.transient_errors import is_transient
from chatnode.hooks.unwilling import Stop, run_cancellable
from chatnode.logs import get_logger
from chatnode.model.plugins import SetAside
from chatnode.storage.engine.database import Database
from chatnode.storage.engine.deadlines import budget
from chatnode.storage.engine.finished import finished
from chatnode.storage.engine.row import Row
from chatnode.storage.engine.transaction import Transaction, Write
from chatnode.storage.log import consumers as storage
from chatnode.storage.log.consumers import Moved, Name

logger = get_logger("plugins")

KEPT_IN_MEMORY = 10_000
"""Maximum number of rows without an effect to read again after a crash; this saves writes of the cursor."""


class ReadOutcome(Enum):
    """The outcome of reading the log once."""

    WENT_ON = auto()
    CAUGHT_UP = auto()
    SET_ASIDE = auto()
    FAILED = auto()
    HELD_UP = auto()
    """It could not continue, for a reason other than a row: the disk is full, the node is stopping, or something it
    needs is unavailable."""


class NotSetAside(Exception):
    """The row was processed or dismissed meanwhile; processing it now would be a repeat."""


class RunningConsumer:
    """`cursor`: the last processed gid. `failing`: what it currently fails on, and why."""

    def __init__(self, db: Database, plugins: Manager, loaded: Loaded, consumer: Consumer, stop: Stop) -> None:
        self.name: Name = (loaded.plugin.name, consumer.name)
        self.consumer = consumer
        self.cursor = 0
        self.set_aside = 0
        self.failing: str | None = None
        self.newest = 0
        """The newest gid it knows of."""
        self.opened_at: int | None = None
        """The newest gid when the node was opened, if it could be read then."""
        self._db = db
        self._plugins = plugins
        self._context = loaded.context
        self._settings: Settings = plugins.config.plugins
        self._one_at_a_time = trio.Lock()
        self._stop = stop
        self._known = False
        self._stored = 0
        self._caught_up = False
        self._first_wanted: int | None = None
        self._wanted = trio.Event()
        self._moved = trio.Event()
        self._alone_until = 0
        self._tries = 0

    # ---- notifications, on the trio thread

    def wanted(self, gid: int) -> None:
        """Wake up: a row for it was committed."""
        if self._first_wanted is None:
            self._first_wanted = gid
            self._wanted.set()

    def moved(self) -> None:
        """Handle a cursor that was moved in the database."""
        self._known = self._caught_up = False
        self._wanted.set()
        self._moved.set()

    def place(self, head: int) -> int:
        """Its position, when the log ends at `head`: `head` itself if it has processed every row for it."""
        return max(self.cursor, head) if self._caught_up and self._first_wanted is None else self.cursor

    # ---- going on

    async def run(self) -> None:
        """Until cancelled."""
        backoff = Backoff()
        try:
            while True:
                step = await self.step()
                if step in (ReadOutcome.FAILED, ReadOutcome.HELD_UP):
                    with trio.move_on_after(backoff.next_wait()):
                        await self._moved.wait()
                elif step is not ReadOutcome.SET_ASIDE:
                    backoff.reset()
                if step is ReadOutcome.CAUGHT_UP:
                    await self._wanted.wait()
                    await trio.sleep(self.consumer.pause)
        finally:
            with trio.CancelScope(shield=True):
                await self.keep_place()

    async def step(self) -> ReadOutcome:
        """Process the next rows, after a step under way. Raises nothing."""
        taken: list[ReadOutcome] = []

        async def take() -> None:
            taken.append(await self._step())

        async with self._one_at_a_time:
            error = await behind_barrier(take)
        if isinstance(error, Moved):
            self.moved()
            return ReadOutcome.WENT_ON
        if error is not None:
            self.failing = f"cannot read the log: {describe_error(error)}"
            logger.warning("the consumer %s of the plugin %s %s", self.name[1], self.name[0], self.failing)
            return ReadOutcome.HELD_UP
        return taken[0]

    async def load(self) -> None:
        """Load its position, or create it if the consumer is new: where the log ended when the node was opened, even if
        this succeeds later."""
        found = (await self._db.read(storage.places)).get(self.name)
        if found is None:
            begin = partial(storage.begin, consumers={self.name: self.consumer.from_start}, head=self.opened_at)
            found = (await self._db.write(begin))[self.name]
        self.cursor = self._stored = found.cursor
        self.set_aside = found.set_aside
        self._alone_until = self._tries = 0
        self._known = True

    async def keep_place(self) -> None:
        """Store its position, if it has advanced."""
        if self._known and self.cursor > self._stored:
            await behind_barrier(self._write_place)

    async def _write_place(self) -> None:
        cursor, stored = self.cursor, self._stored
        await self._db.write(lambda tx: storage.move(tx, self.name, stored, cursor))
        self._stored = cursor

    async def _step(self) -> ReadOutcome:
        first, self._first_wanted = self._first_wanted, None
        if self._wanted.is_set():  # else a task may wait for it
            self._wanted = trio.Event()
        if self._moved.is_set():
            self._moved = trio.Event()
        if not self._known:
            await self.load()
        elif self._caught_up and first is not None:
            self.cursor = max(self.cursor, first - 1)  # there was nothing for it in between
        self._caught_up = False
        most = 1 if self.cursor < self._alone_until else self.consumer.most
        wanted = self.consumer
        find = partial(storage.pending, cursor=self.cursor, kinds=wanted.kinds, most=most, where=wanted.where)
        batch = await self._db.read(find)
        self.newest = batch.head
        if batch.rows:
            step = await self._process_or_set_aside(batch.rows, batch.reached)
            if step not in (ReadOutcome.WENT_ON, ReadOutcome.SET_ASIDE):
                return step
        else:
            step, self.failing = ReadOutcome.WENT_ON, None
            self.cursor = batch.reached
            if self.cursor - self._stored >= KEPT_IN_MEMORY:
                await self._write_place()
        self._caught_up = self._known and self.cursor >= batch.head
        return ReadOutcome.CAUGHT_UP if self._caught_up and step is ReadOutcome.WENT_ON else step

    async def _process_or_set_aside(self, rows: Sequence[Row], upto: int) -> ReadOutcome:
        """Process rows, or set one aside that fails repeatedly."""
        error = await behind_barrier(partial(self._process, rows, self._stored, upto))
        if error is None:
            self.failing = None
            return ReadOutcome.WENT_ON
        if isinstance(error, Moved):
            raise error
        self.failing = f"{_named(rows)}: {describe_error(error)}"
        if is_transient(error):
            logger.warning("the consumer %s of the plugin %s waits: %s", self.name[1], self.name[0], self.failing)
            return ReadOutcome.HELD_UP
        self._plugins.report(self.name[0], f"consumer {self.name[1]}", f"failed on {self.failing}", error)
        if len(rows) > 1:
            self._alone_until = rows[-1].gid
            return ReadOutcome.FAILED
        self._tries += 1
        if self._tries < self._settings.consumer_tries:
            return ReadOutcome.FAILED
        await self._set_aside_row(rows[0], error, upto)
        return ReadOutcome.SET_ASIDE

    async def _process(self, rows: Sequence[Row], expected: int, upto: int) -> None:
        effect = await self._effect(rows)
        if effect is None and self._may_read_again(upto):
            self.cursor, self._tries = upto, 0
            return
        write = partial(self._apply, effect, rows, expected, upto)
        took, taken_back = await self._db.write(write, repeatable=True)
        self._went_on(upto)
        self.set_aside -= taken_back
        self._warn_if_slow(took)

    def _may_read_again(self, upto: int) -> bool:
        """Whether rows without an effect may be read again after a crash, so that the place need not be stored."""
        return self.consumer.repeatable and not self.set_aside and upto - self._stored < KEPT_IN_MEMORY

    async def _effect(self, rows: Sequence[Row]) -> Write[object] | None:
        effect: Any = await run_cancellable(
            partial(self.consumer.consume, self._context, rows),
            self._stop.was_called,
            partial(self._plugins.report, self.name[0], f"consumer {self.name[1]}"),
        )
        if effect is not None and not callable(effect):
            raise WrongKind("a consumer returns a function of the transaction, or None")
        return cast("Write[object] | None", effect)

    def _apply(
        self, effect: Write[object] | None, rows: Sequence[Row], expected: int, upto: int, tx: Transaction
    ) -> tuple[float, int]:
        """In the writer thread: the work and the move of the cursor. Returns how long the work took."""
        took = self._carry_out(effect, tx)
        taken_back = storage.take_back(tx, self.name, rows[0].gid - 1, rows[-1].gid) if self.set_aside else 0
        storage.move(tx, self.name, expected, upto)
        return took, taken_back

    def _carry_out(self, effect: Write[object] | None, tx: Transaction) -> float:
        began = perf_counter()
        if effect is not None:
            with budget(tx, self._settings.transaction_seconds, time.thread_time):
                finished(effect(tx))
        return perf_counter() - began

    def _warn_if_slow(self, took: float) -> None:
        if took > self._settings.transaction_seconds:
            what = f"took {took:.3f} s of at most {self._settings.transaction_seconds:g} in a transaction"
            self._plugins.report(self.name[0], f"consumer {self.name[1]}", what)

    async def _set_aside_row(self, row: Row, error: BaseException, upto: int) -> None:
        stored, tries = self._stored, self._tries

        def write(tx: Transaction) -> bool:
            storage.move(tx, self.name, stored, upto)
            return storage.set_aside(tx, self.name, row, tries, describe_error(error))

        self.set_aside += await self._db.write(write)
        self._went_on(upto)
        logger.error(
            "the consumer %s of the plugin %s failed %d times on gid %d, %s, and skipped it: %s",
            self.name[1], self.name[0], tries, row.gid, row.kind, describe_error(error), exc_info=error,
        )  # fmt: skip

    def _went_on(self, upto: int) -> None:
        self.cursor = self._stored = upto
        self._tries = 0

    # ---- what was set aside

    async def retry(self, row: Row, entry: SetAside) -> str | None:
        """Retry a row that was set aside, after the current rows; returns the failure, or None.

        Raises `Refusal`: `not_found` if it is no longer set aside, `unavailable` if it failed for a reason other than
        the row.
        """
        async with self._one_at_a_time:
            error = await behind_barrier(partial(self._process_again, row))
            if error is None:
                return None
            if isinstance(error, NotSetAside):
                raise Refusal("not_found", "the row was processed or dismissed in the meantime", path="entry")
            if is_transient(error):
                raise Refusal("unavailable", "the consumer is busy; try again", retry_after=5)
            what = describe_error(error)
            self._plugins.report(self.name[0], f"consumer {self.name[1]}", f"failed on {_named([row])}: {what}", error)
            await self._db.write(lambda tx: storage.failed_again(tx, entry.entry, what))
            return what

    async def _process_again(self, row: Row) -> None:
        effect = await self._effect([row])

        def write(tx: Transaction) -> float:
            if not storage.take_back(tx, self.name, row.gid - 1, row.gid):
                raise NotSetAside
            return self._carry_out(effect, tx)

        took = await self._db.write(write, repeatable=True)
        self.set_aside -= 1
        self._warn_if_slow(took)


def _named(rows: Sequence[Row]) -> str:
    if len(rows) == 1:
        return f"gid {rows[0].gid}, {rows[0].kind}"
    return f"{len(rows)} rows from gid {rows[0].gid} on"
