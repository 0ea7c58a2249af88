"""Long work takes steps whose size follows from what rows cost, so that other writes pass in between."""

from __future__ import annotations

from chatnode.node import Node
from chatnode.services.steps import FIRST_ROWS, STEP_SECONDS, Steps
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.privacy import traces


def sizes(steps: Steps, cost: float, count: int = 60) -> list[int]:
    """Of the next steps, where a row costs so many seconds."""
    found: list[int] = []
    for _ in range(count):
        steps.took(steps.size, steps.size * cost)
        found.append(steps.size)
    return found


async def test_a_step_takes_as_many_rows_as_its_time_allows() -> None:
    steps = Steps(500)
    assert sizes(steps, STEP_SECONDS / 100)[-1] == 100
    assert sizes(steps, STEP_SECONDS / 10, 1) == [10], "smaller at once"
    assert sizes(steps, STEP_SECONDS / 100, 1) == [12], "larger little by little"
    assert sizes(steps, STEP_SECONDS * 10)[-1] == 1
    assert sizes(steps, 0)[-1] == 500


async def test_a_step_that_had_nothing_to_do_teaches_nothing() -> None:
    steps = Steps(500)
    steps.took(0, 10.0)
    assert steps.size == FIRST_ROWS
    assert Steps(3).size == 3


async def test_each_step_is_a_transaction_of_its_own_and_is_told_its_size(node: Node) -> None:
    steps, asked = Steps(7), list[int]()

    def step(tx: Transaction, most: int) -> int:
        asked.append(most)
        tx.execute("UPDATE traces SET removals = removals + 1")
        return most

    while await steps.write(node.core.db, step, int) and len(asked) < 12:
        assert await node.core.db.read(traces.owed) == len(asked)
    assert asked[0] == 7
    assert max(asked) <= 7
