"""An empty node: the time from exec to the address line, and its memory before and after its first HTTP request."""

import time
from pathlib import Path
from urllib.request import urlopen

from benchmarks.scenario import Figures, Metric, Scenario, Trial


def measure(trial: Trial) -> Figures:
    """The first start makes the database, the second finds it; programs and files are in the page cache."""
    data = trial.directory / "data"
    with trial.serving(data) as server:
        first = server.ready_seconds
    return {"first": first, **_second_start(trial, data)}


def _second_start(trial: Trial, data: Path) -> Figures:
    with trial.serving(data) as server:
        time.sleep(trial.size.settle)
        before = server.memory()
        begin = time.perf_counter()
        with urlopen(f"http://127.0.0.1:{server.port}/health", timeout=10) as answer:
            answer.read()
        answered = time.perf_counter() - begin
        time.sleep(trial.size.settle)
        after = server.memory()
        return {
            "second": server.ready_seconds,
            "answered": answered,
            "before": before.rss / 1024,
            "after": after.rss / 1024,
        }


START = Scenario(
    name="start",
    title="Start of an empty node, and its memory",
    rounds=10,
    metrics=(
        Metric("first", "first start: address printed, s", 3),
        Metric("second", "second start: address printed, s", 3, at_most=0.48),
        Metric("answered", "first HTTP request, s", 3),
        Metric("before", "RSS before the first HTTP request, MiB", 1, at_most=50),
        Metric("after", "RSS after it, MiB", 1, at_most=62),
    ),
    measure=measure,
)
