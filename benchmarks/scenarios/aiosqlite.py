"""What aiosqlite costs: the same posts and reads through it, and through the core's own threads."""

import json
import statistics
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager

from attrs import frozen

from benchmarks.errors import BenchmarkError, require
from benchmarks.machine import prefix_to_pin
from benchmarks.reaching.work import Turn
from benchmarks.scenario import Figures, Metric, Scenario, Trial
from benchmarks.servers import REPOSITORY

WAYS = {
    "trio": "the core's threads, from trio",
    "thread": "the same from asyncio, through the node's thread",
    "aiosqlite": "aiosqlite on asyncio",
}
PHASES = {
    ("post", 1): "posts, one at a time",
    ("post", 100): "posts, 100 at a time",
    ("read", 1): "reads, one at a time",
    ("read", 100): "reads, 100 at a time",
}
TURNS = 5


@frozen
class Running:
    """One way, in its process."""

    process: subprocess.Popen[str]

    def take_turn(self, what: str, times: int, seconds: float) -> Turn:
        return Turn(**self._ask(json.dumps([what, times, seconds])))

    def end(self) -> dict[str, int]:
        """How many posts were acknowledged, and how many another process finds stored."""
        return self._ask(None)

    def _ask(self, line: str | None) -> dict[str, int]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        if line is None:
            self.process.stdin.close()
        else:
            self.process.stdin.write(f"{line}\n")
            self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise BenchmarkError(f"{self.process.args} ended with {self.process.wait()}")
        return json.loads(answer)


@contextmanager
def _running(trial: Trial, way: str) -> Generator[Running]:
    command = [sys.executable, "-m", "benchmarks.reaching", way, str(trial.directory / way)]
    process = subprocess.Popen(
        [*prefix_to_pin(trial.cores.server), *command],
        cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        with process:
            yield Running(process)
    finally:
        process.kill()


def measure(trial: Trial) -> Figures:
    """In short turns, so that what else the machine does meets all ways alike; only one has anything to do."""
    figures: Figures = {}
    with ExitStack() as stack:
        ways = {way: stack.enter_context(_running(trial, way)) for way in WAYS}
        for what, times in PHASES:
            turns: dict[str, list[Turn]] = {way: [] for way in WAYS}
            for running in ways.values():
                running.take_turn(what, times, trial.size.warm_up / TURNS)
            for number in range(TURNS):
                for way in list(WAYS) if number % 2 == 0 else list(WAYS)[::-1]:
                    turns[way].append(ways[way].take_turn(what, times, trial.size.seconds / TURNS))
            figures |= _compared(f"{what}_{times}", turns)
        for way, running in ways.items():
            done = running.end()
            require(done["stored"] == done["posted"], f"{way}: every post that was acknowledged is stored, once")
    return figures


def _compared(phase: str, turns: dict[str, list[Turn]]) -> Figures:
    """The medians of the turns, and those of the ratios in each turn."""
    figures: Figures = {}
    for way, taken in turns.items():
        figures |= {
            f"{way}_{phase}_rate": statistics.median(each.count / each.wall for each in taken),
            f"{way}_{phase}_p50": statistics.median(each.p50 for each in taken),
            f"{way}_{phase}_p99": statistics.median(each.p99 for each in taken),
            f"{way}_{phase}_cpu": statistics.median(each.cpu / each.count for each in taken) * 1e6,
        }
    for way in ("trio", "thread"):
        pairs = list(zip(turns[way], turns["aiosqlite"], strict=True))
        figures[f"{way}_{phase}_times"] = statistics.median(
            (one.count / one.wall) / (other.count / other.wall) for one, other in pairs
        )
    return figures


def _metrics() -> Iterator[Metric]:
    for (what, times), doing in PHASES.items():
        phase = f"{what}_{times}"
        for way, name in WAYS.items():
            yield Metric(f"{way}_{phase}_rate", f"{doing}, {name}: per second")
            if way != "aiosqlite":
                yield Metric(f"{way}_{phase}_times", "↳ how many times as many as with aiosqlite", 2)
            yield Metric(f"{way}_{phase}_p50", "↳ p50, ms", 2)
            yield Metric(f"{way}_{phase}_p99", "↳ p99, ms", 2)
            yield Metric(f"{way}_{phase}_cpu", "↳ CPU of one, µs", 1)


AIOSQLITE = Scenario(
    name="aiosqlite",
    title="The core's own threads and aiosqlite: the same SQL, in turns",
    rounds=5,
    metrics=tuple(_metrics()),
    measure=measure,
    only_the_node=True,
)
