"""Which backups are kept: after years of one every six hours, those of the last days, weeks and months."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from chatnode.config import Backup
from chatnode.storage.upkeep.rotation import name_at, newest_first, superfluous, time_of

START = datetime(2024, 1, 1, 3, tzinfo=UTC)


LATER = START + timedelta(days=365)


def ms(time: datetime) -> int:
    return int(time.timestamp() * 1000)


def name(time: datetime) -> str:
    return name_at(ms(time))


def kept_after(hours: int, every: int, settings: Backup) -> list[datetime]:
    kept: list[str] = []
    for hour in range(0, hours, every):
        kept.append(name(START + timedelta(hours=hour)))
        gone = superfluous(kept, settings, ms(START + timedelta(hours=hour)))
        kept = [each for each in kept if each not in gone]
    return [time for each in kept if (time := time_of(each))]


def test_days_weeks_and_months() -> None:
    kept = kept_after(24 * 800, 6, Backup(keep_daily=7, keep_weekly=4, keep_monthly=12))
    last = kept[-1]
    days = {time.date() for time in kept}
    assert {(last - timedelta(days=back)).date() for back in range(7)} <= days
    assert len({time.isocalendar()[:2] for time in kept if last - time < timedelta(weeks=4)}) >= 4
    assert len({(time.year, time.month) for time in kept}) == 12
    assert len(kept) <= 7 + 4 + 12


def test_the_newest_is_always_kept() -> None:
    names = [name(START), name(START + timedelta(minutes=1))]
    assert superfluous(names, Backup(keep_daily=0, keep_weekly=0, keep_monthly=1), ms(LATER)) == names[:1]


def test_with_all_settings_zero_nothing_goes() -> None:
    names = [name(START + timedelta(hours=hour)) for hour in range(1000)]
    assert superfluous(names, Backup(keep_daily=0, keep_weekly=0, keep_monthly=0), ms(LATER)) == []


def test_what_is_not_a_backup_of_the_node_is_left_alone() -> None:
    names = ["mine.backup", "chatnode-2024.backup", "before-0008_x.sqlite3", "chatnode-20240101T000000Z.backup.partial"]
    assert superfluous([*names, name(START)], Backup(keep_daily=1), ms(LATER)) == []


def test_backups_dated_ahead_of_the_clock_neither_go_nor_count() -> None:
    ahead = [name(LATER + timedelta(days=day)) for day in range(3)]
    before, made = name(START - timedelta(days=1)), name(START)
    for settings in (Backup(), Backup(keep_daily=1, keep_weekly=0, keep_monthly=0)):
        assert made not in superfluous([*ahead, made], settings, ms(START))
    assert superfluous([*ahead, before, made], settings, ms(START)) == [before]


def test_the_newest_comes_first_and_what_is_dated_ahead_last() -> None:
    ahead, before, made = name(LATER), name(START - timedelta(days=1)), name(START)
    assert newest_first([before, ahead, "files", made], ms(START)) == [made, before, ahead]
