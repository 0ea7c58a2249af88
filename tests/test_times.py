"""Times as they are on the wire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from chatnode.model.times import milliseconds, rfc3339

FIRST, LAST = -62_135_596_800_000, 253_402_300_799_999  # of the years 1 and 9999


@given(st.integers(FIRST, LAST))
def test_a_time_is_what_the_calendar_says(ms: int) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    assert rfc3339(ms) == moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@given(st.integers(-(10**12), 10**13))
def test_it_is_read_as_it_is_written(ms: int) -> None:
    assert milliseconds(rfc3339(ms)) == ms
