"""Measures what a feature costs those who post: runs with it on and off alternate, on empty databases."""

from collections.abc import Callable, Mapping
from statistics import mean

from benchmarks.generator import PostReport
from benchmarks.scenario import Figures, Metric, Trial
from benchmarks.scenarios.pairs import Acquaint, post_in_pairs

ORDER = (False, True, True, False)
"""Drift of the machine meets both alike."""


def posting(
    on: Mapping[str, str], off: Mapping[str, str], acquaint_when_on: Acquaint = lambda *pair: None
) -> Callable[[Trial], Figures]:
    """A measurement of four runs; `on` and `off` are settings in the environment."""

    def measure(trial: Trial) -> Figures:
        reports: dict[bool, list[PostReport]] = {True: [], False: []}
        for number, is_on in enumerate(ORDER):
            one = trial.with_settings(f"run-{number}", dict(on if is_on else off))
            reports[is_on].append(
                post_in_pairs(
                    one,
                    lambda server, sessions: trial.generator.post(
                        server, sessions, seconds=trial.size.seconds, warm_up=trial.size.warm_up
                    ),
                    **({"acquaint": acquaint_when_on} if is_on else {}),
                )
            )
        rate = {key: mean(each.messages / each.seconds for each in reports[key]) for key in reports}
        cpu = {key: mean(each.server_cpu_seconds / each.messages * 1e6 for each in reports[key]) for key in reports}
        return {
            "on": rate[True],
            "off": rate[False],
            "slower": (1 - rate[True] / rate[False]) * 100,
            "on_p99": mean(report.ack_ms.p99 for report in reports[True]),
            "off_p99": mean(report.ack_ms.p99 for report in reports[False]),
            "on_cpu": cpu[True],
            "off_cpu": cpu[False],
        }

    return measure


def metrics(what: str, at_most: float) -> tuple[Metric, ...]:
    """The columns of the table; the goal is at most ``at_most`` per cent slower."""
    return (
        Metric("on", f"messages/s with {what}"),
        Metric("off", "messages/s without"),
        Metric("slower", "slower with it, %", 1, at_most=at_most),
        Metric("on_p99", "ack p99 with it, ms", 2),
        Metric("off_p99", "ack p99 without, ms", 2),
        Metric("on_cpu", "server CPU per message with it, µs", 1),
        Metric("off_cpu", "server CPU per message without, µs", 1),
    )
