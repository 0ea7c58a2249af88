"""Downloads are counted once for each user, file and hour, and written together."""

from __future__ import annotations

import pytest
from chatnode_attachments import counts as module
from chatnode_attachments.counts import DownloadCounts

from chatnode.testing import User

from .storing import Storing

HOUR = 3_600_000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The time in milliseconds, which the test sets."""
    times = [1_790_000_000_000]
    monkeypatch.setattr(module, "now_ms", lambda: times[0])
    return times


async def downloads(storing: Storing) -> list[tuple[int, int | None]]:
    return await storing.rows("SELECT downloads, last_download_at FROM attachments_files ORDER BY key")


async def test_a_user_counts_once_an_hour_for_each_file(storing: Storing, clock: list[int]) -> None:
    ann, counts, start = await User.new(storing.node, "ann"), DownloadCounts(), clock[0]
    one, two = await storing.file(ann, b"one"), await storing.file(ann, b"two")
    for person in (7, 7, 8):
        counts.downloaded(one.key, person)
    counts.downloaded(two.key, 7)
    await counts.write(storing.context)
    assert await downloads(storing) == [(2, start), (1, start)]
    clock[0] = start + HOUR - 1
    counts.downloaded(one.key, 7)
    await counts.write(storing.context)
    assert await downloads(storing) == [(2, start), (1, start)]
    clock[0] = start + HOUR
    counts.downloaded(one.key, 7)
    await counts.write(storing.context)
    assert await downloads(storing) == [(3, start + HOUR), (1, start)]


async def test_what_was_sent_is_summed_for_each_day(storing: Storing, clock: list[int]) -> None:
    ann, counts = await User.new(storing.node, "ann"), DownloadCounts()
    one = await storing.file(ann, b"one")
    for _ in range(2):
        for _ in range(3):
            counts.served(100)
        counts.downloaded(one.key, 7)
        await counts.write(storing.context)
    clock[0] += 24 * HOUR
    counts.served(5)
    counts.downloaded(one.key, 7)
    await counts.write(storing.context)
    served = await storing.rows("SELECT day, bytes, downloads FROM attachments_served ORDER BY day")
    assert served == [("2026-09-21", 600, 1), ("2026-09-22", 5, 1)]


async def test_nothing_new_writes_nothing(storing: Storing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_add", None)  # what would fail
    await DownloadCounts().write(storing.context)


async def test_a_write_that_fails_is_made_up_for(
    storing: Storing, clock: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, counts = await User.new(storing.node, "ann"), DownloadCounts()
    one = await storing.file(ann, b"one")
    counts.downloaded(one.key, 7)
    counts.served(3)

    def full(*_: object) -> None:
        counts.downloaded(one.key, 8)  # counted while the write runs
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(module, "_add", full)
        with pytest.raises(OSError, match="disk full"):
            await counts.write(storing.context)
    await counts.write(storing.context)
    assert await downloads(storing) == [(2, clock[0])]
    assert await storing.rows("SELECT bytes, downloads FROM attachments_served") == [(3, 2)]


async def test_what_is_over_is_forgotten(storing: Storing, clock: list[int]) -> None:
    counts = DownloadCounts()
    for file in range(100):
        counts.downloaded(file, 7)
    clock[0] += HOUR
    await counts.write(storing.context)
    assert not counts._counted
