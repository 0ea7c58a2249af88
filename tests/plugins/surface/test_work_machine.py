"""Works are started, steered, failed and killed in any order: each row is written once, and only while it may be."""

from __future__ import annotations

import shutil
from collections import Counter as Multiset
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
import trio.testing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatnode.api import Context, Refusal, Transaction, Work, WorkKind
from chatnode.node import Node, open_node
from chatnode.testing import User
from tests.plugins.surface.making import made
from tests.plugins.surface.working import STEP, counted, start

UPTO, SIZE = 6, 2
_NAMES = st.sampled_from(
    ["start", "start", "step", "step", "step", "fail", "pause", "resume", "cancel", "kill", "stop"]
)
_ACTIONS = st.lists(st.tuples(_NAMES, st.integers(0, 5)), min_size=4, max_size=24)


@attrs.define
class Steps:
    """A work takes one slice each time that it is let go on."""

    permits: dict[str, trio.Semaphore] = attrs.field(factory=dict[str, trio.Semaphore])
    failing: set[str] = attrs.field(factory=set[str])
    open: bool = False

    async def run(self, ctx: Context, work: Work) -> dict[str, Any]:
        at = work.state["at"] if work.state is not None else 0
        while at < UPTO:
            if not self.open:
                await self.permits.setdefault(work.id, trio.Semaphore(0)).acquire()
            if work.id in self.failing:
                self.failing.discard(work.id)
                raise KeyError(work.id)
            numbers = range(at, at + SIZE)

            def write(tx: Transaction, numbers: range = numbers) -> None:
                tx.executemany("INSERT INTO counting_rows VALUES (?, ?)", [(each, work.id) for each in numbers])
                work.note(tx, done=numbers.stop, total=UPTO, state={"at": numbers.stop})

            await work.write(write)
            at = numbers.stop
        return {"counted": at}


@attrs.define
class World:
    """A node whose works run, and what is expected of each: `statuses` is what the commands have said."""

    steps: Steps
    node: Node
    ann: User
    works: list[str]
    resources: dict[str, str | None]

    async def look(self) -> dict[str, dict[str, Any]]:
        return {each["work"]: each for each in (await self.ann.call("work.list", limit=100))["works"]}

    async def start(self, number: int) -> None:
        resource = [None, "a", "b"][number % 3]
        work = (await self.ann.call("counting.start", upto=UPTO, resource=resource))["work"]
        self.works.append(work)
        self.resources[work] = resource

    async def step(self, number: int) -> None:
        await self._step(self._chosen(number))

    async def fail(self, number: int) -> None:
        work = self._chosen(number)
        if work is not None and (await self.look())[work]["status"] == "running":
            self.steps.failing.add(work)
        await self._step(work)

    async def _step(self, work: str | None) -> None:
        if work is None:
            return
        before = (await self.look())[work]
        rows = await counted(self.node, work)
        if before["status"] == "running":
            fails = work in self.steps.failing
            self.steps.permits.setdefault(work, trio.Semaphore(0)).release()
            await trio.testing.wait_all_tasks_blocked()
            after = (await self.look())[work]
            if fails:
                assert (after["status"], after["failures"]) == ("waiting", before["failures"] + 1) or (
                    after["status"] == "failed"
                )
                assert await counted(self.node, work) == rows
            else:
                assert await counted(self.node, work) == [*rows, *range(len(rows), len(rows) + SIZE)]
                assert after["status"] == ("done" if len(rows) + SIZE == UPTO else "running")

    async def steer(self, command: str, number: int) -> None:
        work = self._chosen(number)
        if work is None:
            return
        before = (await self.look())[work]["status"]
        wanted = {"pause": "paused", "resume": "waiting", "cancel": "cancelled"}[command]
        allowed = {
            "pause": ("waiting", "running", "paused"),
            "resume": ("paused", "failed", "waiting", "running"),
            "cancel": ("waiting", "running", "paused", "failed", "cancelled"),
        }[command]
        rows = await counted(self.node, work)
        try:
            found = (await self.ann.call(f"work.{command}", work=work))["work"]["status"]
        except Refusal as refusal:
            assert (refusal.code, before in allowed) == ("conflict", False)  # noqa: PT017 - it may be allowed, too
            return
        assert before in allowed
        assert found == (before if command == "resume" and before in ("waiting", "running") else wanted)
        self.steps.failing.discard(work)
        if command != "resume":
            self.steps.permits.pop(work, trio.Semaphore(0)).release()  # even one that is let go on writes nothing
            await trio.testing.wait_all_tasks_blocked()
            assert await counted(self.node, work) == rows

    def _chosen(self, number: int) -> str | None:
        return self.works[number % len(self.works)] if self.works else None

    async def check(self) -> None:
        """What holds at any time."""
        await trio.testing.wait_all_tasks_blocked()
        found = await self.look()
        assert sorted(found) == sorted(self.works)
        for work, each in found.items():
            assert await counted(self.node, work) == list(range(each["done"]))
            assert (each["status"] == "done") == (each["done"] == UPTO)
        running = [work for work, each in found.items() if each["status"] == "running"]
        held = Multiset(self.resources[work] for work in running if self.resources[work] is not None)
        assert all(count == 1 for count in held.values())
        assert len(running) <= 3
        if len(running) < 3:
            waits = [
                work
                for work, each in found.items()
                if each["status"] == "waiting" and "not_before" not in each and self.resources[work] not in held
            ]
            assert waits == [], "there is room, and nothing in the way"


