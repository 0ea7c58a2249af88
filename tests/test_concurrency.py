"""The small things that tasks wait with."""

from __future__ import annotations

import trio

from chatnode.concurrency import Signal, shielded


async def test_what_is_shielded_runs_to_its_end(autojump_clock: trio.testing.MockClock) -> None:
    done: list[str] = []

    async def slow() -> str:
        await trio.sleep(10)
        done.append("slow")
        return "result"

    with trio.move_on_after(1) as scope:
        done.append(await shielded(slow))
        await trio.lowlevel.checkpoint()
        done.append("not cancelled")
    assert scope.cancelled_caught
    assert (done, trio.current_time()) == (["slow", "result"], 10)


async def test_a_signal_wakes_those_who_wait_and_nobody_later(autojump_clock: trio.testing.MockClock) -> None:
    signal, woken = Signal(), 0

    async def wait() -> None:
        nonlocal woken
        await signal.wait()
        woken += 1

    signal.notify()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        nursery.start_soon(wait)
        await trio.sleep(1)
        assert woken == 0
        signal.notify()
    assert woken == 2
    with trio.move_on_after(1) as scope:
        await signal.wait()
    assert scope.cancelled_caught
