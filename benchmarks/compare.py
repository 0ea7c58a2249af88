"""Two checkouts of chatnode under the load of `pairs`, alternating every second, so that noise affects both alike.

    python -m benchmarks.compare BEFORE AFTER --rounds 24

Both serve all the time, on the same core; only one has anything to do. What counts is the ratio of CPU per message in
each round, and its median: for a change of a few per cent, the figures of two runs of `pairs` say nothing.
"""

import argparse
import os
import statistics
import tomllib
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from attrs import define, field

from benchmarks import generator
from benchmarks.generator import Generator, PostReport, Session
from benchmarks.machine import Cores, allow_many_files
from benchmarks.servers import UNLIMITED, Chatnode, Server, serving

PAIRS = 100
WARM_UP = 0.4


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


@define
class Side:
    """One of the two nodes, with its cost in each turn."""

    name: str
    server: Server
    sessions: list[Session]
    cpu_us: list[float] = field(factory=list)
    """Of all threads, per message."""
    main_us: list[float] = field(factory=list)
    """Of the trio thread; the rest is nearly all the writer's."""
    rate: list[float] = field(factory=list)

    def turn(self, load: Generator, seconds: float) -> None:
        before = self._main_ns()
        report = load.post(self.server, self.sessions, seconds=seconds, warm_up=WARM_UP)
        self._note(report, self._main_ns() - before)

    def _note(self, report: PostReport, main_ns: int) -> None:
        self.cpu_us.append(report.server_cpu_seconds / report.messages * 1e6)
        self.main_us.append(main_ns / report.sent / 1e3)
        self.rate.append(report.messages / report.seconds)

    def _main_ns(self) -> int:
        return int(Path(f"/proc/{self.server.pid}/task/{self.server.pid}/schedstat").read_text().split()[0])


def _pairs(server: Server, root: str) -> list[Session]:
    with server.client(root) as admin:
        senders, readers = admin.add_people(PAIRS, "sender"), admin.add_people(PAIRS, "reader")
    sessions: list[Session] = []
    for sender, reader in zip(senders, readers, strict=True):
        with server.client(sender.token) as client:
            conversation = client.call("conversations.direct", **{"with": reader.handle})["conversation"]
        sessions += [Session("post", sender.token, conversation), Session("read", reader.token, conversation)]
    return sessions


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description=__doc__)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--rounds", type=int, default=24)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--directory", type=Path, default=Path(__file__).parent / "data")
    options = parser.parse_args()
    allow_many_files()
    cores = Cores()
    load = generator.build(cores.others)
    options.directory.mkdir(exist_ok=True)
    with TemporaryDirectory(dir=options.directory) as directory, ExitStack() as running:
        sides: list[Side] = []
        for name, folder in (("before", options.before), ("after", options.after)):
            stack, data = Checkout(folder), Path(directory) / name
            root = stack.administrator(data)
            server = running.enter_context(serving(stack, data, cores.server, {}))
            sides.append(Side(name, server, _pairs(server, root)))
        for number in range(options.rounds):
            for side in sides if number % 2 == 0 else sides[::-1]:
                side.turn(load, options.seconds)
    _report(*sides)


def _report(before: Side, after: Side) -> None:
    for title, of in (
        ("CPU per message, µs", lambda side: side.cpu_us),
        ("of it the trio thread's, µs", lambda side: side.main_us),
        ("messages/s", lambda side: side.rate),
    ):
        ratios = sorted(a / b for a, b in zip(of(after), of(before), strict=True))
        low, high = ratios[len(ratios) // 4], ratios[3 * len(ratios) // 4]
        medians = " → ".join(f"{statistics.median(of(side)):,.1f}" for side in (before, after))
        print(f"{title}: {medians}, ratio {statistics.median(ratios):.3f} (half of the rounds {low:.3f}–{high:.3f})")


if __name__ == "__main__":
    main()
