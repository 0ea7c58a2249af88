"""What a plugin's consumer costs those who post: an instant one, one that takes a second each time, one that always
fails, and none; in turns on empty databases."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from statistics import mean

from benchmarks.errors import require
from benchmarks.generator import PostReport
from benchmarks.scenario import Figures, Metric, Scenario, Trial
from benchmarks.scenarios.pairs import post_in_pairs
from benchmarks.servers import REPOSITORY

CONSUMERS = ("none", "instant", "slow", "raising")
ORDER = (*CONSUMERS, *reversed(CONSUMERS))
"""Drift of the machine meets all alike."""
OTHERS = "contacts,reactions"


def measure(trial: Trial) -> Figures:
    reports: dict[str, list[PostReport]] = {name: [] for name in CONSUMERS}
    for number, name in enumerate(ORDER):
        one = trial.with_settings(f"run-{number}", settings(name))
        reports[name].append(
            post_in_pairs(
                one,
                lambda server, sessions: trial.generator.post(
                    server, sessions, seconds=trial.size.seconds, warm_up=trial.size.warm_up
                ),
            )
        )
        require_consumed(name, one.directory / "data" / "chatnode.sqlite3")
    figures: Figures = {}
    for name, found in reports.items():
        figures[name] = mean(each.messages / each.seconds for each in found)
        figures[f"{name}_p99"] = mean(each.ack_ms.p99 for each in found)
        figures[f"{name}_cpu"] = mean(each.server_cpu_seconds / each.messages * 1e6 for each in found)
        figures[f"{name}_share"] = figures[name] / figures["none"]
        figures[f"{name}_times_p99"] = figures[f"{name}_p99"] / figures["none_p99"]
    return figures


def require_consumed(consumer: str, path: Path) -> None:
    """That the consumer was there, and did what it is for."""
    if consumer == "none":
        return
    with closing(sqlite3.connect(path)) as database:
        (counted,) = database.execute("SELECT rows FROM consuming_total").fetchone()
        require((counted > 0) == (consumer != "raising"), f"the {consumer} consumer counted {counted} messages")


def settings(consumer: str) -> dict[str, str]:
    """The server's environment: the plugin of `benchmarks/consuming` is installed, or is not."""
    chosen = {"CHATNODE_PLUGINS__DISABLED": OTHERS}
    if consumer != "none":
        paths = [str(REPOSITORY / "benchmarks" / "consuming"), os.environ.get("PYTHONPATH", "")]
        chosen |= {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "BENCHMARK_CONSUMER": consumer}
    return chosen


def beside(consumer: str) -> tuple[Metric, ...]:
    return (
        Metric(consumer, f"messages/s beside one that is {consumer}"),
        Metric(f"{consumer}_share", f"{consumer}: messages/s, of those without", 3),
        Metric(f"{consumer}_times_p99", f"{consumer}: ack p99, times as long", 2),
        Metric(f"{consumer}_cpu", f"{consumer}: server CPU per message, µs", 1),
    )


CONSUMING = Scenario(
    name="consumers",
    title="Posting beside a plugin's consumer, {pairs:,} pairs, one in flight per pair",
    rounds=3,
    metrics=(
        Metric("none", "messages/s without a consumer"),
        Metric("none_p99", "ack p99 without, ms", 2),
        Metric("none_cpu", "server CPU per message without, µs", 1),
        *(metric for name in CONSUMERS[1:] for metric in beside(name)),
    ),
    measure=measure,
    only_the_node=True,
)
