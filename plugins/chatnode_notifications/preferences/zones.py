"""Time zones, and what a local time means on the days when clocks change."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from chatnode.api import zone_of


def zone_or_utc(name: str | None) -> ZoneInfo:
    """The zone with this name; UTC without a name, and for a name that the database no longer has."""
    return (zone_of(name) if name else None) or ZoneInfo("UTC")


def local_time(zone: ZoneInfo, at: int) -> datetime:
    """What clocks show there at `at`, in milliseconds; whole seconds."""
    return datetime.fromtimestamp(at // 1_000, zone)


def instant(zone: ZoneInfo, local: datetime, *, last: bool = False) -> int:
    """When clocks there show `local`, a naive time, in milliseconds.

    A time that clocks skip means the first moment after the gap. Of a time that comes twice, the first is meant, or the
    `last`.
    """
    early, late = _seconds(zone, local, 0), _seconds(zone, local, 1)
    if early == late:
        return early * 1_000
    if _shows(zone, early, local) or _shows(zone, late, local):
        return (late if last else early) * 1_000
    return _end_of_gap(zone, min(early, late), max(early, late)) * 1_000


def _seconds(zone: ZoneInfo, local: datetime, fold: int) -> int:
    return int(local.replace(tzinfo=zone, fold=fold).astimezone(UTC).timestamp())


def _shows(zone: ZoneInfo, seconds: int, local: datetime) -> bool:
    return datetime.fromtimestamp(seconds, zone).replace(tzinfo=None, fold=0) == local.replace(fold=0)


def _end_of_gap(zone: ZoneInfo, before: int, after: int) -> int:
    """The first second with the offset that clocks have at `after`; at `before` they have another one."""
    offset = datetime.fromtimestamp(after, zone).utcoffset()
    while after - before > 1:
        middle = (before + after) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after
