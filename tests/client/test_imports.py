"""When clients fetch what was imported: not all at once, and once for many batches."""

from __future__ import annotations

import random

import pytest
import trio
import trio.testing

from chatnode.client import Imports
from chatnode.client.imports import SPREAD_SECONDS
from chatnode.model.events import ConversationImported


async def waited(imports: Imports) -> tuple[float, ConversationImported]:
    began = trio.current_time()
    event = await imports.next()
    return trio.current_time() - began, event


async def test_each_client_waits_a_time_of_its_own(autojump_clock: trio.testing.MockClock) -> None:
    times: list[float] = []
    for _ in range(200):
        imports = Imports()
        imports.note(ConversationImported("a" * 32, 500))
        times.append((await waited(imports))[0])
    assert 0 <= min(times) < 0.1 * SPREAD_SECONDS < 0.9 * SPREAD_SECONDS < max(times) <= SPREAD_SECONDS


async def test_many_batches_are_one_fetch(autojump_clock: trio.testing.MockClock) -> None:
    imports = Imports(10)
    for head in (500, 1000, 1500):
        imports.note(ConversationImported("a" * 32, head))
    seconds, event = await waited(imports)
    assert (seconds <= 10, event.head) == (True, 1500)
    with pytest.raises(trio.TooSlowError), trio.fail_after(100):
        await imports.next()


async def test_what_comes_while_waiting_counts(autojump_clock: trio.testing.MockClock) -> None:
    imports = Imports(10)
    found: dict[str, int] = {}

    async def take() -> None:
        for _ in range(2):
            event = await imports.next()
            found[event.conversation] = event.head

    async with trio.open_nursery() as nursery:
        nursery.start_soon(take)
        await trio.sleep(1)
        imports.note(ConversationImported("a", 1))
        imports.note(ConversationImported("b", 2))
    assert found == {"a": 1, "b": 2}


async def test_further_batches_do_not_put_it_off(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random, "uniform", lambda low, high: high)
    imports, began = Imports(10), trio.current_time()
    for _ in range(50):
        imports.note(ConversationImported("a" * 32, 500))
        await trio.sleep(1)
        with trio.move_on_after(0.01):
            await imports.next()
            break
    assert trio.current_time() - began < 12
