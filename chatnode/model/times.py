"""Times: internally milliseconds since 1970 in UTC; on the wire RFC 3339 with milliseconds."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
FIRST_MS = -62_135_596_800_000
LAST_MS = 253_402_300_799_999
"""The first and the last millisecond that RFC 3339 can name: of the years 1 and 9999, in UTC."""

_CLOCK = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
FORM = rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[Tt ]{_CLOCK}:[0-5][0-9](?:\.[0-9]{{1,9}})?(?:[Zz]|[+-]{_CLOCK})"
"""A regular expression for times on the wire. Not every match is a valid time, such as February 30th."""
_PARTS = re.compile(r"(.{10}).(.{8})\.?([0-9]*)(?:[Zz]|([+-])(..):(..))")
_form = re.compile(FORM)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def rfc3339(ms: int) -> str:
    """`2026-11-21T10:17:06.042Z`; the form every `at` has on the wire."""
    days, rest = divmod(ms, DAY_MS)
    minute, rest = divmod(rest, 60_000)
    second, rest = divmod(rest, 1000)
    return f"{_day(days)}{_MINUTES[minute]}{_SECONDS[second]}{_MILLISECONDS[rest]}"


def rfc3339_or_none(ms: int | None) -> str | None:
    """A time as on the wire, if there is one."""
    return None if ms is None else rfc3339(ms)


def milliseconds(text: str) -> int:
    """Parse a time that a client sent, in RFC 3339 with an offset.

    Digits below the millisecond are cut off. Raises `ValueError` for an invalid time, including leap seconds, which
    milliseconds since 1970 do not count, and for one outside the years 1 to 9999 in UTC.
    """
    found = _PARTS.fullmatch(text) if _form.fullmatch(text) else None
    if found is None:
        raise ValueError("a time has the form 2026-11-21T10:17:06Z")
    date, clock, fraction, sign, hours, minutes = found.groups()
    moment = datetime.fromisoformat(f"{date}T{clock}").replace(tzinfo=UTC)
    offset = (int(hours) * 60 + int(minutes)) * 60_000 if sign else 0
    ms = (moment - _EPOCH) // _MILLISECOND + int(f"{fraction:0<3}"[:3]) + (offset if sign == "-" else -offset)
    if not FIRST_MS <= ms <= LAST_MS:
        raise ValueError("times must be within the years 1 to 9999 in UTC")
    return ms


def day(text: str) -> int:
    """When a day such as `2026-01-31` begins in UTC. Raises `ValueError` for an invalid day."""
    return milliseconds(f"{text}T00:00:00Z")


@lru_cache(1_024)  # bounded: users may send any text
def zone_of(name: str) -> ZoneInfo | None:
    """The time zone with this IANA name, such as Europe/Paris; None if this machine knows no such zone."""
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        return None


_MILLISECOND = timedelta(milliseconds=1)

# Thousands of times may be shown together, and no two within the same second.
_MINUTES = tuple(f"T{hour:02d}:{minute:02d}:" for hour in range(24) for minute in range(60))
_SECONDS = tuple(f"{second:02d}." for second in range(60))
_MILLISECONDS = tuple(f"{rest:03d}Z" for rest in range(1000))


@lru_cache(maxsize=4096)  # ten years
def _day(days: int) -> str:
    moment = time.gmtime(days * 86_400)
    return f"{moment.tm_year:04d}{time.strftime('-%m-%d', moment)}"
