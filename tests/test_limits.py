"""Rates and turns by themselves: a clock that is moved, and work that waits for a sign."""

from __future__ import annotations

import random
from collections import defaultdict

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from chatnode.dispatch.limits import Rate, Turns
from chatnode.errors import Refusal
from chatnode.testing import refused
from tests.quick import examples


class Clock:
    """Seconds, as the test sets them."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def passes(rate: Rate, key: object) -> bool:
    try:
        rate.take(key)
    except Refusal as refusal:
        return refusal.code != "rate_limited"
    return True


@pytest.mark.parametrize("per_minute", [1, 3, 60, 6_000])
def test_a_minutes_worth_passes_and_then_one_as_often_as_that(per_minute: int) -> None:
    clock = Clock()
    rate = Rate("things", per_minute, clock)
    assert [passes(rate, "ann") for _ in range(per_minute + 1)] == [*[True] * per_minute, False]
    assert passes(rate, "bob")  # whose bucket is another
    clock.now += 60 / per_minute * 0.99
    assert not passes(rate, "ann")
    clock.now += 60 / per_minute * 0.02
    assert passes(rate, "ann")
    assert not passes(rate, "ann")


def test_who_is_refused_learns_when_the_next_one_passes() -> None:
    clock = Clock()
    rate = Rate("things", 6, clock)
    for _ in range(6):
        rate.take("ann")
    clock.now += 4
    with refused("rate_limited") as caught:
        rate.take("ann")
    assert caught.value.retry_after == pytest.approx(6.0)
    assert "too many things; at most 6 a minute" in caught.value.message


def test_what_is_given_back_can_be_taken_again_and_no_more_than_that() -> None:
    rate = Rate("things", 2, Clock())
    rate.take("ann")
    for _ in range(5):
        rate.give_back("ann")
    rate.give_back("nobody")
    assert [passes(rate, "ann") for _ in range(3)] == [True, True, False]


def test_no_limit_keeps_nothing() -> None:
    rate = Rate("things", 0, Clock())
    assert all(passes(rate, key) for key in range(100))
    assert len(rate) == 0


def test_buckets_that_are_full_again_are_forgotten_and_no_others() -> None:
    clock = Clock()
    rate = Rate("things", 1, clock)
    for key in range(20_000):
        rate.take(key)
    clock.now += 59
    assert not passes(rate, 0)
    assert len(rate) == 20_000
    clock.now += 62
    rate.take("somebody")
    clock.now += 61
    rate.take("somebody")
    assert len(rate) <= 2


def test_above_ten_thousand_keys_a_request_does_not_walk_over_all_of_them() -> None:
    rate = Rate("things", 5, Clock())
    for key in range(20_000):
        rate.take(key)
    kept = rate._buckets
    rate.take("ann")
    assert rate._buckets is kept


STEPS = st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0.0, 0.5, 1.0, 7.0, 19.0, 31.0, 59.0, 61.0, 130.0])))


@settings(max_examples=examples(200))
@given(st.integers(1, 8), STEPS, st.booleans())
def test_it_is_a_bucket_for_each_key_whoever_else_comes(
    per_minute: int, steps: list[tuple[int, float]], crowd: bool
) -> None:
    """Against the plainest model: a level for each key that is never forgotten."""
    clock = Clock()
    rate = Rate("things", per_minute, clock)
    levels: dict[object, float] = defaultdict(lambda: float(per_minute))
    filled: dict[object, float] = defaultdict(lambda: clock.now)
    strangers = iter(range(10**6))
    for key, pause in steps:
        clock.now += pause
        if crowd:
            for _ in range(random.Random(key).randrange(3)):
                rate.take(("stranger", next(strangers)))
        levels[key] = min(per_minute, levels[key] + (clock.now - filled[key]) * per_minute / 60)
        filled[key] = clock.now
        if not 0.999_999 < levels[key] < 1:  # floating-point numbers need not agree on the edge
            expected = levels[key] >= 1
            assert passes(rate, key) is expected
            levels[key] -= expected


def test_above_ten_thousand_keys_those_who_used_up_theirs_are_still_refused() -> None:
    clock = Clock()
    rate = Rate("things", 2, clock)
    assert [passes(rate, "ann") for _ in range(3)] == [True, True, False]
    for key in range(25_000):
        rate.take(key)
    assert not passes(rate, "ann")
    clock.now += 31
    assert passes(rate, "ann")
    clock.now += 30  # a period ends: the bucket has one, and not two
    for key in range(25_000):
        rate.take(("later", key))
    assert [passes(rate, "ann") for _ in range(2)] == [True, False]


# ---- turns


class Work:
    """Pieces of work that go on until they are let go; what runs at a time is kept."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.running: list[str] = []
        self.let_go: dict[str, trio.Event] = defaultdict(trio.Event)

    async def do(self, who: str, piece: str) -> None:
        async with self.turns.turn(who):
            self.running.append(piece)
            await self.let_go[piece].wait()
            self.running.remove(piece)


async def test_one_requesters_costly_work_is_done_one_after_the_other() -> None:
    work = Work(Turns(10))
    async with trio.open_nursery() as nursery:
        for piece in ("ann 1", "ann 2", "bob 1"):
            nursery.start_soon(work.do, piece.split()[0], piece)
            await trio.testing.wait_all_tasks_blocked()
        assert work.running == ["ann 1", "bob 1"]
        work.let_go["ann 1"].set()
        await trio.testing.wait_all_tasks_blocked()
        assert work.running == ["bob 1", "ann 2"]
        work.let_go["ann 2"].set()
        work.let_go["bob 1"].set()


async def test_no_more_is_done_at_a_time_than_there_are_turns_whoever_asks() -> None:
    work = Work(Turns(2))
    async with trio.open_nursery() as nursery:
        for piece in ("ann 1", "bob 1", "cid 1", "dan 1"):
            nursery.start_soon(work.do, piece.split()[0], piece)
            await trio.testing.wait_all_tasks_blocked()
        assert work.running == ["ann 1", "bob 1"]
        work.let_go["bob 1"].set()
        await trio.testing.wait_all_tasks_blocked()
        assert work.running == ["ann 1", "cid 1"]
        for piece in ("ann 1", "cid 1", "dan 1"):
            work.let_go[piece].set()


async def test_who_gives_up_waiting_leaves_the_turn_to_the_next_and_nothing_behind() -> None:
    turns = Turns(1)
    work = Work(turns)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(work.do, "ann", "ann 1")
        await trio.testing.wait_all_tasks_blocked()
        with trio.move_on_after(0):
            await work.do("ann", "ann 2")
        with trio.move_on_after(0):
            await work.do("bob", "bob 1")
        work.let_go["ann 1"].set()
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(work.do, "bob", "bob 2")
        await trio.testing.wait_all_tasks_blocked()
        assert work.running == ["bob 2"]
        work.let_go["bob 2"].set()
    assert len(turns) == 0
