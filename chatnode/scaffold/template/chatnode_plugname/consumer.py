"""What is done with events afterwards, on a task of its own: it delays nobody, and catches up after a crash."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from chatnode.api import Consumer, Context, Row, Transaction, Write

from . import storage


async def count_items(ctx: Context, rows: Sequence[Row]) -> Write[object]:
    """Count the items of each person.

    What is returned is carried out in the transaction that notes how far the consumer is: exactly once.
    """
    added = Counter(row.actor for row in rows if row.actor is not None)

    def write(tx: Transaction) -> None:
        for person, items in added.items():
            storage.count_up(tx, person, items)

    return write


TOTALS = Consumer("totals", count_items, kinds=frozenset({"plugname.added"}))
