"""Hours in which a broadcast is sent, in the zone of each recipient."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from chatnode.api import record, zone_of

_DAY = 1_440


@record(frozen=True)
class Window:
    """From minute `opens` of the day up to and without `closes`; 22:00 to 06:00 is over midnight."""

    opens: int
    closes: int

    def is_open(self, zone: str, now: int) -> bool:
        """Whether it is open there at `now`, in milliseconds."""
        minute = self._minute(_local(zone, now))
        if self.opens <= self.closes:
            return self.opens <= minute < self.closes
        return minute >= self.opens or minute < self.closes

    def next_opening(self, zone: str, now: int) -> int:
        """When it opens there, in milliseconds; `now` while it is open."""
        if self.is_open(zone, now):
            return now
        hour, minute = divmod(self.opens % _DAY, 60)  # 24:00 is also the beginning of a day
        opening = _local(zone, now).replace(hour=hour, minute=minute, second=0, microsecond=0)
        moments = (moment for days in range(3) for moment in _moments(opening + timedelta(days=days)))
        return min(moment for moment in moments if moment > now)

    @staticmethod
    def _minute(at: datetime) -> int:
        return at.hour * 60 + at.minute


def minutes_of(text: str) -> int:
    """`09:30` as minutes; `24:00` is the end of the day."""
    hours, _, minutes = text.partition(":")
    return min(int(hours) * 60 + int(minutes), _DAY)


def as_time(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _local(zone: str, now: int) -> datetime:
    return datetime.fromtimestamp(now / 1000, zone_of(zone) or UTC)


def _moments(at: datetime) -> tuple[int, int]:
    """When it is this time there: twice at the end of summer time. One that clocks skip in spring is an hour later."""
    first, second = (int(at.replace(fold=fold).astimezone(UTC).timestamp() * 1000) for fold in (0, 1))
    return first, max(first, second)
