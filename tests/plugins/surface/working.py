"""A plugin whose work writes rows, one number after the other, for the tests of durable work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs
import trio

from chatnode.api import (
    Context,
    EndedWork,
    Reader,
    Refusal,
    Step,
    Transaction,
    Work,
    WorkKind,
    command,
)
from chatnode.node import Node
from tests.plugins.surface.making import made

STEP = Step("tables", "CREATE TABLE counting_rows (number INTEGER NOT NULL, work TEXT NOT NULL);")


@attrs.define
class StartCounting:
    upto: int
    resource: str | None = None
    not_before: int | None = None
    kind: str = "count"


@attrs.define
class CountingStarted:
    work: str


@command("counting.start", permission="chat")
async def start(ctx: Context, asked: StartCounting) -> CountingStarted:
    """Start to count."""

    def write(tx: Transaction) -> str:
        return ctx.start_work(
            tx, asked.kind, {"upto": asked.upto}, title=f"Count to {asked.upto}", resource=asked.resource,
            not_before=asked.not_before,
        )  # fmt: skip

    return CountingStarted(await ctx.write(write))


@attrs.define
class Counter:
    """What the work does at each number may be replaced by `at`; `running` and `most` count those that run at once."""

    at: Callable[[int], object] = lambda number: None
    size: int = 3
    running: dict[str, Work] = attrs.field(factory=dict[str, Work])
    most: int = 0
    attempts: list[tuple[int, Any]] = attrs.field(factory=list[tuple[int, Any]])
    ended: list[EndedWork] = attrs.field(factory=list[EndedWork])
    gate: trio.Event | None = None
    """Set before the count goes on past its first slice."""

    async def count(self, ctx: Context, work: Work) -> Mapping[str, Any]:
        self.attempts.append((work.attempt, work.state))
        self.running[work.id] = work
        self.most = max(self.most, len(self.running))
        try:
            return await self._count(work)
        finally:
            del self.running[work.id]

    async def _count(self, work: Work) -> Mapping[str, Any]:
        upto = work.arguments["upto"]
        at = work.state["at"] if work.state is not None else 0
        while at < upto:
            numbers = range(at, min(at + self.size, upto))

            def write(tx: Transaction, numbers: range = numbers) -> None:
                for number in numbers:
                    self.at(number)
                    tx.execute("INSERT INTO counting_rows VALUES (?, ?)", (number, work.id))
                work.note(tx, done=numbers.stop, total=upto, state={"at": numbers.stop})

            await work.write(write)
            at = numbers.stop
            if self.gate is not None:
                await self.gate.wait()
        return {"counted": at}

    def end(self, tx: Transaction, ended: EndedWork) -> None:
        self.ended.append(ended)


def counting(counter: Counter, **declared: Any) -> Any:
    """The plugin, whose work is that of `counter`."""

    async def run(ctx: Context, work: Work) -> Mapping[str, Any]:
        return await counter.count(ctx, work)

    works = (
        WorkKind("count", run, "Counting", at_once=3, ended=counter.end),
        WorkKind("alone", run, "Counting alone", tries=2),
    )
    return made("counting", works=works, commands=(start,), steps=(STEP,), **declared)


async def counted(node: Node, work: str | None = None) -> list[int]:
    """The numbers that were written, by a work or by all."""

    def read(reader: Reader) -> list[int]:
        rows = reader.execute("SELECT number FROM counting_rows WHERE work = coalesce(?, work) ORDER BY rowid", (work,))
        return [number for (number,) in rows.fetchall()]

    return await node.core.db.read(read)


def failing(at: int, *errors: Exception) -> Callable[[int], None]:
    """Raises each of the errors in turn when the count comes to `at`, and then no more."""
    left = list(errors)

    def look(number: int) -> None:
        if number == at and left:
            raise left.pop(0)

    return look


def disk_is_full() -> Refusal:
    return Refusal("unavailable", "the disk is full; nothing was stored", retry_after=5)
