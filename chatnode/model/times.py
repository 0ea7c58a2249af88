"""Times: whole milliseconds since 1970 in UTC inside, RFC 3339 with milliseconds outside."""

from __future__ import annotations

import time
from datetime import datetime
from functools import lru_cache

DAY_MS = 86_400_000


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def rfc3339(ms: int) -> str:
    """`2026-11-21T10:17:06.042Z`; the form every `at` has on the wire."""
    days, rest = divmod(ms, DAY_MS)
    minute, rest = divmod(rest, 60_000)
    second, rest = divmod(rest, 1000)
    return f"{_day(days)}{_MINUTES[minute]}{_SECONDS[second]}{_MILLISECONDS[rest]}"


def milliseconds(text: str) -> int:
    """The time that an RFC 3339 text names; raises `ValueError` when there is no such time."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


# Thousands of times may be shown together, and no two within the same second.
_MINUTES = tuple(f"T{hour:02d}:{minute:02d}:" for hour in range(24) for minute in range(60))
_SECONDS = tuple(f"{second:02d}." for second in range(60))
_MILLISECONDS = tuple(f"{rest:03d}Z" for rest in range(1000))


@lru_cache(maxsize=4096)  # ten years
def _day(days: int) -> str:
    moment = time.gmtime(days * 86_400)
    return f"{moment.tm_year:04d}{time.strftime('-%m-%d', moment)}"
