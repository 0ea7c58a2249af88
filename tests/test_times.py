"""Times as they are on the wire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatnode.model.times import FIRST_MS, LAST_MS, day, milliseconds, rfc3339, zone_of


@given(st.integers(FIRST_MS, LAST_MS))
def test_a_time_is_what_the_calendar_says(ms: int) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    assert rfc3339(ms) == moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@given(st.integers(FIRST_MS, LAST_MS))
def test_it_is_read_as_it_is_written(ms: int) -> None:
    assert milliseconds(rfc3339(ms)) == ms


@given(st.datetimes(), st.integers(-23 * 60 - 59, 23 * 60 + 59))
def test_it_is_read_with_its_offset_or_refused_beyond_the_calendar(moment: datetime, minutes: int) -> None:
    sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
    text = f"{moment.isoformat(timespec='microseconds')}{sign}{hours:02d}:{rest:02d}"
    in_utc = (moment - datetime(1970, 1, 1)) // timedelta(milliseconds=1) - minutes * 60_000
    if FIRST_MS <= in_utc <= LAST_MS:
        assert milliseconds(text) == in_utc
    else:
        with pytest.raises(ValueError, match="years 1 to 9999"):
            milliseconds(text)


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01t00:00:00.0019z", 1),
        ("1970-01-01 01:00:00.5+01:00", 500),
        ("1969-12-31T23:59:59.999-00:00", -1),
        ("0001-01-01T00:00:00Z", FIRST_MS),
        ("9999-12-31T23:59:59.999999999Z", LAST_MS),
        ("0001-01-01T10:00:00+10:00", FIRST_MS),
    ],
)
def test_forms_of_a_time(text: str, ms: int) -> None:
    assert milliseconds(text) == ms


NO_TIMES = (
    "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "10000-01-01T00:00:00Z",
    "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01T24:00:00Z", "2016-12-31T23:59:60Z",
    "2026-01-01T00:00:00", "2026-01-01", "2026-01-01T00:00Z", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00+24:00",
    "2026-01-01T00:00:00+01:60", "2026-01-01T00:00:00+1", "2026-01-01T00:00:00Z\n", "٢٠٢٦-01-01T00:00:00Z", "now", "",
    "-001-01-01T00:00:00Z", "2026-W01-1T00:00:00Z", "20260101T000000Z",
)  # fmt: skip


@pytest.mark.parametrize("text", NO_TIMES)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        milliseconds(text)


def test_a_day_begins_at_midnight_in_utc() -> None:
    assert (day("1970-01-02"), day("0001-01-01")) == (86_400_000, FIRST_MS)
    for text in ("1970-1-2", "1970-01-02T00:00:00Z", "1970-02-30", ""):
        with pytest.raises(ValueError, match=r"."):
            day(text)


def test_time_zones_by_name() -> None:
    paris = zone_of("Europe/Paris")
    assert paris is not None
    assert paris.key == "Europe/Paris"


@pytest.mark.parametrize("name", ["", "Europe", "Mars/Olympus", "../etc/passwd", "/etc/localtime", "a\0b", "x" * 5_000])
def test_unknown_time_zones(name: str) -> None:
    assert zone_of(name) is None
