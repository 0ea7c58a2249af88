"""When digests are due: once an hour, day or week at a time of the user's own clock. Pure arithmetic.

A slot is a local hour, day or week, and has one digest: so a change of zone, or an hour that comes twice in autumn,
cannot send two. A slot's moment is the first one at which the local clock shows its time or a later one: a time that
clocks skip in spring is the moment of the change.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo

import orjson

from chatnode.api import Text, record

Every = Literal["hourly", "daily", "weekly"]
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[str, ...] = get_args(Weekday)
TimeOfDay = Annotated[str, Text(5, 5, r"([01][0-9]|2[0-3]):[0-5][0-9]", hint="expected a time of day, such as 08:00")]

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_HOURS_AROUND, _DAYS_AROUND, _WEEKS_AROUND = 5, 3, 2
"""How many hours, days and weeks around a moment can have the slots before and after it. Since 1970, no zone has set
its clock back by more than 4 hours; a few have skipped a day, whose slots all fall on the moment after it."""


@record(frozen=True)
class Digest:
    """When a user wants digests: at the minute of `at` each hour, at `at` each day, or at `at` on `weekday`."""

    every: Every = "daily"
    at: TimeOfDay = "08:00"
    weekday: Weekday = "monday"

    @property
    def time(self) -> timedelta:
        """`at`, from midnight on."""
        return timedelta(hours=int(self.at[:2]), minutes=int(self.at[3:]))


@record(frozen=True)
class DigestSlot:
    """`name` is unique among the slots of a user; `at` is its moment in milliseconds."""

    name: str
    at: int


def read_digest(text: str | None) -> Digest:
    """The digest of the column `digest` of `notifications_people`; the default for what it does not say."""
    fields: dict[str, Any] = orjson.loads(text) if text else {}
    return Digest(**{name: fields[name] for name in ("every", "at", "weekday") if fields.get(name)})


@lru_cache(maxsize=1_024)
def zone_of(name: str | None) -> ZoneInfo:
    """The zone with this IANA name; UTC for none, and for one that the machine does not know (any more)."""
    try:
        return ZoneInfo(name or "UTC")
    except (OSError, ValueError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        return ZoneInfo("UTC")


def next_slot(digest: Digest, zone: ZoneInfo, now: int) -> DigestSlot:
    """The first slot after `now`, in milliseconds."""
    return next(slot for slot in _slots(digest, zone, now) if slot.at > now)


def latest_slot(digest: Digest, zone: ZoneInfo, now: int) -> DigestSlot:
    """The last slot up to `now`, in milliseconds: the one to send when several were missed."""
    found = [slot for slot in _slots(digest, zone, now) if slot.at <= now]
    return found[-1]


def _slots(digest: Digest, zone: ZoneInfo, now: int) -> Iterator[DigestSlot]:
    """The slots around `now`, in their order."""
    here = datetime.fromtimestamp(now / 1000, zone).replace(tzinfo=None)
    for name, local in _local_slots(digest, here):
        yield DigestSlot(name, int(moment_of(zone, local).timestamp() * 1000))


def _local_slots(digest: Digest, here: datetime) -> Iterator[tuple[str, datetime]]:
    if digest.every == "hourly":
        hour = here.replace(minute=0, second=0, microsecond=0)
        for number in range(-_HOURS_AROUND, _HOURS_AROUND + 1):
            local = hour + number * _HOUR
            yield f"{local:%Y-%m-%dT%H}", local + digest.time % _HOUR
        return
    day = here.replace(hour=0, minute=0, second=0, microsecond=0)
    step, around = _DAY, _DAYS_AROUND
    if digest.every == "weekly":
        day += (WEEKDAYS.index(digest.weekday) - day.weekday()) * _DAY
        step, around = (7 * _DAY, _WEEKS_AROUND)
    for number in range(-around, around + 1):
        local = day + number * step
        name = f"{local:%G-W%V}" if digest.every == "weekly" else f"{local:%Y-%m-%d}"
        yield name, local + digest.time


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
