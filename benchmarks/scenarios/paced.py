"""Latency when there is little to do: 100 messages a second over all pairs, on a timetable."""

from benchmarks.errors import require
from benchmarks.scenario import Figures, Metric, Scenario, Trial
from benchmarks.scenarios.pairs import post_in_pairs

MESSAGES_PER_SECOND = 100
WINDOW = 16  # what a sender may have in flight before the server has plainly stalled


def measure(trial: Trial) -> Figures:
    """Latency counts from the planned time of a message, so a stall is not hidden by sending less."""
    report = post_in_pairs(
        trial,
        lambda server, sessions: trial.generator.post(
            server,
            sessions,
            seconds=trial.size.seconds,
            warm_up=trial.size.warm_up,
            rate=MESSAGES_PER_SECOND,
            window=WINDOW,
        ),
    )
    require(report.overruns == 0, f"the timetable was kept; {report.overruns} messages could not be sent")
    return {
        "ack_p50": report.ack_ms.p50,
        "ack_p99": report.ack_ms.p99,
        "delivery_p50": report.delivery_ms.p50,
        "delivery_p99": report.delivery_ms.p99,
        "server_cpu_us": report.server_cpu_seconds / report.messages * 1e6,
    }


PACED = Scenario(
    name="paced",
    title="Durable messages, {pairs:,} pairs, 100 messages/s in all",
    rounds=3,
    metrics=(
        Metric("ack_p50", "ack p50, ms", 2),
        Metric("ack_p99", "ack p99, ms", 2),
        Metric("delivery_p50", "delivery p50, ms", 2, at_most=1),
        Metric("delivery_p99", "delivery p99, ms", 2),
        Metric("server_cpu_us", "server CPU per message, µs", 1),
    ),
    measure=measure,
)
