"""What bulk work costs those who post: the load of `paced` beside a plugin that inserts rows, and alone."""

import os
from statistics import mean
from time import monotonic

from benchmarks.errors import require
from benchmarks.generator import PostReport, Session
from benchmarks.scenario import Figures, Metric, Scenario, Trial
from benchmarks.scenarios.paced import MESSAGES_PER_SECOND, WINDOW
from benchmarks.scenarios.pairs import post_in_pairs
from benchmarks.servers import REPOSITORY, Server
from benchmarks.switching import ORDER

AT_MOST_TIMES = 2.0


class Load:
    """The load, beside work if `working`. `rows_per_second` is how much of it was done meanwhile."""

    def __init__(self, trial: Trial, *, working: bool) -> None:
        self.trial = trial
        self.working = working
        self.rows_per_second = 0.0

    def __call__(self, server: Server, sessions: list[Session]) -> PostReport:
        with server.client(sessions[0].token) as client:
            if self.working:
                client.call("working.start")
            began, before = monotonic(), self._done(client.call("work.list"))
            report = self.trial.generator.post(
                server,
                sessions,
                seconds=self.trial.size.seconds,
                warm_up=self.trial.size.warm_up,
                rate=MESSAGES_PER_SECOND,
                window=WINDOW,
            )
            done = self._done(client.call("work.list")) - before
            self.rows_per_second = done / (monotonic() - began)
        require((done > 0) == self.working, f"{done} rows were inserted meanwhile")
        require(report.overruns == 0, f"the timetable was kept; {report.overruns} messages could not be sent")
        return report

    @staticmethod
    def _done(page: dict[str, list[dict[str, int]]]) -> int:
        return sum(work["done"] for work in page["works"])


def measure(trial: Trial) -> Figures:
    """Alone, beside, beside, alone: drift of the machine meets both alike."""
    paths = [str(REPOSITORY / "benchmarks" / "working"), os.environ.get("PYTHONPATH", "")]
    found: dict[bool, list[tuple[PostReport, float]]] = {True: [], False: []}
    for number, working in enumerate(ORDER):
        one = trial.with_settings(f"run-{number}", {"PYTHONPATH": os.pathsep.join(filter(None, paths))})
        load = Load(trial, working=working)
        report = post_in_pairs(one, load)
        found[working].append((report, load.rows_per_second))
    figures: Figures = {"rows": mean(rows for _, rows in found[True])}
    for name, working in (("beside", True), ("alone", False)):
        figures[f"{name}_p50"] = mean(report.ack_ms.p50 for report, _ in found[working])
        figures[f"{name}_p99"] = mean(report.ack_ms.p99 for report, _ in found[working])
    return figures | {"times_p99": figures["beside_p99"] / figures["alone_p99"]}


WORK = Scenario(
    name="work",
    title="Durable messages, {pairs:,} pairs, 100 messages/s in all, beside bulk work of a plugin and alone",
    rounds=3,
    metrics=(
        Metric("times_p99", "ack p99 beside it, times as long", 2, at_most=AT_MOST_TIMES),
        Metric("beside_p99", "ack p99 beside it, ms", 2),
        Metric("alone_p99", "ack p99 alone, ms", 2),
        Metric("beside_p50", "ack p50 beside it, ms", 2),
        Metric("alone_p50", "ack p50 alone, ms", 2),
        Metric("rows", "rows/s that the work inserts meanwhile"),
    ),
    measure=measure,
    only_the_node=True,
)
