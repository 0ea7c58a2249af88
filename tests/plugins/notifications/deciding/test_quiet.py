"""Quiet hours: in every zone, and on the days when its clocks change."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from chatnode_notifications.deciding.quiet import quiet_until
from chatnode_notifications.preferences.model import WEEKDAYS, QuietWindow
from chatnode_notifications.preferences.zones import instant
from hypothesis import given
from hypothesis import strategies as st

from chatnode.api import zone_of

DAY = timedelta(days=1)
STEP = 15 * 60
"""Seconds; in our time, clocks differ from UTC by multiples of it."""
NIGHT = QuietWindow("22:00", "07:00")


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1_000)


@pytest.mark.parametrize(
    ("at", "until"),
    [
        ("2026-07-01T19:59:59Z", None),  # 21:59:59 there
        ("2026-07-01T20:00:00Z", "2026-07-02T05:00:00Z"),
        ("2026-07-02T04:59:59Z", "2026-07-02T05:00:00Z"),
        ("2026-07-02T05:00:00Z", None),
        ("2026-12-01T20:00:00Z", None),  # in winter, it is 21:00
        ("2026-12-01T21:00:00Z", "2026-12-02T06:00:00Z"),
        ("2026-03-28T21:00:00Z", "2026-03-29T05:00:00Z"),  # the short night
        ("2026-10-24T20:00:00Z", "2026-10-25T06:00:00Z"),  # the long one
    ],
)
def test_a_night_in_paris(at: str, until: str | None) -> None:
    assert quiet_until([NIGHT], "Europe/Paris", ms(at)) == (ms(until) if until else None)


def test_weekdays_are_those_on_which_it_begins() -> None:
    friday = [QuietWindow("22:00", "10:00", ["friday"])]  # 2026-07-03 is one
    assert quiet_until(friday, "UTC", ms("2026-07-04T09:00:00Z")) == ms("2026-07-04T10:00:00Z")
    assert quiet_until(friday, "UTC", ms("2026-07-03T09:00:00Z")) is None
    assert quiet_until(friday, "UTC", ms("2026-07-04T23:00:00Z")) is None


def test_windows_that_follow_each_other_end_together() -> None:
    weekend = [NIGHT, QuietWindow("00:00", "00:00", ["saturday", "sunday"])]
    assert quiet_until(weekend, "UTC", ms("2026-07-03T23:00:00Z")) == ms("2026-07-06T07:00:00Z")
    always = [QuietWindow("00:00", "00:00")]
    end = quiet_until(always, "UTC", ms("2026-07-03T23:00:00Z"))
    assert end is not None
    assert end > ms("2026-07-10T00:00:00Z")


def test_a_skipped_hour_ends_with_the_gap_and_one_that_comes_twice_is_quiet_twice() -> None:
    spring, autumn = ms("2026-03-29T01:00:00Z"), ms("2026-10-25T01:00:00Z")  # when clocks change in Paris
    until_half_past = [QuietWindow("22:00", "02:30")]
    assert quiet_until(until_half_past, "Europe/Paris", spring - 1) == spring
    assert quiet_until(until_half_past, "Europe/Paris", autumn - 45 * 60_000) == ms("2026-10-25T01:30:00Z")
    from_half_past = [QuietWindow("02:30", "05:00")]
    assert quiet_until(from_half_past, "Europe/Paris", spring - 1) is None
    assert quiet_until(from_half_past, "Europe/Paris", spring) == ms("2026-03-29T03:00:00Z")


def test_a_day_that_a_zone_skips() -> None:
    """There was no 30 December 2011 in Samoa."""
    window = [QuietWindow("12:00", "13:00", ["friday"])]
    around = range(ms("2011-12-30T00:00:00Z"), ms("2011-12-31T20:00:00Z"), 3_600_000)
    assert [quiet_until(window, "Pacific/Apia", at) for at in around] == [None] * len(around)


def test_an_unknown_zone_counts_as_utc() -> None:
    assert quiet_until([NIGHT], "Mars/Olympus", ms("2026-07-01T23:00:00Z")) == ms("2026-07-02T07:00:00Z")
    assert quiet_until([NIGHT], None, ms("2026-07-01T23:00:00Z")) == ms("2026-07-02T07:00:00Z")


# ---- restated


def readings(zone: ZoneInfo, since: int, until: int) -> list[tuple[int, datetime]]:
    """What clocks show, one quarter of an hour after the other; in seconds."""
    return [(at, datetime.fromtimestamp(at, zone).replace(tzinfo=None)) for at in range(since, until, STEP)]


def restated(window: QuietWindow, shown: list[tuple[int, datetime]], days: list[date]) -> list[tuple[int, int]]:
    """The window's hours: from the first reading of its beginning or a later one, until after the last reading before
    its end."""
    begins, ends = time.fromisoformat(window.begins), time.fromisoformat(window.ends)
    found: list[tuple[int, int]] = []
    for day in days:
        if window.days is not None and WEEKDAYS[day.weekday()] not in window.days:
            continue
        first = datetime.combine(day, begins)
        last = datetime.combine(day if ends > begins else day + DAY, ends)
        since = next(at for at, here in shown if here >= first)
        until = max(at for at, here in shown if here < last) + STEP
        found.append((since * 1_000, until * 1_000))
    return found


def changes(zone: ZoneInfo) -> Iterator[int]:
    """About when its clocks change in 2026, in seconds: days that begin with another offset than the day before."""
    start = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
    offsets = [datetime.fromtimestamp(start + day * 86_400, zone).utcoffset() for day in range(366)]
    return (start + day * 86_400 for day in range(1, 366) if offsets[day] != offsets[day - 1])


WINDOWS = (
    NIGHT, QuietWindow("00:00", "02:30"), QuietWindow("02:30", "03:15"), QuietWindow("23:45", "23:45"),
    QuietWindow("01:00", "01:15", ["sunday"]),
)  # fmt: skip


def test_every_zone_on_the_days_when_its_clocks_change() -> None:
    changed, seen = 0, set[tuple[datetime, ...]]()
    for name in sorted(available_timezones()):
        zone = zone_of(name)
        assert zone is not None
        for change in changes(zone):
            changed += 1
            middle = datetime.fromtimestamp(change, zone).date()
            shown = readings(zone, change - 5 * 86_400, change + 5 * 86_400)
            if (same := tuple(here for _, here in shown)) in seen:
                continue  # another name of a zone
            seen.add(same)
            days = [middle + n * DAY for n in (-3, -2, -1, 0, 1, 2)]
            for window in WINDOWS:
                hours = restated(window, shown, days)
                edges = [edge for pair in hours for edge in pair if abs(edge / 1_000 - change) < 2 * 86_400]
                for at in [edge + moved for edge in edges for moved in (-1, 0)]:
                    expected = next((until for since, until in hours if since <= at < until), None)
                    if window.begins == window.ends:  # without a break
                        assert (quiet_until([window], name, at) or 0) > at, (name, at)
                    else:
                        assert quiet_until([window], name, at) == expected, (name, window, at)
    assert changed > 100  # there are zones with summer time


@given(
    st.sampled_from(sorted(available_timezones())),
    st.datetimes(datetime(1950, 1, 1), datetime(2037, 1, 1)),
    st.booleans(),
)
def test_the_moment_of_a_local_time(name: str, local: datetime, last: bool) -> None:
    """Clocks show it then; or they skip it, and then they have just been moved beyond it."""
    zone, local = ZoneInfo(name), local.replace(microsecond=0)
    at = instant(zone, local, last=last) // 1_000
    here = datetime.fromtimestamp(at, zone).replace(tzinfo=None)
    if here != local:
        before = datetime.fromtimestamp(at - 1, zone).replace(tzinfo=None)
        assert before < local < here
