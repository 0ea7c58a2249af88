"""The low-priority lane: what bulk work writes is carried out as promised, and no other write waits for much of it."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import attrs
import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from chatnode.errors import Refusal
from chatnode.storage.engine.connection import Reader, connect_reader
from chatnode.storage.engine.group import QueuedCall
from chatnode.storage.engine.lane import (
    BUSY_CHECKPOINT_SECONDS,
    BUSY_SECONDS,
    BUSY_SLICE_SECONDS,
    QUIET_CHECKPOINT_SECONDS,
    QUIET_SLICE_SECONDS,
    REST,
    LowLane,
)
from chatnode.storage.engine.transaction import Transaction
from tests.storage.harness import (
    Gate,
    Note,
    Published,
    break_commit,
    full_disk,
    held_up,
    logged,
    noted,
    opened,
    statements_of,
)

# ---- when a slice is due


@attrs.define
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def slice_() -> QueuedCall[None]:
    return QueuedCall(lambda _: None, None)


def test_slices_follow_each_other_while_nobody_else_writes() -> None:
    lane = LowLane(Clock())
    first, second = slice_(), slice_()
    lane.put(first)
    lane.put(second)
    assert lane.due_in() == 0
    assert lane.slice_seconds() == QUIET_SLICE_SECONDS
    assert lane.take() is first
    lane.took(0.03)
    assert lane.take() is second
    assert lane.take() is lane.due_in() is None


def test_the_lane_rests_after_a_slice_while_others_write() -> None:
    clock = Clock()
    lane = LowLane(clock)
    for _ in range(2):
        lane.put(slice_())
    lane.wrote_ordinary()
    assert lane.slice_seconds() == BUSY_SLICE_SECONDS
    assert lane.take() is not None, "the first does not wait"
    lane.took(0.002)
    assert lane.take() is None
    assert lane.due_in() == pytest.approx(REST * 0.002)
    clock.now += REST * 0.002
    assert lane.take() is not None


def test_the_rest_ends_when_others_have_stopped_writing() -> None:
    clock = Clock()
    lane = LowLane(clock)
    lane.put(slice_())
    lane.wrote_ordinary()
    lane.took(10.0)
    assert lane.take() is None
    clock.now += BUSY_SECONDS
    assert lane.take() is not None


@pytest.mark.parametrize(("busy", "most"), [(True, BUSY_CHECKPOINT_SECONDS), (False, QUIET_CHECKPOINT_SECONDS)])
def test_a_checkpoint_is_due_after_so_much_work(busy: bool, most: float) -> None:
    lane = LowLane(Clock())
    due: list[bool] = []
    for _ in range(8):
        if busy:
            lane.wrote_ordinary()
        due.append(lane.took(most / 3.9))
    assert due == [False, False, False, True] * 2


# ---- in the writer


async def test_a_slice_is_carried_out_by_a_writer_that_sleeps(either: Published) -> None:
    for number in range(3):
        assert await either.write(Note(number), low=True) == number + 1
    assert await noted(either) == [0, 1, 2]
    assert either.published_gids == await logged(either) == [1, 2, 3]


async def test_other_writes_overtake_slices(db: Published) -> None:
    async with held_up(db) as writes:
        for number in range(10):
            writes.start_soon(lambda number=number: db.write(Note(number), low=True))
            await trio.testing.wait_all_tasks_blocked()
            writes.start_soon(db.write, Note(100 + number))
            await trio.testing.wait_all_tasks_blocked()
    order = [each.event.session for each in db.published]  # type: ignore[union-attr]
    assert order == [*range(100, 110), *range(10)]


async def test_a_write_waits_for_one_slice_at_most(db: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatnode.storage.engine.lane.REST", 0.0)
    on_disk: list[list[int]] = []

    def slice_of(gate: Gate) -> Callable[[Transaction], None]:
        def write(tx: Transaction) -> None:
            with contextlib.closing(connect_reader(db.path)) as other:
                on_disk.append([row[0] for row in other.execute("SELECT number FROM notes ORDER BY number")])
            gate(tx)

        return write

    gates = [Gate() for _ in range(3)]
    async with trio.open_nursery() as nursery:
        for gate in gates:
            nursery.start_soon(lambda gate=gate: db.write(slice_of(gate), low=True))
            await trio.testing.wait_all_tasks_blocked()
        for number, gate in enumerate(gates):
            await gate.reached.wait()
            async with trio.open_nursery() as waiting:
                waiting.start_soon(db.write, Note(number))
                await trio.testing.wait_all_tasks_blocked()
                gate.open()
    assert on_disk == [[], [0], [0, 1]], "what came during a slice is on disk before the next begins"


async def test_while_writes_wait_a_group_takes_one_slice_and_flushes_once(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatnode.storage.engine.lane.REST", 0.0)
    async with opened(path) as db:
        db.settings = attrs.evolve(db.settings, group_jobs=4)
        with statements_of(db) as statements:
            async with held_up(db) as writes:
                for number in range(3):
                    writes.start_soon(lambda number=number: db.write(Note(number, "low"), low=True))
                for number in range(100, 112):
                    writes.start_soon(db.write, Note(number))
        groups = "\n".join(statements).split("COMMIT")
        slices = [group.count("'low'") for group in groups]
        assert slices[:4] == [0, 1, 1, 1]
        assert len(await noted(db)) == 15


async def test_slices_get_a_share_however_many_others_write(db: Published) -> None:
    """Others keep the writer busy without a pause: each write is followed by the next."""
    stop = trio.Event()

    async def keep_writing(number: int) -> None:
        while not stop.is_set():
            await db.write(Note(number))
            number += 100

    async with trio.open_nursery() as nursery:
        for number in range(8):
            nursery.start_soon(keep_writing, 1_000 + number)
        with trio.fail_after(30):
            for number in range(20):
                await db.write(Note(number), low=True)
        stop.set()
    assert (await noted(db))[:20] == list(range(20))


async def test_a_cancelled_slice_is_carried_out(db: Published) -> None:
    async with held_up(db) as writes:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(lambda: db.write(Note(1), low=True))
                await trio.testing.wait_all_tasks_blocked()
                scope.cancel()
        writes.start_soon(db.write, Note(2))
    await db.write(Note(3), low=True)  # after the first
    assert await noted(db) == [1, 2, 3]


async def test_closing_carries_out_the_slices_that_wait(path: Path) -> None:
    gate = Gate()
    async with opened(path) as db:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(db.write, gate)
            await gate.reached.wait()
            db.lane.wrote_ordinary()
            db.lane.took(60.0)  # and none of them is due for two minutes
            for number in range(5):
                nursery.start_soon(lambda number=number: db.write(Note(number), low=True))
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(db.aclose)
            while not db._closing:
                await trio.lowlevel.checkpoint()
            with pytest.raises(Refusal, match="the node is stopping"):
                await db.write(Note(99), low=True)
            gate.open()
        assert db.published_gids == [1, 2, 3, 4, 5]
        db.aclose = trio.lowlevel.checkpoint  # type: ignore[method-assign]  # it is closed
    async with opened(path) as db:
        assert await noted(db) == [0, 1, 2, 3, 4]


class Derived:
    """Work on what is derived, which is due after some seconds without writes."""

    def __init__(self, idle_seconds: Callable[[], float]) -> None:
        self.idle_seconds = idle_seconds
        self.worked = trio.Event()
        self._token = trio.lowlevel.current_trio_token()

    def committed(self, recorded: object, writes_waiting: int) -> bool:
        return False

    def work(self, connection: Reader) -> None:
        self._token.run_sync_soon(self.worked.set)

    def failed(self) -> None: ...


async def test_slices_do_not_hurry_what_rests(db: Published) -> None:
    until = perf_counter() + 3_600
    db.background = derived = Derived(lambda: until - perf_counter())
    for number in range(50):
        await db.write(Note(number), low=True)
    assert not derived.worked.is_set()


async def test_slices_do_not_put_off_what_waits_for_an_idle_moment(db: Published) -> None:
    db.background = derived = Derived(lambda: 0.05)
    number = 0
    with trio.fail_after(20):
        while not derived.worked.is_set():
            await db.write(Note(number), low=True)
            number += 1


async def test_long_work_is_checkpointed_on_the_way(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatnode.storage.engine.lane.QUIET_CHECKPOINT_SECONDS", 0.0)
    async with opened(path) as db:
        with statements_of(db) as statements:
            await db.write(Note(1, "x" * 100_000), low=True)
            await db.write(Note(2, "y" * 100_000), low=True)
            await db.write(Note(3))  # after the slice has ended
        assert statements.count("PRAGMA wal_checkpoint(PASSIVE)") == 2


# ---- failing


async def test_a_slice_that_raises_undoes_only_itself(either: Published) -> None:
    await either.write(Note(1), low=True)
    with pytest.raises(ValueError, match="the second"):
        await either.write(Note(2, then=ValueError("the second")), low=True)
    await either.write(Note(3), low=True)
    assert await noted(either) == [1, 3]
    assert either.published_gids == await logged(either) == [1, 2]


async def test_after_a_full_disk_slices_are_taken_again(breakable: Published) -> None:
    break_commit(breakable, full_disk())
    with pytest.raises(Refusal, match="unavailable: the disk is full"):
        await breakable.write(Note(1), low=True)
    assert await breakable.write(Note(1), low=True) == 1
    assert await noted(breakable) == breakable.published_gids == [1]


async def test_after_any_other_failure_no_more_slices_are_taken(breakable: Published) -> None:
    break_commit(breakable, sqlite3.OperationalError("disk I/O error"))
    for number in (1, 2):
        with pytest.raises(Refusal, match="unavailable: storage failed"):
            await breakable.write(Note(number), low=True)
    assert await noted(breakable) == breakable.published_gids == []


# ---- all together

_WRITES = st.lists(st.tuples(st.booleans(), st.sampled_from(["good", "bad", "slow"])), min_size=1, max_size=30)


@settings(max_examples=25, deadline=None)
@given(writes=_WRITES)
def test_each_lane_keeps_its_order_and_all_that_is_acknowledged_is_there(
    tmp_path_factory: pytest.TempPathFactory, writes: list[tuple[bool, str]]
) -> None:
    from tests.storage.harness import make_file  # its file is made for each example

    folder = tmp_path_factory.mktemp("lane")

    async def main() -> None:
        async with opened(make_file(folder / "chatnode.sqlite3")) as db:
            done: list[int] = []

            async def write(number: int, low: bool, how: str) -> None:
                try:
                    await db.write(Note(number, then=ValueError() if how == "bad" else None), low=low)
                    done.append(number)
                except ValueError:
                    assert how == "bad"

            async with trio.open_nursery() as nursery:
                for number, (low, how) in enumerate(writes):
                    nursery.start_soon(write, number, low, how)
                    if how == "slow":
                        await trio.sleep(0.001)
                    else:
                        await trio.testing.wait_all_tasks_blocked()
            good = [number for number, (_, how) in enumerate(writes) if how != "bad"]
            assert sorted(done) == await noted(db) == good
            order = [each.event.session for each in db.published]  # type: ignore[union-attr]
            assert sorted(order) == good
            for lane in (False, True):
                assert [n for n in order if writes[n][0] == lane] == [n for n in good if writes[n][0] == lane]
            assert db.published_gids == await logged(db) == list(range(1, len(good) + 1))

    trio.run(main)
