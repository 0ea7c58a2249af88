"""What the node does by itself: one at a time, again and again, and never to the node's harm."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest
import trio
import trio.testing

from chatnode.dispatch.core import Core
from chatnode.dispatch.jobs import FIRST_WITHIN_SECONDS, QUIET_SECONDS, RETRY_SECONDS, Job, JobRunner
from chatnode.model.times import DAY_MS, now_ms
from chatnode.node import Node, open_node
from chatnode.storage.node.jobs import last_runs
from chatnode.testing import User, refused
from tests.declared import JOBS

from .dialogue import without_plugins


@without_plugins
async def test_every_job_of_the_node_runs(node: Node, ann: User) -> None:
    for job in JOBS:
        done = (await node.call("jobs.run", job=job.name))["job"]
        assert (done["ok"], done["runs"], done["failures"]) == (True, 1, 0), done
    listed = (await node.call("jobs.list"))["jobs"]
    assert [each["name"] for each in listed] == [job.name for job in JOBS]
    assert all(each["at"] and not each["running"] for each in listed)


async def test_only_who_runs_the_node_runs_its_jobs(node: Node, ann: User) -> None:
    root = await User.new(node, "root", admin=True)
    for command, fields in (("jobs.list", {}), ("jobs.run", {"job": "expired"})):
        with refused("forbidden"):
            await ann.call(command, **fields)
        await root.call(command, **fields)
    with refused("not_found", "job"):
        await root.call("jobs.run", job="nonsense")


async def test_a_failing_job_says_so_and_is_tried_again(node: Node) -> None:
    async def fail(core: Core) -> None:
        raise RuntimeError("out of paper")

    node.jobs.add(Job("printing", 60, fail))
    for runs in (1, 2):
        done = (await node.call("jobs.run", job="printing"))["job"]
        assert (done["ok"], done["runs"], done["failures"]) == (False, runs, runs)
        assert done["result"] == "RuntimeError; see the log"  # its words may be somebody's


async def test_jobs_of_a_lane_wait_for_one_another_and_for_no_other(node: Node) -> None:
    """The node's own upkeep is one lane, each plugin another."""
    blocked = trio.Event()

    async def wait(core: Core) -> str:
        await blocked.wait()
        return "at last"

    async def pass_by(core: Core) -> str:
        return "went by"

    for name, run, lane in (
        ("slow", wait, ""),
        ("own", pass_by, ""),
        ("long", wait, "zoo"),
        ("of.another", pass_by, "b"),
    ):
        node.jobs.add(Job(name, 0, run, lane))
    went: list[str] = []

    async def run(name: str) -> None:
        await node.jobs.run(name)
        went.append(name)

    async with trio.open_nursery() as nursery:
        for name in ("slow", "long", "own", "of.another"):
            nursery.start_soon(run, name)
            await trio.testing.wait_all_tasks_blocked()
        with trio.fail_after(10):
            while not went:  # noqa: ASYNC110
                await trio.sleep(0.01)
        running = {job["name"] for job in (await node.call("jobs.list"))["jobs"] if job["running"]}
        assert (went, running) == (["of.another"], {"slow", "long"})
        blocked.set()
    assert went.index("slow") < went.index("own")


async def test_jobs_wait_for_one_another(node: Node) -> None:
    at_work: list[str] = []
    most: list[int] = []

    def job(name: str) -> Job:
        async def run(core: Core) -> str:
            at_work.append(name)
            for _ in range(5):
                await trio.lowlevel.checkpoint()
            most.append(len(at_work))
            at_work.remove(name)
            return name

        return Job(name, 0, run)

    for name in ("one", "two", "three"):
        node.jobs.add(job(name))
    async with trio.open_nursery() as nursery:
        for name in ("one", "two", "three"):
            nursery.start_soon(node.jobs.run, name)
    assert most == [1, 1, 1]


async def test_expired_sessions_and_invites_go(node: Node, ann: User) -> None:
    await ann.call("tokens.create", days=1)
    await ann.call("tokens.create")
    await node.call("invites.create")
    past = now_ms() - 30 * DAY_MS
    await node.core.db.write(lambda tx: tx.execute("UPDATE sessions SET expires_at = ? WHERE key = 1", (past,)))
    await node.core.db.write(lambda tx: tx.execute("UPDATE invites SET expires_at = ?", (past,)))
    done = await node.call("jobs.run", job="expired")
    assert done["job"]["result"] == "1 session and 1 invite removed"
    assert len((await ann.call("sessions.list"))["sessions"]) == 1


async def test_damage_makes_the_weekly_check_fail(node: Node, ann: User) -> None:
    await ann.call("conversations.direct", **{"with": "ann"})
    connection = sqlite3.connect(node.core.db.path)
    connection.execute("UPDATE conversations SET head = 7")
    connection.commit()
    connection.close()
    done = (await node.call("jobs.run", job="integrity"))["job"]
    assert not done["ok"]
    assert "heads" in done["result"]


# ---- when they run: a clock that jumps, and a database without threads


@pytest.fixture
async def inline_node(tmp_path: Path) -> AsyncIterator[Node]:
    async with open_node(tmp_path / "data", inline=True) as node:
        yield node


async def test_a_job_runs_soon_after_the_start_and_then_once_in_its_period(
    inline_node: Node, autojump_clock: trio.testing.MockClock
) -> None:
    times: list[float] = []

    async def note(core: Core) -> None:
        times.append(trio.current_time() - began)

    runner = JobRunner(inline_node.core, [Job("often", 1000, note), Job("never", 0, note)])
    began = trio.current_time()
    with trio.move_on_after(10_000):
        await runner.run_forever()
    assert times[0] <= FIRST_WITHIN_SECONDS
    assert all(950 <= later - earlier <= 1050 for earlier, later in pairwise(times))
    assert 9 <= len(times) <= 11
    assert runner.last["often"].runs == len(times)


