"""Events per minute to one endpoint, on a clock that jumps."""

from __future__ import annotations

import trio
import trio.testing
from chatnode_webhooks.outgoing.pace import SendingRate


async def take(pace: SendingRate, count: int) -> float:
    began = trio.current_time()
    for _ in range(count):
        await trio.sleep(pace.wait())
        assert pace.wait() == 0
        pace.take()
    return trio.current_time() - began


async def test_some_at_once_then_as_many_as_it_may(autojump_clock: trio.testing.MockClock) -> None:
    pace = SendingRate(600)
    assert await take(pace, 60) < 0.01
    assert 9.9 < await take(pace, 100) < 10.1
    await trio.sleep(3_600)
    assert await take(pace, 60) < 0.01  # no more than that is saved up
    assert 9.9 < await take(pace, 100) < 10.1


async def test_one_a_minute(autojump_clock: trio.testing.MockClock) -> None:
    assert 119 < await take(SendingRate(1), 3) < 121


async def test_no_limit(autojump_clock: trio.testing.MockClock) -> None:
    assert await take(SendingRate(0), 10_000) == 0
