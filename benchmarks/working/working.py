"""A plugin with bulk work: it inserts rows into a table with two indexes, with an event for each, without end."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import attrs

from chatnode.api import (
    Context,
    Event,
    EventKind,
    Nothing,
    Plugin,
    Reader,
    Row,
    Step,
    Transaction,
    Work,
    WorkKind,
    command,
    hookimpl,
)

TABLE = """
CREATE TABLE working_rows (key INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL, note TEXT NOT NULL);
CREATE INDEX working_rows_name ON working_rows (name);
CREATE UNIQUE INDEX working_rows_email ON working_rows (email);
"""


@attrs.define
class RowAdded(Event):
    name = "working.added"
    row: int


@attrs.define
class WorkBegun:
    work: str


@command("working.start", permission="chat")
async def start(ctx: Context, asked: Nothing) -> WorkBegun:
    """Start to insert rows."""
    return WorkBegun(await ctx.write(lambda tx: ctx.start_work(tx, "insert", {}, title="Insert rows")))


async def insert(ctx: Context, work: Work) -> Mapping[str, Any]:
    """Names come in no order, as they do from a file."""
    done, chance = work.done, random.Random(work.done)
    for size in work.slices():
        rows = [(f"{chance.random():.12f}", f"{done + number}@example.org", "x" * 60) for number in range(size)]
        done += size

        def write(tx: Transaction, rows: list[tuple[str, str, str]] = rows, done: int = done) -> None:
            tx.executemany("INSERT INTO working_rows (name, email, note) VALUES (?, ?, ?)", rows)
            tx.record_many(RowAdded, range(done - len(rows), done))
            work.note(tx, done=done, state={})

        await work.write(write)
    raise AssertionError("sizes have no end")


def remake(reader: Reader, row: Row) -> RowAdded:
    return RowAdded(row.subject)


@hookimpl
def chatnode_plugin() -> Plugin:
    return Plugin(
        name="working",
        version="1.0",
        api="2.0",
        about="Inserts rows.",
        steps=[Step("rows", TABLE)],
        events=[EventKind(RowAdded, remake)],
        works=[WorkKind("insert", insert, "Insert rows")],
        commands=[start],
    )
