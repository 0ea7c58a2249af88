"""Counts of downloads, summed in memory and written together: reading a file causes no write of its own."""

from __future__ import annotations

from collections import Counter

import attrs
import trio

from chatnode.api import HOUR_MS, Context, Transaction, now_ms, record, rfc3339


@record
class _Sums:
    """What was not written yet. `files`: downloads by the file's key; `days`: by the date in UTC."""

    files: Counter[int] = attrs.field(factory=Counter[int])
    last: dict[int, int] = attrs.field(factory=dict[int, int])
    days: Counter[str] = attrs.field(factory=Counter[str])
    bytes: Counter[str] = attrs.field(factory=Counter[str])


class DownloadCounts:
    """Downloads since the last write. Used on the trio thread."""

    def __init__(self) -> None:
        self._sums = _Sums()
        self._counted: dict[tuple[int, int], int] = {}
        """When a download by a user was counted last, by the keys of file and user."""

    def served(self, size: int) -> None:
        """`size` bytes of a file or a thumbnail were sent in full."""
        self._sums.bytes[_day(now_ms())] += size

    def downloaded(self, file: int, person: int) -> None:
        """A user was sent the end of a file: one download, however often within an hour."""
        now = now_ms()
        if now - self._counted.get((file, person), 0) < HOUR_MS:
            return
        self._counted[file, person] = now
        self._sums.files[file] += 1
        self._sums.last[file] = now
        self._sums.days[_day(now)] += 1

    async def write(self, ctx: Context) -> None:
        """Write what was counted. If that fails, it is counted with the next write."""
        self._forget(now_ms())
        sums, self._sums = self._sums, _Sums()
        if not sums.bytes and not sums.files:
            return
        try:
            with trio.CancelScope(shield=True):  # cancelled, it would not know whether the write happens
                await ctx.write(lambda tx: _add(tx, sums), repeatable=True)
        except Exception:
            self._add_again(sums)
            raise

    def _forget(self, now: int) -> None:
        for pair, at in list(self._counted.items()):
            if now - at >= HOUR_MS:
                del self._counted[pair]

    def _add_again(self, sums: _Sums) -> None:
        self._sums.files.update(sums.files)
        self._sums.days.update(sums.days)
        self._sums.bytes.update(sums.bytes)
        self._sums.last = {**sums.last, **self._sums.last}


def _day(at: int) -> str:
    return rfc3339(at)[:10]


def _add(tx: Transaction, sums: _Sums) -> None:
    for file, count in sums.files.items():
        tx.execute(
            "UPDATE attachments_files SET downloads = downloads + ?, last_download_at = ? WHERE key = ?",
            (count, sums.last[file], file),
        )
    for day in sums.bytes | sums.days:
        tx.execute(
            "INSERT INTO attachments_served (day, bytes, downloads) VALUES (?, ?, ?) ON CONFLICT (day) DO UPDATE "
            "SET bytes = attachments_served.bytes + excluded.bytes, "
            "downloads = attachments_served.downloads + excluded.downloads",
            (day, sums.bytes[day], sums.days[day]),
        )
