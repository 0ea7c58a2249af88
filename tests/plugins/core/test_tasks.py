"""Tasks that run on and on: started again when they end, whatever they end with, and ended with the node."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from chatnode.api import Consumer, Context, Refusal, Row, Task, Write, hookimpl
from chatnode.node import Node
from chatnode.testing import User

from .making import made, node_with

MOST_SECONDS, STEADY_SECONDS = 60.0, 30.0  # as docs/plugins/reference.md says of tasks


class Ending:
    """A task that ends as it is told to; `times` are when it was started."""

    def __init__(self, end: Callable[[], None] = lambda: None, after: float = 0) -> None:
        self.times: list[float] = []
        self.end = end
        self.after = after

    async def __call__(self, ctx: Context) -> None:
        self.times.append(trio.current_time())
        await trio.sleep(self.after)
        self.end()


def raising(error: BaseException) -> Callable[[], None]:
    def end() -> None:
        raise error

    return end


ENDS: dict[str, Callable[[], None]] = {
    "by itself": lambda: None,
    "with an error": raising(ValueError("secret words")),
    "with a group": raising(ExceptionGroup("several", [KeyError("a"), ExceptionGroup("more", [OSError("b")])])),
    "with the wish to exit": raising(SystemExit(3)),
}


@pytest.mark.parametrize("end", ENDS)
async def test_a_task_that_ends_is_started_again_after_pauses_that_grow(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, end: str
) -> None:
    ending, beside = Ending(ENDS[end]), Ending(after=1e6)
    plugin = made(tasks=[Task("ending", ending), Task("beside", beside)])
    async with node_with(tmp_path, plugin, inline=True) as node:
        with trio.move_on_after(3_600):
            await node.tasks.run()
        waits = [later - earlier for earlier, later in pairwise(ending.times)]
        assert all(2**number / 8 <= wait <= 2**number / 4 for number, wait in enumerate(waits[:8]))
        assert MOST_SECONDS / 2 <= max(waits) <= MOST_SECONDS
        first, second = node.tasks.statuses()
        failures = len(ending.times) if end != "by itself" else 0
        assert (first.restarts, first.failures) == (len(waits), failures)
        assert (second.restarts, second.failures, len(beside.times)) == (0, 0, 1)
        assert [each.failures for each in node.plugins.statuses()] == [failures]


async def test_a_task_that_finds_the_disk_full_is_logged_in_a_line(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    full = Ending(raising(Refusal("unavailable", "the disk is full; nothing was stored")))
    async with node_with(tmp_path, made(tasks=[Task("full", full)]), inline=True) as node:
        with trio.move_on_after(3):
            await node.tasks.run()
    lines = [record.getMessage() for record in caplog.records if record.name == "chatnode.plugins"]
    assert lines
    assert all("the disk is full" in line and "\n" not in line for line in lines)


async def test_one_that_ran_well_for_a_while_is_started_again_soon(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    steady = Ending(raising(ValueError()), after=STEADY_SECONDS + 1)
    async with node_with(tmp_path, made(tasks=[Task("steady", steady)]), inline=True) as node:
        with trio.move_on_after(3_600):
            await node.tasks.run()
    assert len(steady.times) > 10
    assert all(later - earlier < STEADY_SECONDS + 1.5 for earlier, later in pairwise(steady.times))


@pytest.mark.parametrize("how", ["asleep", "raising when cancelled", "in a nursery", "keeping the cancellation"])
async def test_cancelling_ends_a_task_wherever_it_is(tmp_path: Path, how: str) -> None:
    begun = trio.Event()

    async def run(ctx: Context) -> None:
        begun.set()
        try:
            async with trio.open_nursery() as nursery:
                if how != "asleep":
                    nursery.start_soon(trio.sleep_forever)
                try:
                    await trio.sleep_forever()
                finally:
                    if how == "raising when cancelled":
                        raise ValueError("while it is cancelled")
        except BaseException:
            if how != "keeping the cancellation":
                raise

    async with node_with(tmp_path, made(tasks=[Task("one", run)])) as node:
        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(node.tasks.run)
                await begun.wait()
                assert node.tasks.statuses()[0].running
                nursery.cancel_scope.cancel()
        assert not node.tasks.statuses()[0].running


async def test_with_every_it_is_a_job_and_not_a_task(tmp_path: Path) -> None:
    hourly = Ending()
    async with node_with(tmp_path, made(tasks=[Task("hourly", hourly, every=3_600)])) as node:
        assert node.tasks.statuses() == []
        assert "made.hourly" in {job["name"] for job in (await node.call("jobs.list"))["jobs"]}
        assert (await node.call("jobs.run", job="made.hourly"))["job"]["ok"]
        assert len(hourly.times) == 1


# ---- the order in which a node begins and ends


async def test_the_node_begins_and_ends_in_its_order(tmp_path: Path) -> None:
    told: list[str] = []

    @hookimpl
    async def node_started(ctx: Context) -> None:
        assert ctx.base_url.startswith("http://127.0.0.1:")
        told.append("started")

    @hookimpl
    async def node_stopping(ctx: Context) -> None:
        told.append("stopping")
        await ctx.write(lambda tx: None)  # the database is still open
        assert await ctx.as_operator().call("node.info")

    async def run(ctx: Context) -> None:
        told.append("task")
        try:
            await trio.sleep_forever()
        finally:
            told.append("task ends")

    async def consume(ctx: Context, rows: list[Row]) -> Write[object] | None:
        told.append("consumer")
        try:
            await trio.sleep_forever()
        finally:
            told.append("consumer ends")

    consumers = [Consumer("one", consume, frozenset({"message.posted"}))]
    plugin = made(hooks=[node_started, node_stopping], tasks=[Task("one", run)], consumers=consumers)
    async with node_with(tmp_path, plugin) as node:
        assert told == []
        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                await nursery.start(node.serve, "127.0.0.1:0")
                await begins(node)
                while "consumer" not in told or "task" not in told:  # noqa: ASYNC110 - others' doing
                    await trio.sleep(0.001)
                nursery.cancel_scope.cancel()
        assert told[0] == "started"
        assert set(told[1:3]) == {"task", "consumer"}
        assert set(told[3:5]) == {"task ends", "consumer ends"}
        assert told[5:] == ["stopping"]


async def begins(node: Node) -> None:
    ann = await User.new(node, "ann")
    await ann.says(await ann.direct(ann), "hello")


async def test_hooks_that_fail_keep_no_node_from_beginning_and_ending(tmp_path: Path) -> None:
    told: list[Any] = []

    @hookimpl
    async def node_started(ctx: Context) -> None:
        await trio.sleep_forever()

    @hookimpl
    async def node_stopping(ctx: Context) -> None:
        told.append("stopping")
        raise ValueError("no")

    plugin = made(hooks=[node_started, node_stopping], tasks=[Task("one", Ending(lambda: told.append("task")))])
    async with node_with(tmp_path, plugin, start_seconds=0.05) as node:
        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                await nursery.start(node.serve, "127.0.0.1:0")
                while "task" not in told:  # noqa: ASYNC110 - the hook's budget has to end
                    await trio.sleep(0.001)
                nursery.cancel_scope.cancel()
        assert told[-1] == "stopping"
        (status,) = node.plugins.statuses()
        assert status.failures == 2


@pytest.mark.parametrize(
    ("every", "fails"),
    [(lambda settings: 1 / 0, True), (lambda settings: "often", True), (lambda settings: -5.0, False)],
    ids=["raises", "a word", "negative"],
)
async def test_a_job_that_does_not_say_how_often_is_never_run_and_stops_no_other(
    tmp_path: Path, every: Any, fails: bool, autojump_clock: trio.testing.MockClock
) -> None:
    ran: list[str] = []

    async def run(ctx: Context) -> None:
        ran.append("odd")

    async def good(ctx: Context) -> None:
        ran.append("good")

    tasks = [Task("odd", run, every=every), Task("good", good, every=60.0)]
    async with node_with(tmp_path, made(tasks=tasks), inline=True) as node:
        with trio.move_on_after(100):
            await node.jobs.run_forever()
        assert set(ran) == {"good"}
        assert node.plugins.statuses()[0].failures >= fails
