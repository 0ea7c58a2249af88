"""Long database work in steps that are short enough not to delay other writes, on the low-priority lane."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from chatnode.storage.engine.database import Database
from chatnode.storage.engine.lane import timed
from chatnode.storage.engine.transaction import Transaction

T = TypeVar("T")

FIRST_ROWS = 20


class Steps:
    """Sizes the steps of one piece of work by what its rows have cost so far: as long as the lane allows at the moment,
    and of at most `most` rows.
    """

    def __init__(self, db: Database, most: int) -> None:
        self._db = db
        self._most = most
        self._rows = min(FIRST_ROWS, most)
        self._cost = 0.0

    @property
    def size(self) -> int:
        """How many rows the next step may have: fewer at once after a long one, more little by little, as some rows
        are quick."""
        if not self._cost:
            return self._rows
        larger = self._rows + max(1, self._rows // 4)
        return max(1, min(self._most, larger, int(self._db.lane.slice_seconds() / self._cost)))

    def took(self, rows: int, seconds: float) -> None:
        """Learn from a step."""
        if rows:
            self._rows, self._cost = rows, max(seconds, 1e-6) / rows

    async def write(self, function: Callable[[Transaction, int], T], rows: Callable[[T], int]) -> T:
        """One step: `function` gets how many rows it may take, and `rows` says of its result how many it took."""
        result, seconds = await self._db.write(partial(_timed, function, self.size), low=True)
        self.took(rows(result), seconds)
        return result


def _timed(function: Callable[[Transaction, int], T], size: int, tx: Transaction) -> tuple[T, float]:
    return timed(function, tx, size)
