"""Counting for Prometheus: what each bucket holds."""

from __future__ import annotations

import pytest

from chatnode.metrics import JOBS, SECONDS, Histogram


def buckets(histogram: Histogram) -> dict[str, int]:
    """By bound, how many values were at most so much."""
    lines = [line for line in histogram.samples("h", {}) if line.startswith("h_bucket")]
    return {line.split('"')[1]: int(line.rsplit(" ", 1)[1]) for line in lines}


@pytest.mark.parametrize("bounds", [SECONDS, JOBS], ids=["seconds", "jobs"])
def test_a_value_equal_to_a_bound_is_in_its_bucket(bounds: tuple[float, ...]) -> None:
    """`le` says less or equal."""
    for bound in bounds:
        histogram = Histogram(bounds)
        histogram.observe(bound)
        assert buckets(histogram) == {str(each): int(each >= bound) for each in bounds} | {"+Inf": 1}
        histogram.observe(bound * 1.0001)
        assert buckets(histogram)[str(bound)] == 1
        assert histogram.count == 2


def test_what_is_above_every_bound_is_counted_and_summed() -> None:
    histogram = Histogram((1, 2))
    for value in (0, 3, 1.5):
        histogram.observe(value)
    assert buckets(histogram) == {"1": 1, "2": 2, "+Inf": 3}
    assert list(histogram.samples("h", {}))[-2:] == ["h_sum 4.5", "h_count 3"]
