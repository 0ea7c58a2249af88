"""Long work takes steps whose size follows from what rows cost, so that other writes pass in between."""

from __future__ import annotations

from typing import Any

from chatnode.node import Node
from chatnode.storage.engine.lane import BUSY_SLICE_SECONDS, QUIET_SLICE_SECONDS
from chatnode.storage.engine.steps import FIRST_ROWS, Steps
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.privacy import traces


class Quiet:
    """A database to whose lane nobody else writes, or all the time."""

    def __init__(self) -> None:
        self.lane = self
        self.busy = False

    def slice_seconds(self) -> float:
        return BUSY_SLICE_SECONDS if self.busy else QUIET_SLICE_SECONDS


def steps_of(most: int, db: Any = None) -> Steps:
    return Steps(db or Quiet(), most)


def sizes(steps: Steps, cost: float, count: int = 60) -> list[int]:
    """Of the next steps, where a row costs so many seconds."""
    found: list[int] = []
    for _ in range(count):
        steps.took(steps.size, steps.size * cost)
        found.append(steps.size)
    return found


async def test_a_step_takes_as_many_rows_as_its_time_allows() -> None:
    steps = steps_of(500)
    assert sizes(steps, QUIET_SLICE_SECONDS / 100.5)[-1] == 100
    assert sizes(steps, QUIET_SLICE_SECONDS / 10.5, 1) == [10], "smaller at once"
    assert sizes(steps, QUIET_SLICE_SECONDS / 100.5, 1) == [12], "larger little by little"
    assert sizes(steps, QUIET_SLICE_SECONDS * 10)[-1] == 1
    assert sizes(steps, 0)[-1] == 500


async def test_a_step_is_short_while_others_write() -> None:
    db = Quiet()
    steps = steps_of(1_000, db)
    assert sizes(steps, QUIET_SLICE_SECONDS / 500.5)[-1] == 500
    db.busy = True
    assert sizes(steps, QUIET_SLICE_SECONDS / 500.5, 1) == [20]
    db.busy = False
    assert sizes(steps, QUIET_SLICE_SECONDS / 500.5)[-1] == 500


async def test_a_step_that_had_nothing_to_do_teaches_nothing() -> None:
    steps = steps_of(500)
    steps.took(0, 10.0)
    assert steps.size == FIRST_ROWS
    assert steps_of(3).size == 3


async def test_each_step_is_a_transaction_of_its_own_and_is_told_its_size(node: Node) -> None:
    steps, asked = Steps(node.core.db, 7), list[int]()

    def step(tx: Transaction, most: int) -> int:
        asked.append(most)
        tx.execute("UPDATE traces SET removals = removals + 1")
        return most

    while await steps.write(step, int) and len(asked) < 12:
        assert await node.core.db.read(traces.pending_traces) == len(asked)
    assert asked[0] == 7
    assert max(asked) <= 7
