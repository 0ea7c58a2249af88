"""When digests are due: in every zone, and when clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import pytest
from chatnode_notifications.mail.digests import (
    WEEKDAYS,
    latest_slot,
    moment_of,
    next_slot,
)
from chatnode_notifications.preferences.model import DigestTime
from chatnode_notifications.preferences.stored import read_digest
from hypothesis import example, given
from hypothesis import strategies as st

ZONES = sorted(available_timezones() - {"localtime"})
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def shown(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%MZ")


def chain(digest: DigestTime, zone: str, start: str, count: int) -> list[tuple[str, str]]:
    """The slots that follow each other, with their moments."""
    found: list[tuple[str, str]] = []
    now = ms(start)
    for _ in range(count):
        slot = next_slot(digest, ZoneInfo(zone), now)
        found.append((slot.name, shown(slot.at)))
        now = slot.at
    return found


# ---- examples


def test_a_daily_digest_at_a_time_of_the_users_clock() -> None:
    digest = DigestTime("daily", "08:30")
    assert chain(digest, "Europe/Paris", "2026-03-27T12:00Z", 3) == [
        ("2026-03-28", "2026-03-28T07:30Z"), ("2026-03-29", "2026-03-29T06:30Z"), ("2026-03-30", "2026-03-30T06:30Z"),
    ]  # fmt: skip
    assert chain(digest, "Asia/Kolkata", "2026-03-27T12:00Z", 1) == [("2026-03-28", "2026-03-28T03:00Z")]


def test_a_time_that_the_clock_skips_is_the_moment_after() -> None:
    assert chain(DigestTime("daily", "02:30"), "Europe/Paris", "2026-03-28T12:00Z", 2) == [
        ("2026-03-29", "2026-03-29T01:00Z"), ("2026-03-30", "2026-03-30T00:30Z"),
    ]  # fmt: skip


def test_a_time_that_comes_twice_is_the_first() -> None:
    assert chain(DigestTime("daily", "02:30"), "Europe/Paris", "2026-10-24T12:00Z", 2) == [
        ("2026-10-25", "2026-10-25T00:30Z"), ("2026-10-26", "2026-10-26T01:30Z"),
    ]  # fmt: skip
    # Of an hour that comes twice, too, there is one digest.
    assert chain(DigestTime("hourly", "00:10"), "Europe/Paris", "2026-10-24T23:30Z", 3) == [
        ("2026-10-25T02", "2026-10-25T00:10Z"), ("2026-10-25T03", "2026-10-25T02:10Z"),
        ("2026-10-25T04", "2026-10-25T03:10Z"),
    ]  # fmt: skip


def test_a_day_that_a_zone_skipped() -> None:
    """Samoa went from the 29th to the 31st."""
    assert chain(DigestTime("daily", "08:00"), "Pacific/Apia", "2011-12-29T00:00Z", 3) == [
        ("2011-12-29", "2011-12-29T18:00Z"), ("2011-12-30", "2011-12-30T10:00Z"), ("2011-12-31", "2011-12-30T18:00Z"),
    ]  # fmt: skip


def test_a_weekly_digest() -> None:
    digest = DigestTime("weekly", "09:00", "friday")
    assert chain(digest, "UTC", "2026-12-30T00:00Z", 2) == [
        ("2026-W53", "2027-01-01T09:00Z"), ("2027-W01", "2027-01-08T09:00Z"),
    ]  # fmt: skip


def test_of_several_that_were_missed_the_latest_is_sent() -> None:
    now = ms("2026-11-21T12:00Z")
    assert latest_slot(DigestTime("hourly", "00:00"), ZoneInfo("UTC"), now).name == "2026-11-21T12"
    assert latest_slot(DigestTime("daily", "13:00"), ZoneInfo("UTC"), now).name == "2026-11-20"
    assert latest_slot(DigestTime("weekly", "08:00", "sunday"), ZoneInfo("UTC"), now).name == "2026-W46"


def test_a_change_of_zone_does_not_bring_the_same_day_again() -> None:
    digest, now = DigestTime("daily", "08:00"), ms("2026-11-21T08:00Z")
    assert latest_slot(digest, ZoneInfo("Europe/London"), now).name == "2026-11-21"
    assert next_slot(digest, ZoneInfo("America/New_York"), now).name == "2026-11-21"


def test_columns_are_read_as_they_are_written() -> None:
    digest = DigestTime("weekly", "23:59", "sunday")
    assert read_digest('{"every":"weekly","at":"23:59","weekday":"sunday"}') == digest
    assert read_digest(None) == DigestTime()


# ---- against a slow restatement


def local_at(zone: ZoneInfo, at: datetime) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None)


def slow_moment(zone: ZoneInfo, local: datetime) -> datetime:
    """The first minute at which the clock shows `local` or later, by looking at the clock every minute."""
    at = local.replace(tzinfo=UTC) - 16 * HOUR
    assert local_at(zone, at) < local
    while local_at(zone, at) < local:
        at += MINUTE
    return at


@cache
def changes(name: str, year: int) -> tuple[datetime, ...]:
    """When the clock of a zone was or will be set in a year, to the hour."""
    zone, at, found = ZoneInfo(name), datetime(year, 1, 1, tzinfo=UTC), list[datetime]()
    before = at.astimezone(zone).utcoffset()
    while at.year == year:
        at += 12 * HOUR
        offset = at.astimezone(zone).utcoffset()
        if offset != before:
            hour = at - 12 * HOUR
            while hour.astimezone(zone).utcoffset() == before:
                hour += HOUR
            found.append(hour)
        before = offset
    return tuple(found)


@st.composite
def moments(draw: st.DrawFn) -> tuple[str, datetime]:
    """A zone and a moment, which is near a change of its clock if it has any."""
    name = draw(st.sampled_from(ZONES))
    near = changes(name, draw(st.integers(2005, 2034)))
    if near and draw(st.integers(0, 3)):
        return name, draw(st.sampled_from(near)) + draw(st.integers(-30 * 60, 30 * 60)) * MINUTE
    return name, draw(st.datetimes(datetime(2005, 1, 1), datetime(2034, 1, 1), timezones=st.just(UTC)))


digests = st.builds(
    DigestTime, st.sampled_from(["hourly", "daily", "weekly"]),
    st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59)), st.sampled_from(WEEKDAYS),
)  # fmt: skip


@given(moments())
@example(("Pacific/Apia", datetime(2011, 12, 30, 20, tzinfo=UTC)))
@example(("Australia/Lord_Howe", datetime(2026, 10, 3, 15, 45, tzinfo=UTC)))
@example(("Antarctica/Troll", datetime(2026, 3, 29, 1, 30, tzinfo=UTC)))
def test_a_moment_is_the_first_at_which_the_clock_is_there(given: tuple[str, datetime]) -> None:
    name, at = given
    local = at.replace(tzinfo=None, second=0, microsecond=0)
    assert moment_of(ZoneInfo(name), local) == slow_moment(ZoneInfo(name), local)


@given(moments(), digests)
@example(("Pacific/Apia", datetime(2011, 12, 30, 12, tzinfo=UTC)), DigestTime("hourly", "00:30"))
def test_between_the_latest_slot_and_the_next_there_is_none(given: tuple[str, datetime], digest: DigestTime) -> None:
    name, at = given
    zone, now = ZoneInfo(name), int(at.timestamp() * 1000)
    latest, following = latest_slot(digest, zone, now), next_slot(digest, zone, now)
    assert latest.at <= now < following.at
    names = {
        slot: int(moment_of(zone, local).timestamp() * 1000) for slot, local in all_slots(digest, local_at(zone, at))
    }
    assert names[latest.name] == latest.at
    assert names[following.name] == following.at
    assert not [slot for slot, when in names.items() if latest.at < when < following.at]


def all_slots(digest: DigestTime, here: datetime) -> list[tuple[str, datetime]]:
    """The slots of a month around a time, from the words of the documentation."""
    days = [here.replace(hour=0, minute=0, second=0, microsecond=0) + number * DAY for number in range(-16, 17)]
    hours, minutes = map(int, digest.at.split(":"))
    if digest.every == "hourly":
        return [
            (f"{day:%Y-%m-%d}T{hour:02}", day + hour * HOUR + minutes * MINUTE)
            for day in days[13:20] for hour in range(24)
        ]  # fmt: skip
    at = hours * HOUR + minutes * MINUTE
    if digest.every == "daily":
        return [(f"{day:%Y-%m-%d}", day + at) for day in days]
    chosen = [day for day in days if WEEKDAYS[day.weekday()] == digest.weekday]
    return [("{}-W{:02}".format(*day.isocalendar()[:2]), day + at) for day in chosen]


@pytest.mark.parametrize(
    "digest", [DigestTime("daily", "02:30"), DigestTime("daily", "00:00"), DigestTime("hourly", "00:15")]
)
def test_in_every_zone_each_day_and_hour_has_one_digest_around_each_change(digest: DigestTime) -> None:
    """A digest is sent when its slot comes, so a chain of next slots is what a user gets."""
    seen = set[tuple[datetime, timedelta | None, timedelta | None]]()
    for name in ZONES:
        zone = ZoneInfo(name)
        for change in (*changes(name, 2011), *changes(name, 2026)):
            before, after = ((change + hours * HOUR).astimezone(zone).utcoffset() for hours in (-1, 0))
            kind = (change, before, after)
            if kind in seen:
                continue  # the clocks of many zones are set alike
            seen.add(kind)
            now, end = (int((change + hours * HOUR).timestamp() * 1000) for hours in (-26, 26))
            names = list[str]()
            while now < end:
                slot = next_slot(digest, zone, now)
                names.append(slot.name)
                now = slot.at
            assert len(set(names)) == len(names), (name, change)
            assert names == sorted(names), (name, change)
    assert len(seen) > 50
