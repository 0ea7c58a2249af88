"""The works of a node: starts those that are due, and settles how each run ended.

They run beside each other and apart from the node's jobs, while the node serves. A work whose plugin does not run
waits. What is promised:

- A work runs once at a time; of those with the same resource, one does. Its run has ended, and everything that the run
  handed to the database is written, before the work or the resource is taken again.
- A node that is stopped lets its works wait, and one that died finds them running: both go on from the checkpoint.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from math import inf
from typing import Any

import attrs
import trio

from chatnode.concurrency import Backoff, behind_barrier, shielded
from chatnode.counting import counted
from chatnode.dispatch.core import Core
from chatnode.errors import Refusal
from chatnode.hooks.guard import describe_error
from chatnode.hooks.manager import Loaded, Manager
from chatnode.hooks.transient_errors import is_transient
from chatnode.hooks.unwilling import Stop, run_cancellable
from chatnode.hooks.work import Work, WorkKind
from chatnode.logs import get_logger
from chatnode.model.ephemeral import WorkProgress
from chatnode.model.events import WorkChanged
from chatnode.model.records import record
from chatnode.model.times import now_ms
from chatnode.protocol.envelopes import ephemeral_frame
from chatnode.routing import ephemeral
from chatnode.routing.sessions import SessionRegistry
from chatnode.storage.engine.transaction import Committed, Recorded, Transaction
from chatnode.storage.work import work as storage
from chatnode.storage.work.work import StoredWork

logger = get_logger("work")

FIRST_WAIT_SECONDS = 1.0
"""How long a work waits after its first failure; twice as long after each further one."""
LONGEST_WAIT_SECONDS = 300.0
HELD_UP_SECONDS = 5.0
"""How long it waits when something that passes was in the way, such as a full disk."""
LOOK_SECONDS = 60.0
_SET_BACK_MS = 60_000
"""Less is a clock that is kept right."""
"""After this time it looks again when the next work may start, as the clock may have been set."""
PUSH_SECONDS = 0.5
"""The minimum interval between two pushes of a work's progress."""


@record(frozen=True)
class _Kind:
    loaded: Loaded
    kind: WorkKind


@attrs.define(eq=False)
class _Run:
    """A work that runs now. `scope` is cancelled when its status has changed."""

    found: StoredWork
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    pushed_at: float = -inf
    push_is_due: bool = False


