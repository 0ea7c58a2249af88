"""Which backups to keep: the newest of each of the last days, weeks and months."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from chatnode.config import Backup

_NAME = re.compile(r"chatnode-(\d{8}T\d{6}Z)\.backup")
_FORM = "%Y%m%dT%H%M%SZ"


def name_at(ms: int) -> str:
    """`chatnode-20261121T154500Z.backup`; sorting by name sorts by time."""
    return f"chatnode-{datetime.fromtimestamp(ms / 1000, UTC).strftime(_FORM)}.backup"


def time_of(name: str) -> datetime | None:
    """The time in a backup's name; None if it is not the name of a backup."""
    found = _NAME.fullmatch(name)
    return datetime.strptime(found[1], _FORM).replace(tzinfo=UTC) if found else None


def times(directory: Path) -> list[datetime]:
    """The times of the backups in a directory, in order."""
    names = [entry.name for entry in directory.iterdir()] if directory.is_dir() else []
    return sorted(time for name in names if (time := time_of(name)))


def newest_first(names: Iterable[str], now: int) -> list[str]:
    """The backups among the names. Those that are dated later than `now` (in milliseconds) come last: a clock was wrong
    when they were made, and what is in them may be old."""
    dated = [(time.timestamp() * 1000 <= now, time, name) for name in names if (time := time_of(name))]
    return [name for _, _, name in sorted(dated, reverse=True)]


def superfluous(names: Iterable[str], settings: Backup, now: int) -> list[str]:
    """The names to delete: never the newest, and none if all three settings are 0.

    A backup that is dated later than `now` (in milliseconds), as of a clock that was wrong, neither goes nor counts: it
    is not the newest.
    """
    found = sorted(((time, name) for name in names if (time := time_of(name))), reverse=True)
    dated = [(time, name) for time, name in found if time.timestamp() * 1000 <= now]
    rules: list[tuple[int, Callable[[datetime], Hashable]]] = [
        (settings.keep_daily, lambda time: time.date()),
        (settings.keep_weekly, lambda time: time.isocalendar()[:2]),
        (settings.keep_monthly, lambda time: (time.year, time.month)),
    ]
    if not any(most for most, _ in rules):
        return []
    kept = {name for _, name in dated[:1]}
    for most, period in rules:
        newest_of: dict[Hashable, str] = {}
        for time, name in dated:
            newest_of.setdefault(period(time), name)
        kept.update(list(newest_of.values())[:most])
    return [name for _, name in dated if name not in kept]
