"""What receivers of webhooks that do not answer cost the others: two of a hundred, one dead and one slow."""

import time

from benchmarks.errors import require
from benchmarks.generator import PostReport
from benchmarks.scenario import Figures, Metric, Scenario, Trial
from benchmarks.scenarios.webhooks import Receivers, prepare, receiving, settings

RECEIVERS_IN_ALL = 100
MESSAGES_PER_SECOND = 2
"""Each is posted to every receiver."""
WINDOW = 16
PATIENCE_SECONDS = 60.0
WELL = ("well",) * RECEIVERS_IN_ALL
ORDER = (False, True, True, False)
"""Drift of the machine meets both alike."""


def measure(trial: Trial) -> Figures:
    """Messages on a timetable; their webhooks count from the time of the message."""
    found: dict[bool, list[tuple[PostReport, float]]] = {True: [], False: []}
    for number, troubled in enumerate(ORDER):
        tempers = ("dead", "slow", *WELL[2:]) if troubled else WELL
        with receiving(trial.cores.others, tempers) as receivers:
            one = trial.with_settings(f"run-{number}", settings(receivers))
            found[troubled].append(_run(one, receivers, counted=tempers.count("well")))
    post = {case: min(report.ack_ms.p99 for report, _ in runs) for case, runs in found.items()}
    hook = {case: min(p99 for _, p99 in runs) for case, runs in found.items()}
    return {
        "hooks": hook[False],
        "hooks_beside": hook[True],
        "hooks_ratio": hook[True] / hook[False],
        "posts": post[False],
        "posts_beside": post[True],
        "posts_ratio": post[True] / post[False],
    }


def _run(trial: Trial, receivers: Receivers, *, counted: int) -> tuple[PostReport, float]:
    """What posting took, and the 99th percentile of its webhooks."""
    data = trial.directory / "data"
    root = trial.stack.administrator(data)
    with trial.serving(data) as server:
        with server.client(root) as admin:
            _, session = prepare(admin, receivers.places, paused=False)
        report = trial.generator.post(
            server, [session], seconds=trial.size.seconds, rate=MESSAGES_PER_SECOND, window=WINDOW
        )
        wanted, until = report.acked * counted, time.monotonic() + PATIENCE_SECONDS
        came = receivers.report()
        while came["count"] < wanted and time.monotonic() < until:
            time.sleep(1)
            came = {**receivers.report(), "p99_ms": came["p99_ms"]}
        require(came["count"] == wanted, f"{came['count']} webhooks came of {wanted}")
        return report, came["p99_ms"]


RECEIVERS = Scenario(
    name="receivers",
    title="Webhooks to 100 receivers, alone and with one dead and one slow among them",
    rounds=3,
    metrics=(
        Metric("hooks", "webhook p99, ms", 1),
        Metric("hooks_beside", "webhook p99 of the 98 others, ms", 1),
        Metric("hooks_ratio", "ratio", 2, at_most=1.5),
        Metric("posts", "ack p99, ms", 2),
        Metric("posts_beside", "ack p99 beside the two, ms", 2),
        Metric("posts_ratio", "ratio", 2),
    ),
    measure=measure,
    only_the_node=True,
)
