"""Counting what the node does, for Prometheus: a few additions on the way of each request, text when asked for.

Everything is counted on the trio thread, except what the writer thread says of its commits, which only it counts.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
JOBS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)

Labels = Mapping[str, str]


class Histogram:
    """How often a value was at most each of `bounds`."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: Sequence[float] = SECONDS) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    @property
    def count(self) -> int:
        """How many values were observed."""
        return sum(self._counts)

    def samples(self, name: str, labels: Labels) -> Iterator[str]:
        total = 0
        for bound, count in zip((*self._bounds, "+Inf"), self._counts, strict=True):
            total += count
            yield sample(f"{name}_bucket", total, {**labels, "le": str(bound)})
        yield sample(f"{name}_sum", self._sum, labels)
        yield sample(f"{name}_count", total, labels)


class Metrics:
    """Counters; everything else is looked up on request."""

    def __init__(self) -> None:
        self.requests: dict[tuple[str, str], int] = defaultdict(int)
        self.seconds: dict[str, Histogram] = defaultdict(Histogram)
        self.deliveries = 0
        self.overflows = 0
        self.outbound_requests: dict[tuple[str, str], int] = defaultdict(int)
        """By purpose and outcome."""
        self.of_plugins: dict[tuple[str, str], float] = {}

    def request(self, command: str, outcome: str, seconds: float) -> None:
        """Count a request; both names must be of a fixed set, never a client's own."""
        self.requests[command, outcome] += 1
        self.seconds[command].observe(seconds)

    def count(self, plugin: str, metric: str, amount: float) -> None:
        """Count up a plugin's figure; both names must be ones that were declared."""
        key = (plugin, metric)
        self.of_plugins[key] = self.of_plugins.get(key, 0) + amount


class Commits:
    """What the writer thread does."""

    def __init__(self) -> None:
        self.jobs = Histogram(JOBS)
        self.seconds = Histogram()
        self.failures = 0


class MetricsPage:
    """The text that Prometheus reads (exposition format 0.0.4)."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def metric(self, name: str, kind: str, help: str, samples: Mapping[tuple[tuple[str, str], ...], float]) -> None:
        """One metric with a value for each set of labels, which are pairs of name and value."""
        self._head(name, kind, help)
        self._lines += [sample(name, value, dict(labels)) for labels, value in samples.items()]

    def value(self, name: str, kind: str, help: str, value: float) -> None:
        """One without labels."""
        self.metric(name, kind, help, {(): value})

    def histogram(self, name: str, help: str, histograms: Mapping[tuple[tuple[str, str], ...], Histogram]) -> None:
        self._head(name, "histogram", help)
        for labels, histogram in histograms.items():
            self._lines += histogram.samples(name, dict(labels))

    def _head(self, name: str, kind: str, help: str) -> None:
        self._lines += [f"# HELP {name} {help}", f"# TYPE {name} {kind}"]

    def text(self) -> str:
        return "\n".join(self._lines) + "\n"


def sample(name: str, value: float, labels: Labels) -> str:
    inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    return f"{name}{{{inside}}} {value!r}" if inside else f"{name} {value!r}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
