"""Jobs: periodic work, one job at a time per lane. The node's own jobs share a lane; each plugin has one.

A failing job is logged, recorded and retried later; it never ends the node. The database keeps the last run of each,
so a weekly job runs weekly however often the node restarts.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import partial
from math import inf
from typing import TYPE_CHECKING

import trio

from chatnode.concurrency import Signal
from chatnode.config import Config
from chatnode.errors import Refusal, StartError
from chatnode.logs import get_logger
from chatnode.model.records import record
from chatnode.model.times import now_ms
from chatnode.storage.node import jobs as storage
from chatnode.storage.node.jobs import LastRun

if TYPE_CHECKING:
    from chatnode.dispatch.core import Core

logger = get_logger("jobs")

FIRST_WITHIN_SECONDS = 120.0
"""Jobs that are due at the start are spread over this time, while clients reconnect."""


RETRY_SECONDS = 3_600.0
"""A failed job is retried after this time, if it is not due sooner."""


QUIET_SECONDS = 300.0
"""The minimum interval between writes of outcomes where a job had nothing to do, so that frequent jobs do not cost
writes."""


class JobFailed(Exception):
    """A job failed for a known reason; the message explains it, without a traceback."""


@record(frozen=True)
class Job:
    """A job. `run` may return a short description of what it did; None means that there was nothing to do, which is
    not logged.

    `every_seconds` may depend on the settings; 0 means only when an operator runs it. Jobs of one `lane` run one at a
    time.
    """

    name: str
    every_seconds: float | Callable[[Config], float]
    run: Callable[[Core], Awaitable[str | None]]
    lane: str = ""

    def period(self, config: Config) -> float:
        return self.every_seconds(config) if callable(self.every_seconds) else self.every_seconds


class JobRunner:
    """Runs the jobs of a node. `last` has the last outcome of each, once loaded."""

    def __init__(self, core: Core, jobs: Iterable[Job] = ()) -> None:
        self._core = core
        self._jobs: dict[str, Job] = {}
        self._lanes: dict[str, trio.Lock] = {}
        self._wakes: dict[str, Signal] = {}
        self._woken: set[str] = set()
        self._noted_at: dict[str, float] = {}
        self._unnoted: dict[str, int] = {}
        self.running: dict[str, float] = {}
        """When each running job started."""
        self.last: dict[str, LastRun] = {}
        for job in jobs:
            self.add(job)

    def add(self, job: Job) -> None:
        """Register a job; call before `run_forever`."""
        if job.name in self._jobs:
            raise ValueError(f"two jobs are called {job.name}")
        self._jobs[job.name] = job
        self._lanes.setdefault(job.lane, trio.Lock())
        self._wakes.setdefault(job.lane, Signal())

    def __iter__(self) -> Iterator[Job]:
        return iter(self._jobs.values())

    def __getitem__(self, name: str) -> Job:
        """Raises `Refusal` if there is no such job."""
        if name not in self._jobs:
            raise Refusal("not_found", f"no such job: {name[:80]!r}; jobs are {', '.join(self._jobs)}", path="job")
        return self._jobs[name]

    def wake(self, name: str) -> None:
        """Run a job as soon as its lane is free (and the node serves) instead of when it is due.

        If it is running, it runs once more afterwards. Raises `Refusal` if there is no such job.
        """
        lane = self[name].lane
        self._woken.add(name)
        self._wakes[lane].notify()

    async def load(self) -> None:
        """Load the last outcomes of the jobs."""
        stored = await self._core.db.read(storage.last_runs)
        self.last = stored | {name: self.last[name] for name in self._unnoted}

    async def run_forever(self) -> None:
        """Run each job when it is due, until cancelled."""
        try:
            await self.load()
        except Exception:
            logger.exception("the last runs of jobs cannot be read; all jobs are due")
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
        """Seconds between two runs; shorter after a failure."""
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
        return max(soon, min(period - since, period))  # at most a period, even if the clock was set back

    async def run(self, name: str) -> LastRun:
        """Run a job now, after the one running in its lane; records and returns the outcome. Raises only `Refusal`."""
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
        except (Exception, SystemExit) as error:  # a plugin's job may raise the latter; contain it
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
        """Store the outcome of a job, and the number of runs since it was last stored."""
        note = partial(storage.record_run, name=name, went=went, runs=self._unnoted[name])
        try:
            self.last[name] = await self._core.db.write(note)
        except Exception as error:  # for example, the disk is full; the outcome stays in memory
            logger.warning("the outcome of job %s could not be stored: %s", name, error)
        else:
            self._unnoted.pop(name, None)
            self._noted_at[name] = trio.current_time()
