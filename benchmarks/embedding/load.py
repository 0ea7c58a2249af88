"""What the ways have in common: how often something is done in a time, how long it takes, and what it costs."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from attrs import define, frozen

from benchmarks.scenario import Figures
from chatnode.config import Config, Limits

AT_A_TIME = 100
TEXT = "x" * 80
CONFIG = Config(
    limits=Limits(
        posts_per_minute=0, changes_per_minute=0, logins_per_minute=0, requests_per_minute=0, statuses_per_minute=0
    )
)
Run = Callable[[], Awaitable[object]]


@frozen
class Rate:
    """How often something was done, and the CPU time of the whole process for each, in microseconds."""

    per_second: float
    cpu_us: float


@define
class Meter:
    """Counts until its time is over."""

    seconds: float
    count: int = 0

    def start(self) -> None:
        self.count, self._cpu = 0, time.process_time()
        self._began = time.perf_counter()
        self._end = self._began + self.seconds

    _began: float = 0.0
    _end: float = 0.0
    _cpu: float = 0.0

    @property
    def running(self) -> bool:
        return time.perf_counter() < self._end

    def rate(self, count: int | None = None) -> Rate:
        done = self.count if count is None else count
        return Rate(done / (time.perf_counter() - self._began), (time.process_time() - self._cpu) / done * 1e6)

    async def repeat(self, run: Run) -> None:
        """For one of several tasks, on trio or on asyncio."""
        while self.running:
            await run()
            self.count += 1


async def one_at_a_time(seconds: float, run: Run) -> list[float]:
    """The times that it takes, in ms, sorted."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    while (begin := time.perf_counter()) < end:
        await run()
        times.append((time.perf_counter() - begin) * 1000)
    return sorted(times)


async def many_at_a_time(seconds: float, run: Run) -> Rate:
    """On asyncio: `AT_A_TIME` tasks do it one time after the other."""
    meter = Meter(seconds)
    meter.start()
    await asyncio.gather(*(meter.repeat(run) for _ in range(AT_A_TIME)))
    return meter.rate()


def quantiles(name: str, times: list[float]) -> Figures:
    return {f"{name}_p50": times[len(times) // 2], f"{name}_p99": times[len(times) * 99 // 100]}
