"""Jobs: what the node does by itself, every so often, one at a time in each lane: the node's own, and each plugin's.

A job that fails is logged, noted and tried again when its time comes; it never ends the node. When each ran last
is kept in the database, so that what is due once a week is done once a week however often the node is restarted.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import partial
from math import inf
from typing import TYPE_CHECKING

import attrs
import trio

from chatnode.concurrency import Signal
from chatnode.config import Config
from chatnode.errors import Refusal, StartError
from chatnode.logs import get_logger
from chatnode.model.times import now_ms
from chatnode.storage.node import jobs as storage
from chatnode.storage.node.jobs import LastRun

if TYPE_CHECKING:
    from chatnode.dispatch.core import Core

logger = get_logger("jobs")

FIRST_WITHIN_SECONDS = 120.0
"""What is due when the node starts is done within so long, not all at once and not while clients come back."""


RETRY_SECONDS = 3_600.0
"""What failed is tried again after so long, if it is not due sooner."""


QUIET_SECONDS = 300.0
"""How a job went that did nothing is written so seldom: one that looks around each second costs no writes."""


class JobFailed(Exception):
    """A job could not do what it is for, and the message says all there is to say."""


@attrs.frozen
class Job:
    """Something to be done every so often. `run` may return a few words on what it did.

    `every_seconds` may be read from the settings; 0 is never, except when an operator runs it. Jobs of one `lane` wait
    for one another, and for no others. A `run` that gives None did nothing, which is not worth a line of the log.
    """

    name: str
    every_seconds: float | Callable[[Config], float]
    run: Callable[[Core], Awaitable[str | None]]
    lane: str = ""

    def period(self, config: Config) -> float:
        return self.every_seconds(config) if callable(self.every_seconds) else self.every_seconds


class JobRunner:
    """The jobs of a node. `last` holds how each went, once it is loaded."""

    def __init__(self, core: Core, jobs: Iterable[Job] = ()) -> None:
        self._core = core
        self._jobs: dict[str, Job] = {}
        self._lanes: dict[str, trio.Lock] = {}
        self._wakes: dict[str, Signal] = {}
        self._woken: set[str] = set()
        self._noted_at: dict[str, float] = {}
        self._unnoted: dict[str, int] = {}
        self.running: dict[str, float] = {}
        """Since when each job has been running."""
        self.last: dict[str, LastRun] = {}
        for job in jobs:
            self.add(job)

    def add(self, job: Job) -> None:
        """Register a job; before `run_forever`."""
        if job.name in self._jobs:
            raise ValueError(f"two jobs are called {job.name}")
        self._jobs[job.name] = job
        self._lanes.setdefault(job.lane, trio.Lock())
        self._wakes.setdefault(job.lane, Signal())

    def __iter__(self) -> Iterator[Job]:
        return iter(self._jobs.values())

    def __getitem__(self, name: str) -> Job:
        """Raises `Refusal` when there is none of that name."""
        if name not in self._jobs:
            raise Refusal("not_found", f"no such job: {name[:80]!r}; jobs are {', '.join(self._jobs)}", path="job")
        return self._jobs[name]

    def wake(self, name: str) -> None:
        """Run a job as soon as its lane is free, rather than when it is due; once the node serves, if it does not yet.

        One that is running is run once more afterwards. Raises `Refusal` when there is none of that name.
        """
        lane = self[name].lane
        self._woken.add(name)
        self._wakes[lane].give()

    async def load(self) -> None:
        """Read how the jobs went last."""
        stored = await self._core.db.read(storage.last_runs)
        self.last = stored | {name: self.last[name] for name in self._unnoted}

    async def run_forever(self) -> None:
        """Run each job when it is due, until cancelled."""
        try:
            await self.load()
        except Exception:
            logger.exception("the last runs of the jobs could not be read; all jobs are due")
        async with trio.open_nursery() as nursery:
            for lane in self._lanes:
                nursery.start_soon(self._run_lane, lane)
            await trio.sleep_forever()

    async def _run_lane(self, lane: str) -> None:
        jobs = [name for name, job in self._jobs.items() if job.lane == lane]
        due = {name: trio.current_time() + wait for name in jobs if (wait := self._first_wait(name)) is not None}
        while True:
            due |= dict.fromkeys(self._woken.intersection(jobs), trio.current_time())
            name = min(due, key=due.__getitem__, default=None)
            if name is None or due[name] > trio.current_time():
                with trio.move_on_at(due[name] if name is not None else inf):
                    await self._wakes[lane].wait()
                continue
            self._woken.discard(name)
            await self.run(name)
            if period := self._period(name):
                due[name] = trio.current_time() + period * random.uniform(0.95, 1.05)
            else:
                del due[name]

    def _period(self, name: str) -> float:
        """Seconds between two runs; what failed is tried again sooner."""
        period = self._jobs[name].period(self._core.config)
        failed = name in self.last and not self.last[name].ok
        return min(period, RETRY_SECONDS) if failed else period

    def _first_wait(self, name: str) -> float | None:
        """Seconds until a job is due after the node has started; None for never."""
        period = self._period(name)
        if not period:
            return None
        soon = random.uniform(0, min(period, FIRST_WITHIN_SECONDS))
        if name not in self.last:
            return soon
        since = (now_ms() - self.last[name].at) / 1000
        return max(soon, min(period - since, period))  # no more than a period, wherever the clock was set to

    async def run(self, name: str) -> LastRun:
        """Run a job now, after the one that is running in its lane; notes and returns how it went.

        Raises only `Refusal`.
        """
        job = self[name]
        async with self._lanes[job.lane]:
            self.running[name] = trio.current_time()
            try:
                return await self._run(job)
            finally:
                del self.running[name]

    async def _run(self, job: Job) -> LastRun:
        began_at, began = now_ms(), trio.current_time()
        result: str | None
        try:
            ok, result = True, await job.run(self._core)
        except (JobFailed, StartError) as error:
            ok, result = False, str(error)
            logger.error("job %s failed: %s", job.name, error)
        except (Exception, SystemExit) as error:  # a plugin's may raise the latter, to nobody's harm but its own
            ok, result = False, f"{type(error).__name__}; see the log"
            logger.exception("job %s failed", job.name)
        seconds = round(trio.current_time() - began, 3)
        if result is not None and ok:
            logger.info("job %s: %s", job.name, result or "done")
        last = self.last.get(job.name)
        went = LastRun(
            began_at, seconds, ok, result or "",
            (last.runs if last else 0) + 1, (last.failures if last else 0) + (not ok),
        )  # fmt: skip
        self.last[job.name] = went
        self._unnoted[job.name] = self._unnoted.get(job.name, 0) + 1
        if result is not None or not (last and last.ok) or self._is_long_ago(job.name):
            await self._note(job.name, went)
        return self.last[job.name]

    def _is_long_ago(self, name: str) -> bool:
        return trio.current_time() - self._noted_at.get(name, -inf) >= QUIET_SECONDS

    async def _note(self, name: str, went: LastRun) -> None:
        """Write how a job went, and how often it ran since that was last written."""
        note = partial(storage.note, name=name, went=went, runs=self._unnoted[name])
        try:
            self.last[name] = await self._core.db.write(note)
        except Exception as error:  # as when the disk is full; it is known in memory all the same
            logger.warning("the outcome of job %s could not be stored: %s", name, error)
        else:
            self._unnoted.pop(name, None)
            self._noted_at[name] = trio.current_time()
