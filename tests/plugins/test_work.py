"""Durable work of plugins: started with a write, in the background, steered by its owner, resumed where it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import pytest

from chatnode.api import Context, Plugin, Transaction, Work, WorkKind, command, hookimpl
from chatnode.node import Node
from chatnode.testing import LiveUser, run_work


@attrs.define
class Started:
    work: str


@attrs.define
class Count:
    upto: int


async def count(ctx: Context, work: Work) -> Mapping[str, Any]:
    """Counts in the log of the audit, row by row."""
    upto, at = work.arguments["upto"], (work.state or {"at": 0})["at"]
    sizes = work.slices(7)
    while at < upto:
        rows = range(at, min(upto, at + next(sizes)))

        def write(tx: Transaction, rows: range = rows) -> None:
            for row in rows:
                ctx.audit(tx, "counted", str(row))
            work.note(tx, done=rows.stop, total=upto, state={"at": rows.stop})

        await work.write(write)
        at = rows.stop
    return {"counted": at}


@command("counting.start", permission="chat")
async def start(ctx: Context, asked: Count) -> Started:
    """Start to count."""
    return Started(
        await ctx.write(lambda tx: ctx.start_work(tx, "count", {"upto": asked.upto}, title=f"Count to {asked.upto}"))
    )


class Counting:
    @hookimpl
    def chatnode_plugin(self) -> Plugin:
        return Plugin(
            name="counting", version="1", api="2.0", about="Counts.", commands=(start,),
            works=(WorkKind("count", count, "Counting"),),
        )  # fmt: skip


@pytest.fixture
def only_plugins() -> list[Any]:
    return [Counting()]


async def test_a_work_runs_after_the_write_that_started_it(node: Node, ann: LiveUser) -> None:
    work = (await ann.does("counting.start", upto=50))["work"]
    await ann.hears("work.changed")
    assert (await ann.does("work.get", work=work))["work"]["status"] == "waiting"
    found = await run_work(node, work)
    assert (found["status"], found["done"], found["total"]) == ("done", 50, 50)
    assert found["result"] == {"counted": 50}
    entries = (await node.call("audit.list", limit=100, action="counting.counted"))["entries"]
    assert [entry["target"] for entry in reversed(entries)] == [str(row) for row in range(50)]
