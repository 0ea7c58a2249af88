"""A plugin whose consumer is as the benchmark wants it; found by way of PYTHONPATH, beside its dist-info."""

import os
from collections.abc import Sequence

import trio

from chatnode.api import Consumer, Context, Plugin, Row, Step, Transaction, Write, hookimpl

TABLE = """
CREATE TABLE consuming_total (key INTEGER PRIMARY KEY, rows INTEGER NOT NULL);
INSERT INTO consuming_total VALUES (1, 0);
"""


async def instant(ctx: Context, rows: Sequence[Row]) -> Write[object]:
    """Counts them, in the transaction that moves its cursor."""

    def write(tx: Transaction) -> None:
        tx.execute("UPDATE consuming_total SET rows = rows + ? WHERE key = 1", (len(rows),))

    return write


async def slow(ctx: Context, rows: Sequence[Row]) -> Write[object]:
    """The same, a second later."""
    await trio.sleep(1)
    return await instant(ctx, rows)


async def raising(ctx: Context, rows: Sequence[Row]) -> None:
    """Fails, whatever it gets."""
    raise ValueError("this consumer always fails")


CONSUMERS = {"instant": instant, "slow": slow, "raising": raising}


@hookimpl
def chatnode_plugin() -> Plugin:
    consume = CONSUMERS[os.environ["BENCHMARK_CONSUMER"]]
    return Plugin(
        name="consuming",
        version="1.0",
        api="2.0",
        about="Reads every message.",
        steps=[Step("total", TABLE)],
        consumers=[Consumer("posts", consume, kinds=frozenset({"message.posted"}))],
    )
