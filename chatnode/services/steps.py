"""Long database work in steps that are short enough not to delay waiting writes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import TypeVar

from chatnode.storage.engine.database import Database
from chatnode.storage.engine.transaction import Transaction

T = TypeVar("T")

STEP_SECONDS = 0.008
"""How long a step may hold the writer, apart from its commit."""
FIRST_ROWS = 20
CHECKPOINT_STEPS = 5
"""After this many steps, checkpoint: one checkpoint at the end would delay other writes for long."""


class Steps:
    """Sizes the steps of one piece of work by what its rows have cost so far; `size` is that of the next, in rows."""

    def __init__(self, most: int, seconds: float = STEP_SECONDS) -> None:
        self._most = most
        self._seconds = seconds
        self.size = min(FIRST_ROWS, most)
        self._done = 0

    async def write(self, db: Database, function: Callable[[Transaction, int], T], rows: Callable[[T], int]) -> T:
        """One step: `function` gets how many rows it may take, and `rows` says of its result how many it took."""
        result, seconds = await db.write(partial(_timed, function, self.size))
        self.took(rows(result), seconds)
        self._done += 1
        if self._done % CHECKPOINT_STEPS == 0:
            await db.checkpoint()
        return result

    def took(self, rows: int, seconds: float) -> None:
        """Learn from a step: smaller at once after a long one, larger little by little, as some rows are quick."""
        if rows:
            larger = self.size + max(1, self.size // 4)
            self.size = max(1, min(self._most, larger, int(rows * self._seconds / max(seconds, 1e-6))))


def _timed(function: Callable[[Transaction, int], T], size: int, tx: Transaction) -> tuple[T, float]:
    began = perf_counter()
    return function(tx, size), perf_counter() - began