async def test_what_ran_before_a_restart_waits_for_its_time(
    inline_node: Node, autojump_clock: trio.testing.MockClock
) -> None:
    runs: list[float] = []

    async def note(core: Core) -> None:
        runs.append(trio.current_time())

    jobs = [Job("weekly", 7 * 86_400, note)]
    await JobRunner(inline_node.core, jobs).run("weekly")
    with trio.move_on_after(5 * 86_400):
        await JobRunner(inline_node.core, jobs).run_forever()
    assert len(runs) == 1


async def test_what_failed_is_tried_again_in_an_hour(inline_node: Node, autojump_clock: trio.testing.MockClock) -> None:
    runs: list[float] = []

    async def fail_twice(core: Core) -> None:
        runs.append(trio.current_time())
        if len(runs) < 3:
            raise OSError("no")

    with trio.move_on_after(5 * 86_400):
        await JobRunner(inline_node.core, [Job("weekly", 7 * 86_400, fail_twice)]).run_forever()
    first, second, third = runs
    assert RETRY_SECONDS * 0.9 < second - first < RETRY_SECONDS * 1.1
    assert RETRY_SECONDS * 0.9 < third - second < RETRY_SECONDS * 1.1


async def test_a_clock_that_was_set_back_puts_nothing_off_for_longer_than_its_period(
    inline_node: Node, autojump_clock: trio.testing.MockClock
) -> None:
    runs: list[float] = []

    async def note(core: Core) -> None:
        runs.append(trio.current_time())

    jobs = [Job("daily", 86_400, note)]
    await JobRunner(inline_node.core, jobs).run("daily")
    await inline_node.core.db.write(lambda tx: tx.execute("UPDATE jobs SET at = at + ?", (365 * DAY_MS,)))
    with trio.move_on_after(1.2 * 86_400):
        await JobRunner(inline_node.core, jobs).run_forever()
    assert len(runs) == 2


async def test_the_lanes_run_beside_each_other_also_when_jobs_are_due(
    inline_node: Node, autojump_clock: trio.testing.MockClock
) -> None:
    ran: list[str] = []

    async def hang(core: Core) -> None:
        await trio.sleep_forever()

    async def note(core: Core) -> None:
        ran.append("own")

    runner = JobRunner(inline_node.core, [Job("zoo.hang", 1, hang, "zoo"), Job("own", 10, note)])
    with trio.move_on_after(300):
        await runner.run_forever()
    assert len(ran) >= 20


async def test_a_job_that_does_nothing_is_neither_logged_nor_written(
    inline_node: Node, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """But for a line of the database now and then, so that it is known after a restart."""
    did: list[str | None] = [None, "swept", None]

    async def look(core: Core) -> str | None:
        return did.pop() if did else None

    caplog.set_level("INFO", "chatnode")
    runner = JobRunner(inline_node.core, [Job("looking", 1, look)])
    commits = inline_node.core.db.commits.jobs
    before = commits.count
    with trio.move_on_after(QUIET_SECONDS + 10):
        await runner.run_forever()
    assert commits.count - before <= 4
    logged = [record.getMessage() for record in caplog.records]
    assert [line for line in logged if "looking" in line] == ["job looking: swept"]
    runs = runner.last["looking"].runs
    assert runs >= QUIET_SECONDS
    await runner.load()
    assert runner.last["looking"].runs == runs, "what is not written yet is known"
    await runner._note("looking", runner.last["looking"])
    stored = await inline_node.core.db.read(last_runs)
    assert stored["looking"].runs == runs


async def test_that_a_job_works_again_is_written_at_once(
    inline_node: Node, autojump_clock: trio.testing.MockClock
) -> None:
    outcomes: list[Exception | None] = [None, OSError("no"), None]

    async def look(core: Core) -> None:
        if outcomes and (error := outcomes.pop()) is not None:
            raise error

    runner = JobRunner(inline_node.core, [Job("looking", 1, look)])
    for ok in (True, False, True):
        await runner.run("looking")
        assert (await inline_node.core.db.read(last_runs))["looking"].ok is ok


async def test_a_job_that_fails_each_time_ends_nothing(
    inline_node: Node, autojump_clock: trio.testing.MockClock
) -> None:
    async def fail(core: Core) -> None:
        raise OSError("no")

    runner = JobRunner(inline_node.core, [Job("failing", 10, fail)])
    inline_node.core.db.broken = "as in a test"  # not even how it went can be noted
    with trio.move_on_after(100):
        await runner.run_forever()
    assert runner.last["failing"].failures >= 8


async def test_a_job_that_is_woken_runs_now_and_again_if_it_was_running(
    inline_node: Node, autojump_clock: trio.testing.MockClock
) -> None:
    began: list[float] = []

    async def run(core: Core) -> str | None:
        began.append(trio.current_time())
        await trio.sleep(5)
        return None

    runner = JobRunner(inline_node.core, [Job("nightly", 86_400, run), Job("never", 0, run)])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(runner.run_forever)
        await trio.sleep(200)  # what is due at the start was done
        del began[:]
        for _ in range(3):
            runner.wake("nightly")
        await trio.sleep(1)
        runner.wake("nightly")
        await trio.sleep(100)
        assert len(began) == 2
        assert began[1] - began[0] == 5
        runner.wake("never")
        await trio.sleep(1)
        assert len(began) == 3
        nursery.cancel_scope.cancel()
