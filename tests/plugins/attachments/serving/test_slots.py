"""A user's downloads at a time: those above the maximum wait, and no longer than a while."""

from __future__ import annotations

import gc

import pytest
import trio
from chatnode_attachments.slots import DownloadSlots

from chatnode.api import Refusal


async def test_a_download_waits_for_a_slot_of_its_user(autojump_clock: object) -> None:
    slots, began = DownloadSlots(2), []

    async def download(person: int, seconds: float) -> None:
        slot = await slots.acquire(person)
        began.append((person, trio.current_time() - start))
        await trio.sleep(seconds)
        slot.release()

    start = trio.current_time()
    async with trio.open_nursery() as nursery:
        for person in (1, 1, 1, 2):
            nursery.start_soon(download, person, 5)
    assert sorted(began) == [(1, 0), (1, 0), (1, 5), (2, 0)]


async def test_who_waits_too_long_is_told_to_come_again(autojump_clock: object) -> None:
    slots = DownloadSlots(1)
    slot = await slots.acquire(1)
    with pytest.raises(Refusal) as refused:
        await slots.acquire(1)
    assert (refused.value.code, refused.value.retry_after) == ("unavailable", 5)
    slot.release()
    (await slots.acquire(1)).release()


async def test_a_waiting_download_that_is_given_up_takes_no_slot(autojump_clock: object) -> None:
    slots = DownloadSlots(1)
    slot = await slots.acquire(1)
    with trio.move_on_after(1):
        await slots.acquire(1)
    slot.release()
    with trio.fail_after(1):
        await slots.acquire(1)


async def test_zero_is_no_limit() -> None:
    slots = DownloadSlots(0)
    for _ in range(100):
        await slots.acquire(1)


async def test_users_without_downloads_are_forgotten() -> None:
    slots = DownloadSlots(1)
    for person in range(100):
        (await slots.acquire(person)).release()
    gc.collect()
    assert len(slots._people) == 0
