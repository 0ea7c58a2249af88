"""What the index of search costs those who post: the load of `pairs` with it and without."""

from statistics import mean

from benchmarks.generator import PostReport
from benchmarks.scenario import Figures, Metric, Scenario, Trial
from benchmarks.scenarios.pairs import post_in_pairs

ORDER = (False, True, True, False)
"""Drift of the machine meets both alike."""


def measure(trial: Trial) -> Figures:
    """Four runs on empty databases."""
    reports: dict[bool, list[PostReport]] = {True: [], False: []}
    for number, indexed in enumerate(ORDER):
        one = trial.with_settings(f"run-{number}", {"CHATNODE_SEARCH__ENABLED": str(int(indexed))})
        reports[indexed].append(
            post_in_pairs(
                one,
                lambda server, sessions: trial.generator.post(
                    server, sessions, seconds=trial.size.seconds, warm_up=trial.size.warm_up
                ),
            )
        )
    rate = {on: mean(report.messages / report.seconds for report in reports[on]) for on in (True, False)}
    cpu = {
        on: mean(report.server_cpu_seconds / report.messages * 1e6 for report in reports[on]) for on in (True, False)
    }
    return {
        "indexed": rate[True],
        "not_indexed": rate[False],
        "slower": (1 - rate[True] / rate[False]) * 100,
        "indexed_p99": mean(report.ack_ms.p99 for report in reports[True]),
        "not_indexed_p99": mean(report.ack_ms.p99 for report in reports[False]),
        "indexed_cpu": cpu[True],
        "not_indexed_cpu": cpu[False],
    }


INDEXING = Scenario(
    name="indexing",
    title="Posting with and without the index of search, {pairs:,} pairs, one in flight per pair",
    rounds=3,
    metrics=(
        Metric("indexed", "messages/s with the index"),
        Metric("not_indexed", "messages/s without"),
        Metric("slower", "slower with it, %", 1, at_most=15),
        Metric("indexed_p99", "ack p99 with it, ms", 2),
        Metric("not_indexed_p99", "ack p99 without, ms", 2),
        Metric("indexed_cpu", "server CPU per message with it, µs", 1),
        Metric("not_indexed_cpu", "server CPU per message without, µs", 1),
    ),
    measure=measure,
    only_the_node=True,
)