class Works:
    """Created when the node is open; the works run while `run` runs, or in `run_due`."""

    def __init__(self, core: Core, plugins: Manager) -> None:
        self._core = core
        self._db = core.db
        self._plugins = plugins
        self.kinds = {
            f"{loaded.plugin.name}.{kind.name}": _Kind(loaded, kind)
            for loaded in plugins
            for kind in loaded.plugin.works
        }
        self._runs: dict[str, _Run] = {}
        self._woken = trio.Event()
        self._running = False
        self._stop = Stop()
        self._recovered = False
        self._seen_ms: int | None = None
        self._ahead_ms = 0

    def __len__(self) -> int:
        """How many run now."""
        return len(self._runs)

    def committed(self, recorded: list[Committed]) -> None:
        """Look at what was committed. Part of the commit listener: never raises or blocks."""
        for each in recorded:
            if isinstance(each, Recorded) and isinstance(each.event, WorkChanged):
                self._woken.set()
                found = self._runs.get(each.event.work.work)
                if found is not None and each.event.work.status != "running":
                    found.scope.cancel()

    # ---- running

    async def run(self) -> None:
        """Until cancelled. Raises `RuntimeError` when they are run already."""
        backoff = Backoff()
        with self._alone():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._stop.wait)
                while True:
                    self._woken = trio.Event()
                    wait = await self._start_or_wait(nursery, backoff)
                    with trio.move_on_after(wait):
                        await self._woken.wait()

    async def run_due(self, ahead_seconds: float = 0.0) -> None:
        """Run what is due, or will be in so many seconds, and what becomes due by that, to its end.

        Raises `RuntimeError` when they are run already, as they are in a node that serves.
        """
        with self._alone():
            self._ahead_ms = int(ahead_seconds * 1000)
            try:
                async with trio.open_nursery() as nursery:
                    while True:
                        self._woken = trio.Event()
                        await self._start_due(nursery)
                        if self._runs:
                            await self._woken.wait()
                        elif not self._woken.is_set():  # else one has ended meanwhile, which others may have waited for
                            return
            finally:
                self._ahead_ms = 0

    @contextmanager
    def _alone(self) -> Generator[None]:
        """Two that start works would begin the same one."""
        if self._running:
            raise RuntimeError("the work of this node is already running")
        self._running = True
        try:
            yield
        finally:
            self._running = False

    async def _start_or_wait(self, nursery: trio.Nursery, backoff: Backoff) -> float:
        """Start what is due; returns the seconds until something else is."""
        found: list[float] = []

        async def start() -> None:
            found.append(await self._start_due(nursery))

        error = await behind_barrier(start)
        if error is None:
            backoff.reset()
            return found[0]
        logger.error("work cannot be started now: %s", describe_error(error))
        return backoff.next_wait()

    async def _start_due(self, nursery: trio.Nursery) -> float:
        if not self._recovered:
            await self._recover()
        await self._heed_clock()
        while (begun := await self._begin_next()) is not None:
            found = _Run(begun)
            self._runs[begun.id] = found
            nursery.start_soon(self._carry_out, found, nursery)
        now = now_ms()
        at = await self._db.read(lambda reader: storage.next_at(reader, now))
        return min((at - now) / 1000, LOOK_SECONDS) if at is not None else inf

    async def _recover(self) -> None:
        recover = partial(storage.interrupted, first=FIRST_WAIT_SECONDS, most=LONGEST_WAIT_SECONDS)
        if await self._db.read(storage.any_running):
            count = await self._db.write(recover)
            logger.info("resuming %s interrupted by a crash", counted(count, "work item"))
        self._recovered = True

    async def _heed_clock(self) -> None:
        """When the clock was set back, and at the start, look for work that waits for a time of the wrong clock."""
        now = now_ms()
        if self._seen_ms is None or now < self._seen_ms - _SET_BACK_MS:
            await self._db.write(storage.bring_forward)
        self._seen_ms = now

    async def _begin_next(self) -> StoredWork | None:
        """The next work that is due, which is stored as running now."""
        if len(self._runs) >= self._core.config.work.at_once:
            return None
        running = [each.found for each in self._runs.values()]
        kinds = [
            name for name, each in self.kinds.items() if sum(one.kind == name for one in running) < each.kind.at_once
        ]
        busy = [one.resource for one in running if one.resource is not None]
        now = now_ms() + self._ahead_ms
        find = partial(storage.next_due, kinds=kinds, busy=busy, without=[one.key for one in running], now=now)
        found = await self._db.read(find)
        if found is None:
            return None

        def begin(tx: Transaction) -> StoredWork | None:
            again = find(tx)  # its status may have changed since it was read
            if again is not None:
                storage.begin(tx, again.key)
            return again

        return await self._db.write(begin)

    async def _carry_out(self, run: _Run, nursery: trio.Nursery) -> None:
        try:
            await self._run(run, nursery)
        finally:
            del self._runs[run.found.id]
            self._woken.set()

    async def _run(self, run: _Run, nursery: trio.Nursery) -> None:
        found, each = run.found, self.kinds[run.found.kind]
        if not await self._db.read(lambda reader: storage.is_running(reader, found.key)):
            return  # it was paused or cancelled before a commit could stop this run
        work = Work(self._db, found, run.scope, partial(self._progressed, run, nursery))
        results: list[Any] = []

        def is_cancelled() -> bool:
            return run.scope.cancel_called or self._stop.was_called()

        report = partial(self._plugins.report, each.loaded.plugin.name, f"work {each.kind.name}")

        async def call() -> None:
            start = partial(each.kind.run, each.loaded.context, work)
            results.append(await run_cancellable(start, is_cancelled, report))

        error: BaseException | None = None
        try:
            with run.scope:
                error = await behind_barrier(call)
        except BaseException:  # the node is stopping
            await behind_barrier(
                lambda: self._write(lambda tx: storage.try_again(tx, found.key, None, now_ms(), failed=False))
            )
            raise
        if run.scope.cancelled_caught:
            await self._settle(lambda tx: None)  # what it handed over with `ctx.write` is written then
        elif error is None:
            await self._finish(found, each, results[0])
        else:
            await self._failed(found, each, error)

    async def _finish(self, found: StoredWork, each: _Kind, result: Any) -> None:
        try:
            storage.as_json("result", result if result is not None else {})
        except ValueError as error:
            await self._failed(found, each, error)
        else:
            await self._settle(lambda tx: storage.finish(tx, found.key, result))

    async def _failed(self, found: StoredWork, each: _Kind, error: BaseException) -> None:
        if isinstance(error, Refusal) and not error.temporary:
            await self._settle(lambda tx: storage.fail(tx, found.key, error.message))
            return
        what = error.message if isinstance(error, Refusal) else describe_error(error)
        if is_transient(error):
            logger.warning("work item %s, %s, waits: %s", found.id, found.kind, what)
            wait = min(getattr(error, "retry_after", None) or HELD_UP_SECONDS, storage.MOST_WAIT_SECONDS)
            at = now_ms() + int(1000 * wait)
            await self._settle(lambda tx: storage.try_again(tx, found.key, what, at, failed=False))
            return
        self._plugins.report(each.loaded.plugin.name, f"work {each.kind.name}", what, error)
        if found.failures + 1 >= each.kind.tries:
            await self._settle(lambda tx: storage.fail(tx, found.key, what))
            return
        wait = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0**found.failures) * random.uniform(0.5, 1.0)
        at = now_ms() + int(1000 * wait)
        await self._settle(lambda tx: storage.try_again(tx, found.key, what, at, failed=True))

    async def _settle(self, write: Callable[[Transaction], object]) -> None:
        """Store how a run ended, as soon as the database takes it. It is not the caller's to repeat."""
        backoff = Backoff(first=1.0)
        while (error := await behind_barrier(lambda: self._write(write))) is not None:
            logger.error("the outcome of a work item could not be stored yet: %s", describe_error(error))
            await trio.sleep(backoff.next_wait())

    async def _write(self, write: Callable[[Transaction], object]) -> None:
        await shielded(lambda: self._db.write(write))

    # ---- progress

    def _progressed(self, run: _Run, nursery: trio.Nursery, work: Work) -> None:
        if run.found.owner is None or run.push_is_due:
            return
        wait = run.pushed_at + PUSH_SECONDS - trio.current_time()
        if wait <= 0:
            self._push(run, work)
        else:
            run.push_is_due = True
            nursery.start_soon(self._push_later, run, work, wait)

    async def _push_later(self, run: _Run, work: Work, wait: float) -> None:
        await trio.sleep(wait)
        run.push_is_due = False
        if self._runs.get(work.id) is run:
            self._push(run, work)

    def _push(self, run: _Run, work: Work) -> None:
        run.pushed_at = trio.current_time()
        event = WorkProgress(work.id, work.done, work.total, work.rate)
        if run.found.owner is not None:
            ephemeral.push(self._core.part(SessionRegistry), ephemeral_frame(event), (run.found.owner,), ())
