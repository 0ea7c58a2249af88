"""Periods as marks in the index: decades, years and months, so that a few marks cover any period."""

from __future__ import annotations

from datetime import UTC, datetime

LAST_YEAR = 2099
"""Later times count as in the last month."""

LAST_MS = round(datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC).timestamp() * 1000) - 1


def marks(at: str, mark: str) -> str:
    """SQL for the three marks of a time in milliseconds since 1970; each begins with `mark`."""
    month = f"strftime('%Y%m', min({at}, {LAST_MS}) / 1000, 'unixepoch')"
    return f"'{mark}d' || substr({month}, 1, 3) || ' {mark}y' || substr({month}, 1, 4) || ' {mark}t' || {month}"


def cover(since: int | None, until: int | None) -> list[str]:
    """The fewest marks such that every message from `since` to before `until` has one; other messages may have them
    too."""
    month = _month(since or 0)
    last = _month(until - 1 if until is not None else LAST_MS)
    found: list[str] = []
    while month <= last:
        year, of_year = divmod(month, 12)
        if month % 120 == 0 and month + 119 <= last:
            found.append(f"d{year // 10}")
            month += 120
        elif of_year == 0 and month + 11 <= last:
            found.append(f"y{year}")
            month += 12
        else:
            found.append(f"t{year}{of_year + 1:02d}")
            month += 1
    return found


def _month(at: int) -> int:
    """Months since the year 0."""
    time = datetime.fromtimestamp(max(0, min(at, LAST_MS)) / 1000, UTC)
    return time.year * 12 + time.month - 1
