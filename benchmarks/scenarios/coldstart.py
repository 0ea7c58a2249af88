"""From exec to the first answer, with nothing stored and with a million messages."""

import time
from pathlib import Path
from urllib.request import urlopen

from benchmarks.library import filled
from benchmarks.scenario import Figures, Metric, Scenario, Trial


def start(trial: Trial, data: Path) -> tuple[float, float]:
    """Seconds from exec to the line with the address, and to the first answer to a request."""
    begin = time.perf_counter()
    with trial.serving(data) as server:
        with urlopen(f"http://127.0.0.1:{server.port}/health", timeout=10) as answer:
            answer.read()
        return server.ready_seconds, time.perf_counter() - begin


def measure(trial: Trial) -> Figures:
    """The first start makes the database; programs and files are in the page cache."""
    empty_ready, empty_answered = start(trial, trial.directory / "data")
    full_ready, full_answered = start(trial, filled(trial).data)
    return {
        "empty_ready": empty_ready,
        "empty_answered": empty_answered,
        "full_ready": full_ready,
        "full_answered": full_answered,
    }


COLDSTART = Scenario(
    name="coldstart",
    title="Cold start: exec to accepting connections",
    rounds=10,
    metrics=(
        Metric("empty_ready", "first start: address printed, s", 3, at_most=1),
        Metric("empty_answered", "first start: first answer, s", 3),
        Metric("full_ready", "{filled:,} messages: address printed, s", 3, at_most=1),
        Metric("full_answered", "{filled:,} messages: first answer, s", 3),
    ),
    measure=measure,
)
