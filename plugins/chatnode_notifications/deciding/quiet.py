"""Quiet hours, in the zone of the user: over midnight, on some weekdays, and on the days when clocks change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from chatnode_notifications.preferences.model import WEEKDAYS, QuietWindow
from chatnode_notifications.preferences.zones import instant, local_time, zone_or_utc

_MOST_CHAINED = 2 * 7
"""Windows that follow each other without a break are one; looked at for up to two weeks of whole days."""
_MOST_BACK = timedelta(hours=5)
"""More than any zone has set its clocks back by since 1970."""
_DAYS_AROUND = (-2, -1, 0, 1)
"""Days on which a window may have begun that is open now: it is at most a day long, and a zone may skip a day."""


def quiet_until(windows: Sequence[QuietWindow], zone: str | None, now: int) -> int | None:
    """When the quiet hours end that it is in at `now`; None outside of them. Times are in milliseconds."""
    end, here = now, zone_or_utc(zone)
    for _ in range(_MOST_CHAINED):
        found = [until for window in windows for since, until in _periods(window, here, end) if since <= end < until]
        if not found:
            break
        end = max(found)
    return end if end > now else None


def _periods(window: QuietWindow, zone: ZoneInfo, around: int) -> Iterator[tuple[int, int]]:
    """The window's hours near a time. They begin with the first moment when clocks show `begins`, and end with the last
    when they show `ends`: on a night on which an hour comes twice, nothing rings before its end."""
    here = local_time(zone, around).replace(tzinfo=None)
    begins, ends = time.fromisoformat(window.begins), time.fromisoformat(window.ends)
    for days in _DAYS_AROUND:
        day = here.date() + timedelta(days=days)
        if window.days is None or WEEKDAYS[day.weekday()] in window.days:
            first = datetime.combine(day, begins)
            last = datetime.combine(day if ends > begins else day + timedelta(days=1), ends)
            if first - _MOST_BACK <= here <= last + _MOST_BACK:
                yield instant(zone, first), instant(zone, last, last=True)
