"""Two checkouts of chatnode under the same load, in turns, so that what ails the machine ails both.

    python -m benchmarks.compare BEFORE AFTER --rounds 24
    python -m benchmarks.compare BEFORE AFTER --scenario mixed --rounds 12 --seconds 2
    python -m benchmarks.compare BEFORE AFTER --scenario start --rounds 10

Of `pairs` and `mixed` a turn is a second or so: both nodes serve all the time, on the same core, and only one has
anything to do. Of every other scenario a turn is one whole measurement, with a node that is started for it. What counts
is the ratio in each round, and its median: for a change of a few per cent, the figures of two runs say nothing.
"""

import argparse
import os
import statistics
import time
import tomllib
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from attrs import asdict, define, field

from benchmarks import generator
from benchmarks.generator import Generator, Latency, MixedReport, PostReport, Session
from benchmarks.machine import Cores, allow_many_files
from benchmarks.scenario import FULL, QUICK, Figures, Size, Trial
from benchmarks.scenarios import SCENARIOS
from benchmarks.scenarios.flapping import pair_up
from benchmarks.scenarios.mixed import require_sound, sessions_of_groups
from benchmarks.servers import UNLIMITED, Chatnode, Server, serving

PAIRS = 100
WARM_UP = 0.4
REST = 0.5
"""Seconds between two turns: a node that was under load indexes and checkpoints then, not in the other node's turn."""


class Checkout(Chatnode):
    """The node of a checkout."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.name = self.folder.name

    def _command_line(self, data: Path, *arguments: str) -> list[str]:
        path = f"PYTHONPATH={self.folder}{os.pathsep}{self.folder / 'plugins'}"
        return ["/usr/bin/env", *self._unset(), path, *super()._command_line(data, *arguments)]

    def _unset(self) -> list[str]:
        """Removes variables for settings that this checkout does not have: they would keep it from starting."""
        limits = tomllib.loads((self.folder / "config.toml").read_text())["limits"]
        return [f"--unset={name}" for name in UNLIMITED if name.rpartition("__")[2].lower() not in limits]


Turn = Callable[[], Figures]


@define
class Side:
    """One of the two, and what its turns gave, by the title of the figure."""

    turn: Turn
    figures: dict[str, list[float]] = field(factory=dict)

    def take_turn(self) -> None:
        for title, value in self.turn().items():
            self.figures.setdefault(title, []).append(value)


# ---- nodes that serve all the time


def _posting(load: Generator, server: Server, root: str, seconds: float) -> Turn:
    with server.client(root) as admin:
        senders, readers = admin.add_people(PAIRS, "sender"), admin.add_people(PAIRS, "reader")
    sessions = pair_up(server, senders, readers)

    def turn() -> tuple[PostReport, dict[str, Latency]]:
        report = load.post(server, sessions, seconds=seconds, warm_up=WARM_UP)
        return report, {"ack": report.ack_ms, "delivery": report.delivery_ms}

    return _measured(server, turn)


def _mixing(load: Generator, server: Server, root: str, seconds: float) -> Turn:
    sessions: list[Session] = sessions_of_groups(server, root, PAIRS)

    def turn() -> tuple[MixedReport, dict[str, Latency]]:
        report = load.mixed(server, sessions, seconds=seconds, warm_up=WARM_UP)
        require_sound(report)
        return report, {kind: latency for kind, latency in report.ms.items() if latency.count}

    return _measured(server, turn)


SERVED = {"pairs": _posting, "mixed": _mixing}


def _measured(server: Server, load: Callable[[], tuple[PostReport | MixedReport, dict[str, Latency]]]) -> Turn:
    def turn() -> Figures:
        time.sleep(REST)
        before = _main_ns(server)
        report, latencies = load()
        main_ns = _main_ns(server) - before
        return {
            "CPU per message, µs": report.server_cpu_seconds / report.messages * 1e6,
            "of it the trio thread's, µs": main_ns / report.sent / 1e3,  # the rest is nearly all the writer's
            "messages/s": report.messages / report.seconds,
            **{f"{kind} p50, ms": latency.p50 for kind, latency in latencies.items()},
            **{f"{kind} p99, ms": latency.p99 for kind, latency in latencies.items()},
        }

    return turn


def _main_ns(server: Server) -> int:
    return int(Path(f"/proc/{server.pid}/task/{server.pid}/schedstat").read_text().split()[0])


# ---- nodes that are started for each turn


def _measuring(load: Generator, name: str, stack: Checkout, cores: Cores, size: Size, directory: Path) -> Turn:
    """Each checkout has a library of its own, which is filled in its first turn if the scenario needs one."""
    scenario = SCENARIOS[name]

    def turn() -> Figures:
        with TemporaryDirectory(dir=directory) as empty:
            figures = scenario.measure(Trial(stack, load, cores, size, Path(empty), directory))
        return {metric.title.format(**asdict(size)): figures[metric.key] for metric in scenario.metrics}

    return turn


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--scenario", choices=list(SCENARIOS), default="pairs", metavar="SCENARIO")
    parser.add_argument("--rounds", type=int, default=24)
    parser.add_argument("--seconds", type=float, default=1.0, help="of a turn of pairs or mixed")
    parser.add_argument("--quick", action="store_true", help="small sizes for every other scenario")
    parser.add_argument("--directory", type=Path, default=Path(__file__).parent / "data")
    return parser.parse_args()


def main() -> None:
    options = _parse()
    allow_many_files()
    cores = Cores()
    load = generator.build(cores.others)
    options.directory.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=options.directory) as directory, ExitStack() as running:
        sides: list[Side] = []
        for name, folder in (("before", options.before), ("after", options.after)):
            stack, place = Checkout(folder), Path(directory) / name
            if prepare := SERVED.get(options.scenario):
                root = stack.administrator(place)
                server = running.enter_context(serving(stack, place, cores.server, {}))
                sides.append(Side(prepare(load, server, root, options.seconds)))
            else:
                place.mkdir()
                size = QUICK if options.quick else FULL
                sides.append(Side(_measuring(load, options.scenario, stack, cores, size, place)))
        for number in range(options.rounds):
            for side in sides if number % 2 == 0 else sides[::-1]:
                side.take_turn()
    _report(*sides)


def _report(before: Side, after: Side) -> None:
    for title, values in after.figures.items():
        earlier = before.figures.get(title, [])
        ratios = sorted(a / b for a, b in zip(values, earlier, strict=False) if b)
        medians = " → ".join(f"{statistics.median(each):,.2f}" for each in (earlier, values) if each)
        line = f"{title}: {medians}"
        if ratios:
            low, high = ratios[len(ratios) // 4], ratios[3 * len(ratios) // 4]
            line += f", ratio {statistics.median(ratios):.3f} (half of the rounds {low:.3f}–{high:.3f})"
        print(line)


if __name__ == "__main__":
    main()