@asynccontextmanager
async def world(data: Path, before: World | None, *, running: bool = True) -> AsyncIterator[World]:
    """A node over the directory, with the works of the one before it; they run, unless `running` is false."""
    steps = Steps()

    async def run(ctx: Context, work: Work) -> dict[str, Any]:
        return await steps.run(ctx, work)

    kind = WorkKind("count", run, "Counting", at_once=3, tries=3)
    plugin = made("counting", works=(kind,), commands=(start,), steps=(STEP,))
    async with open_node(data, only=[plugin], inline=True) as node, trio.open_nursery() as nursery:
        ann = await (User.of if before is not None else User.new)(node, "ann")
        if running:
            nursery.start_soon(node.works.run)
        made_before = before or World(steps, node, ann, [], {})
        yield World(steps, node, ann, made_before.works, made_before.resources)
        nursery.cancel_scope.cancel()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(actions=_ACTIONS)
def test_each_row_is_written_once_whatever_happens(
    tmp_path_factory: pytest.TempPathFactory, actions: list[tuple[str, int]]
) -> None:
    trio.run(_live, tmp_path_factory.mktemp("work"), actions)


async def _live(folder: Path, actions: list[tuple[str, int]]) -> None:
    data, here = folder / "0", None
    left = list(actions)
    for life in range(1 + sum(name in ("kill", "stop") for name, _ in actions)):
        async with world(data, here) as here:
            await here.check()
            while left:
                name, number = left.pop(0)
                if name == "kill":  # what a crash leaves: the files as they are, with works that run
                    data = folder / f"{life + 1}"
                    data.mkdir()
                    for file in here.node.directory.database.parent.glob("chatnode.sqlite3*"):
                        shutil.copy(file, data / file.name)
                    break
                if name == "stop":
                    break
                if name in ("pause", "resume", "cancel"):
                    await here.steer(name, number)
                else:
                    await getattr(here, name)(number)
                await here.check()
    assert here is not None
    await _finish(data, here)


async def _finish(data: Path, before: World) -> None:
    """Let all go on that may: everything that was not cancelled is done."""
    async with world(data, before) as here:
        here.steps.open = True
        for permit in here.steps.permits.values():
            permit.release()
        for work, each in (await here.look()).items():
            if each["status"] in ("paused", "failed"):
                await here.ann.call("work.resume", work=work)
        await trio.testing.wait_all_tasks_blocked()
    async with world(data, here, running=False) as here:
        here.steps.open = True
        await here.node.works.run_due(600)
        await here.check()
        for each in (await here.look()).values():
            assert each["status"] in ("done", "cancelled")
            if each["status"] == "done":
                assert each["result"] == {"counted": UPTO}
