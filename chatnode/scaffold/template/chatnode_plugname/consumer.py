"""What happens with events afterwards, in a task of its own: it delays no request, and catches up after a crash."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from chatnode.api import Consumer, Context, Row, Transaction, Write

from . import storage


async def count_items(ctx: Context, rows: Sequence[Row]) -> Write[object]:
    """Count the items of each user.

    The returned function runs exactly once, in the transaction that moves the consumer's cursor.
    """
    added = Counter(row.actor for row in rows if row.actor is not None)

    def write(tx: Transaction) -> None:
        for person, items in added.items():
            storage.count_up(tx, person, items)

    return write


TOTALS = Consumer("totals", count_items, kinds=frozenset({"plugname.added"}))
