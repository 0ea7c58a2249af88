"""Long work on the database in steps that are over before a waiting write notices."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import TypeVar

from chatnode.storage.database import Database
from chatnode.storage.transaction import Transaction

T = TypeVar("T")

STEP_SECONDS = 0.005
"""How long a step may hold the writer, apart from its commit."""
FIRST_ROWS = 20


class Steps:
    """Sizes the steps of one piece of work by what its rows have cost so far; `size` is that of the next, in rows."""

    def __init__(self, most: int, seconds: float = STEP_SECONDS) -> None:
        self._most = most
        self._seconds = seconds
        self.size = min(FIRST_ROWS, most)

    async def write(self, db: Database, function: Callable[[Transaction, int], T], rows: Callable[[T], int]) -> T:
        """One step: `function` gets how many rows it may take, and `rows` says of its result how many it took."""
        result, seconds = await db.write(partial(_timed, function, self.size))
        self.took(rows(result), seconds)
        return result

    def took(self, rows: int, seconds: float) -> None:
        """Learn from a step. One that is much quicker than others, such as one in warm pages, counts for little."""
        if rows:
            self.size = max(1, min(self._most, 2 * self.size, int(rows * self._seconds / max(seconds, 1e-6))))


def _timed(function: Callable[[Transaction, int], T], size: int, tx: Transaction) -> tuple[T, float]:
    began = perf_counter()
    return function(tx, size), perf_counter() - began
