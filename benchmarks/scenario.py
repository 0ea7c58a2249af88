"""Scenarios: how to measure one server once, and what the figures mean."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from attrs import Factory, evolve, frozen

from benchmarks.generator import Generator
from benchmarks.machine import Cores
from benchmarks.servers import Server, Stack, serving

Figures = dict[str, float]


@frozen
class Size:
    """The size of a run. ``--quick`` only shows that everything works; ignore its figures."""

    warm_up: float  # seconds of load before the measured ones
    seconds: float  # measured
    pairs: int
    recipients: int
    sessions: int
    filled: int  # messages in the conversation that history and cold start use
    missed: int  # events that a resuming session has not seen
    settle: float  # seconds before memory is read
    searches: int  # of each kind
    contacts: int  # in one list
    flapping: int  # people who come and go all the time
    here: float  # seconds for which each of them stays, in the middle
    away: float  # and for which they are gone; longer than the node's grace, or nobody is told that they went
    file_mib: int  # of one file
    imported: int  # contacts in a file to import


FULL = Size(
    warm_up=2, seconds=10, pairs=100, recipients=500, sessions=5000, filled=1_000_000, missed=10_000, settle=3,
    searches=50, contacts=5000, flapping=1000, here=5, away=15, file_mib=1024, imported=1_000_000,
)  # fmt: skip
QUICK = Size(
    warm_up=0.5, seconds=1.5, pairs=20, recipients=50, sessions=200, filled=2000, missed=500, settle=0.5,
    searches=3, contacts=100, flapping=100, here=0.5, away=1.5, file_mib=32, imported=3_000,
)  # fmt: skip


@frozen
class Metric:
    """One figure of a scenario, its goal for the node if there is one, and how it is printed."""

    key: str
    title: str
    digits: int = 0
    at_least: float | None = None
    at_most: float | None = None

    @property
    def goal(self) -> str:
        if self.at_least is not None:
            return f"≥ {self.at_least:,g}"
        return "" if self.at_most is None else f"≤ {self.at_most:,g}"


@frozen
class Trial:
    """One measurement: the server, the load, and an empty directory."""

    stack: Stack
    generator: Generator
    cores: Cores
    size: Size
    directory: Path
    library: Path  # filled databases are kept here between runs
    settings: Mapping[str, str] = Factory(dict)  # of the server, as environment variables

    def serving(self, data: Path) -> AbstractContextManager[Server]:
        """The trial's server over ``data``."""
        return serving(self.stack, data, self.cores.server, self.settings)

    def with_settings(self, name: str, settings: Mapping[str, str]) -> "Trial":
        """The same trial in its own directory, with other settings of the server."""
        directory = self.directory / name
        directory.mkdir()
        return evolve(self, directory=directory, settings=settings)


@frozen
class Scenario:
    """A subcommand of the runner. Titles, of metrics too, may name sizes: ``{pairs:,} pairs``."""

    name: str
    title: str
    rounds: int
    metrics: tuple[Metric, ...]
    measure: Callable[[Trial], Figures]
    only_the_node: bool = False  # the straightforward server cannot do it
