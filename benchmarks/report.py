"""Results as a table to read, and as JSON."""

import statistics
from collections.abc import Iterable
from typing import Any

from attrs import asdict

from benchmarks.machine import Calibration, describe
from benchmarks.runner import Results
from benchmarks.scenario import Metric

DRIFT_TO_MENTION = 1.15  # slowest calibration over fastest


def values_of(results: Results, stack: str, metric: Metric) -> list[float]:
    """One metric in all rounds of one stack, in the order of the rounds."""
    return [figures[metric.key] for figures in results.figures[stack]]


def ratio_of(results: Results, metric: Metric) -> float | None:
    """First stack over second: the median of the rounds' ratios, since speed is comparable only within a round."""
    if len(results.figures) != 2:
        return None
    first, second = (values_of(results, stack, metric) for stack in results.figures)
    return statistics.median(one / other for one, other in zip(first, second, strict=True) if other)


def table(results: Results) -> str:
    """A Markdown table: medians with the lowest and highest round, and the ratio."""
    stacks = list(results.figures)
    sizes = asdict(results.size)
    heads = ["", *stacks, *(["ratio"] if len(stacks) == 2 else []), "goal"]
    rows = [heads, ["---", *(["---:"] * (len(heads) - 1))]]
    for metric in results.scenario.metrics:
        cells = [
            metric.title.format(**sizes),
            *(_spread(metric, values_of(results, stack, metric)) for stack in stacks),
        ]
        ratio = ratio_of(results, metric)
        if len(stacks) == 2:
            cells.append("" if ratio is None else f"{ratio:.3g}")
        rows.append([*cells, metric.goal])
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(
        [
            f"### {results.scenario.title.format(**sizes)}",
            "",
            *lines,
            "",
            _calibration_line(results.calibrations),
            "",
        ]
    )


def _spread(metric: Metric, values: list[float]) -> str:
    low, middle, high = (
        f"{value:,.{metric.digits}f}" for value in (min(values), statistics.median(values), max(values))
    )
    return middle if len(values) == 1 else f"{middle} ({low}–{high})"


def _calibration_line(calibrations: Iterable[Calibration]) -> str:
    loops, flushes = zip(*((one.loop_ms, one.flush_us) for one in calibrations), strict=True)
    line = (
        f"Calibration: loop {min(loops):.1f}–{max(loops):.1f} ms, "
        f"4 KiB flushed {min(flushes):.0f}–{max(flushes):.0f} µs."
    )
    drift = max(loops) / min(loops)
    if drift > DRIFT_TO_MENTION:
        line += f" The machine drifted by {(drift - 1) * 100:.0f} %: trust the ratios more than the figures."
    return line


def as_json(all_results: Iterable[Results]) -> dict[str, Any]:
    """Everything that was measured, round by round."""
    return {
        "machine": describe(),
        "scenarios": {
            results.scenario.name: {
                "rounds": results.figures,
                "medians": {
                    stack: {
                        metric.key: statistics.median(values_of(results, stack, metric))
                        for metric in results.scenario.metrics
                    }
                    for stack in results.figures
                },
                "ratios": {metric.key: ratio_of(results, metric) for metric in results.scenario.metrics},
                "calibrations": [asdict(calibration) for calibration in results.calibrations],
            }
            for results in all_results
        },
    }
