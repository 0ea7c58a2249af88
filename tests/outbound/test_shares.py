"""Turns that origins share: nobody has more than fits, and who has fewest comes next."""

from __future__ import annotations

from collections import Counter
from functools import partial

import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from chatnode.outbound.shares import SharedTurns


class Request:
    """One that has its turn until it is ended."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.running = False
        self.scope = trio.CancelScope()
        self._ended = trio.Event()

    def end(self) -> None:
        self._ended.set()

    async def run(self, turns: SharedTurns) -> None:
        with self.scope:
            async with turns.turn(self.origin):
                self.running = True
                await self._ended.wait()
        self.running = False


async def settled() -> None:
    await trio.testing.wait_all_tasks_blocked()


async def test_the_next_turn_goes_to_who_has_fewest(nursery: trio.Nursery) -> None:
    turns = SharedTurns(3)
    requests = [Request(origin) for origin in "aaaaabbc"]
    for each in requests:
        nursery.start_soon(each.run, turns)
        await settled()
    order: list[str] = []
    for _ in requests:
        before = {each for each in requests if each.running}
        next(each for each in requests if each.running).end()
        await settled()
        order += [each.origin for each in requests if each.running and each not in before]
    assert order == ["b", "c", "a", "a", "b"]
    assert turns.idle


@given(
    most=st.integers(1, 4),
    steps=st.lists(
        st.one_of(st.sampled_from("abcd"), st.tuples(st.sampled_from(("end", "cancel")), st.integers(0, 30))),
        max_size=40,
    ),
)
def test_whatever_happens_turns_are_kept_busy_and_shared(most: int, steps: list[str | tuple[str, int]]) -> None:
    trio.run(partial(act_out, most, steps))


async def act_out(most: int, steps: list[str | tuple[str, int]]) -> None:
    turns, alive = SharedTurns(most), list[Request]()
    async with trio.open_nursery() as nursery:
        for step in steps:
            had = Counter(each.origin for each in alive if each.running)
            if isinstance(step, str):
                alive.append(Request(step))
                nursery.start_soon(alive[-1].run, turns)
            elif alive:
                request = alive.pop(step[1] % len(alive))
                had[request.origin] -= request.running
                wanted = {each.origin for each in alive if not each.running}
                was_running = request.running
                if was_running and step[0] == "end":
                    request.end()
                else:
                    request.scope.cancel()
                await settled()
                now = Counter(each.origin for each in alive if each.running)
                if was_running and wanted:
                    [next_one] = (now - had).keys()
                    assert had[next_one] == min(had[origin] for origin in wanted)
            await settled()
            assert sum(each.running for each in alive) == min(most, len(alive))
            assert turns.waiting == len(alive) - sum(each.running for each in alive)
        nursery.cancel_scope.cancel()
    assert turns.idle


async def test_who_is_cancelled_as_its_turn_comes_passes_it_on(nursery: trio.Nursery) -> None:
    turns = SharedTurns(1)
    first, second, third = (Request(origin) for origin in "abc")
    for each in (first, second, third):
        nursery.start_soon(each.run, turns)
        await settled()
    first.end()
    second.scope.cancel()
    await settled()
    assert [each.running for each in (first, second, third)] == [False, False, True]
    third.end()
    await settled()
    assert turns.idle
