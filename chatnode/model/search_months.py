"""Stretches of time as marks of the index: decades, years and months, so that few of them cover any stretch."""

from __future__ import annotations

from datetime import UTC, datetime

LAST_YEAR = 2099
"""Whatever is said to be later counts as of its last month."""

LAST_MS = round(datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC).timestamp() * 1000) - 1


def marks(at: str, mark: str) -> str:
    """SQL that gives the three marks of a time in milliseconds since 1970; `mark` begins each."""
    month = f"strftime('%Y%m', min({at}, {LAST_MS}) / 1000, 'unixepoch')"
    return f"'{mark}d' || substr({month}, 1, 3) || ' {mark}y' || substr({month}, 1, 4) || ' {mark}t' || {month}"


def cover(since: int | None, until: int | None) -> list[str]:
    """The fewest marks of which every message from `since` to before `until` has one; others may have them too."""
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
