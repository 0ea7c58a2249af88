"""When digests are due: once an hour, day or week at a time of the user's own clock. Pure arithmetic.

A slot is a local hour, day or week, and has one digest: so a change of zone, or an hour that comes twice in autumn,
cannot send two. A slot's moment is the first one at which the local clock shows its time or a later one: a time that
clocks skip in spring is the moment of the change.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from chatnode.api import record
from chatnode_notifications.preferences.model import WEEKDAYS, DigestTime

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_HOURS_AROUND, _DAYS_AROUND, _WEEKS_AROUND = 5, 3, 2
"""How many hours, days and weeks around a moment can have the slots before and after it. Since 1970, no zone has set
its clock back by more than 4 hours; a few have skipped a day, whose slots all fall on the moment after it."""


@record(frozen=True)
class DigestSlot:
    """`name` is unique among the slots of a user; `at` is its moment in milliseconds."""

    name: str
    at: int


def next_slot(digest: DigestTime, zone: ZoneInfo, now: int) -> DigestSlot:
    """The first slot after `now`, in milliseconds."""
    return next(slot for slot in _slots(digest, zone, now) if slot.at > now)


def latest_slot(digest: DigestTime, zone: ZoneInfo, now: int) -> DigestSlot:
    """The last slot up to `now`, in milliseconds: the one to send when several were missed."""
    found = [slot for slot in _slots(digest, zone, now) if slot.at <= now]
    return found[-1]


def _slots(digest: DigestTime, zone: ZoneInfo, now: int) -> Iterator[DigestSlot]:
    """The slots around `now`, in their order."""
    here = datetime.fromtimestamp(now / 1000, zone).replace(tzinfo=None)
    for name, local in _local_slots(digest, here):
        yield DigestSlot(name, int(moment_of(zone, local).timestamp() * 1000))


def _local_slots(digest: DigestTime, here: datetime) -> Iterator[tuple[str, datetime]]:
    if digest.every == "hourly":
        hour = here.replace(minute=0, second=0, microsecond=0)
        for number in range(-_HOURS_AROUND, _HOURS_AROUND + 1):
            local = hour + number * _HOUR
            yield f"{local:%Y-%m-%dT%H}", local + digest.from_midnight % _HOUR
        return
    day = here.replace(hour=0, minute=0, second=0, microsecond=0)
    step, around = _DAY, _DAYS_AROUND
    if digest.every == "weekly":
        day += (WEEKDAYS.index(digest.weekday) - day.weekday()) * _DAY
        step, around = (7 * _DAY, _WEEKS_AROUND)
    for number in range(-around, around + 1):
        local = day + number * step
        name = f"{local:%G-W%V}" if digest.every == "weekly" else f"{local:%Y-%m-%d}"
        yield name, local + digest.from_midnight


def moment_of(zone: ZoneInfo, local: datetime) -> datetime:
    """The first moment, in UTC, at which the clock of the zone shows the time `local` or a later one."""
    early, late = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (1, 0))
    if early >= late:
        return late  # the usual time, and the first of two
    # The clock skips this time: the change is between what it would be by the new offset and by the old one.
    before, after = int(early.timestamp()), int(late.timestamp())
    while after - before > 1:
        middle = (before + after) // 2
        if datetime.fromtimestamp(middle, zone).replace(tzinfo=None) >= local:
            after = middle
        else:
            before = middle
    return datetime.fromtimestamp(after, UTC)
