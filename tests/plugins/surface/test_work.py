"""Durable work of plugins: started with a write, run in the background, steered by its owner, resumed where it was."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from chatnode.api import Consumer, Context, Refusal, Row, Task, Transaction, Work, WorkKind, change_work_arguments
from chatnode.config import Config
from chatnode.hooks import unwilling
from chatnode.model.times import DAY_MS, now_ms
from chatnode.node import Node, open_node
from chatnode.testing import LiveUser, configured, refused, run_work
from tests.plugins.surface.making import made, states
from tests.plugins.surface.working import Counter, counted, counting, disk_is_full, failing, start


@pytest.fixture
def counter() -> Counter:
    return Counter()


@pytest.fixture
def only_plugins(counter: Counter) -> list[Any]:
    return [counting(counter)]


async def begin(user: LiveUser, upto: int = 10, **fields: Any) -> str:
    return (await user.does("counting.start", upto=upto, **fields))["work"]


async def look(user: LiveUser, work: str) -> dict[str, Any]:
    return (await user.does("work.get", work=work))["work"]


@asynccontextmanager
async def running(node: Node) -> AsyncIterator[None]:
    """Works run within the block, as on a node that serves."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.works.run)
        yield
        nursery.cancel_scope.cancel()


async def until(user: LiveUser, work: str, status: str) -> dict[str, Any]:
    with trio.fail_after(30):
        while (found := await look(user, work))["status"] != status:  # noqa: ASYNC110 - its events are tested elsewhere
            await trio.sleep(0.005)
    return found


async def until_written(node: Node) -> None:
    """Until a slice is on disk."""
    with trio.fail_after(30):
        while not await counted(node):  # noqa: ASYNC110 - what a thread does
            await trio.sleep(0.005)


async def until_ended(counter: Counter) -> None:
    """Until no run is left."""
    with trio.fail_after(30):
        while counter.running:  # noqa: ASYNC110
            await trio.sleep(0.005)


# ---- running


async def test_a_work_runs_and_its_owner_hears_of_it(node: Node, ann: LiveUser) -> None:
    work = await begin(ann)
    heard = (await ann.hears("work.changed"))["work"]
    assert (heard["work"], heard["status"], heard["title"]) == (work, "waiting", "Count to 10")
    found = await run_work(node, work)
    assert (found["status"], found["done"], found["total"], found["result"]) == ("done", 10, 10, {"counted": 10})
    assert found["owner"]["handle"] == "ann"
    assert await counted(node) == list(range(10))
    statuses = [push["work"]["status"] for push in ann.heard("work.changed")]
    assert statuses == ["waiting", "running", "done"]
    assert ann.heard("work.changed")[-1]["work"] == await look(ann, work)


async def test_progress_is_pushed_to_its_owner_alone(node: Node, ann: LiveUser, bob: LiveUser) -> None:
    work = await begin(ann)
    await run_work(node, work)
    first = ann.heard("work.progress")[0]
    assert (first["work"], first["done"], first["total"]) == (work, 3, 10)
    assert bob.heard() == []


async def test_a_work_is_there_if_and_only_if_its_write_is(node: Node, ann: LiveUser) -> None:
    context = node.plugins.loaded["counting"].context

    def write(tx: Transaction) -> None:
        context.start_work(tx, "count", {"upto": 1})
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await node.core.db.write(write)
    assert (await node.call("work.list"))["works"] == []
    work = await node.core.db.write(lambda tx: context.start_work(tx, "count", {"upto": 1}, owner=ann.key))
    assert (await run_work(node, work))["owner"]["handle"] == "ann"


async def test_what_is_not_declared_or_no_json_is_refused(node: Node) -> None:
    context = node.plugins.loaded["counting"].context
    with pytest.raises(LookupError, match="the plugin counting declares no work kind nonsense"):
        await node.core.db.write(lambda tx: context.start_work(tx, "nonsense", {}))
    with pytest.raises(ValueError, match="the arguments of a work item must be JSON"):
        await node.core.db.write(lambda tx: context.start_work(tx, "count", {"at": {1, 2}}))
    with pytest.raises(ValueError, match="the maximum is 1048576"):
        await node.core.db.write(lambda tx: context.start_work(tx, "count", {"text": "x" * (1 << 20)}))


async def test_arguments_can_be_changed_until_a_work_has_ended(node: Node, ann: LiveUser) -> None:
    await run_work(node, await begin(ann, upto=2))
    work, seen = await begin(ann, upto=2), list[Any]()

    def change(arguments: dict[str, Any]) -> dict[str, Any]:
        seen.append(arguments)
        return {"upto": 3}

    await node.core.db.write(lambda tx: change_work_arguments(tx, "counting.count", change))
    await node.core.db.write(lambda tx: change_work_arguments(tx, "counting.other", change))
    assert seen == [{"upto": 2}]
    assert (await run_work(node, work))["result"] == {"counted": 3}
    await begin(ann)
    with pytest.raises(ValueError, match="must be JSON"):
        await node.core.db.write(lambda tx: change_work_arguments(tx, "counting.count", lambda _: {"at": {1}}))


async def test_works_run_beside_each_other_up_to_the_setting(tmp_path: Path, counter: Counter) -> None:
    counter.gate = trio.Event()
    config = configured(work={"at_once": 2})
    async with open_node(tmp_path / "data", config, only=[counting(counter)]) as node, running(node):
        ann = await LiveUser.new(node, "ann")
        works = [await begin(ann) for _ in range(4)]
        for each in works[:2]:
            await until(ann, each, "running")
        await trio.testing.wait_all_tasks_blocked(0.02)
        assert [(await look(ann, each))["status"] for each in works] == ["running"] * 2 + ["waiting"] * 2
        counter.gate.set()
        for each in works:
            await until(ann, each, "done")
    assert counter.most == 2


async def test_a_kind_may_allow_fewer_at_once(node: Node, ann: LiveUser, counter: Counter) -> None:
    works = [await begin(ann, kind="alone") for _ in range(3)]
    await run_work(node, works[0])
    assert counter.most == 1
    assert [(await look(ann, each))["status"] for each in works] == ["done"] * 3


async def test_of_the_works_with_a_resource_one_runs_at_a_time(node: Node, ann: LiveUser, counter: Counter) -> None:
    works = [await begin(ann, 5, resource="the list") for _ in range(3)]
    other = await begin(ann, 5, resource="another list")
    counter.gate = trio.Event()
    async with running(node):
        for each in (works[0], other):
            await until(ann, each, "running")
        await trio.testing.wait_all_tasks_blocked(0.02)
        assert [(await look(ann, each))["status"] for each in works] == ["running", "waiting", "waiting"]
        counter.gate.set()
        for each in (*works, other):
            await until(ann, each, "done")
    assert counter.most == 2
    rows = [await counted(node, each) for each in works]
    assert rows == [list(range(5))] * 3


async def test_a_work_starts_when_it_may(node: Node, ann: LiveUser) -> None:
    work = await begin(ann, not_before=now_ms() + 60_000)
    found = await run_work(node, work)
    assert found["status"] == "waiting"
    assert found["not_before"] > found["created_at"]
    now = await begin(ann, 1)
    assert (await run_work(node, now))["status"] == "done", "it holds up no other"
    assert (await run_work(node, work, ahead_seconds=61))["status"] == "done"


async def test_a_node_that_runs_starts_it_by_itself(node: Node, ann: LiveUser) -> None:
    async with running(node):
        work = await begin(ann, not_before=now_ms() + 50)
        await until(ann, work, "done")


# ---- steering


async def test_a_paused_work_goes_on_from_where_it_was(node: Node, ann: LiveUser, counter: Counter) -> None:
    counter.gate = trio.Event()
    async with running(node):
        work = await begin(ann)
        await until(ann, work, "running")
        await until_written(node)
        assert (await ann.does("work.pause", work=work))["work"]["status"] == "paused"
        await until_ended(counter)
        assert await counted(node) == [0, 1, 2]
        assert (await look(ann, work))["done"] == 3
        counter.gate.set()
        await ann.does("work.resume", work=work)
        await until(ann, work, "done")
    assert await counted(node) == list(range(10))
    assert counter.attempts == [(1, None), (1, {"at": 3})]


async def test_a_work_that_was_cancelled_writes_nothing_more(node: Node, ann: LiveUser, counter: Counter) -> None:
    counter.gate = trio.Event()
    async with running(node):
        work = await begin(ann)
        await until(ann, work, "running")
        await ann.does("work.cancel", work=work)
        stored = await counted(node)
        counter.gate.set()
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert counter.running == {}
        assert await counted(node) == stored
    with refused("conflict", "work"):
        await ann.does("work.resume", work=work)
    with refused("conflict", "work"):
        await ann.does("work.pause", work=work)
    assert (await look(ann, work))["status"] == "cancelled"


async def test_a_slice_is_refused_after_the_pause_however_long_it_waited(node: Node, ann: LiveUser) -> None:
    """The write of the work is handed over before the pause, and has its turn after it."""
    work = await begin(ann)
    node.core.db.lane.wrote_ordinary()
    node.core.db.lane.took(0.3)  # the lane rests while others write, until nobody has for a moment
    async with running(node):
        await until(ann, work, "running")
        await ann.does("work.pause", work=work)
        await trio.sleep(0.6)
        assert await counted(node) == []
        assert (await look(ann, work))["status"] == "paused"


async def test_a_work_is_paused_before_it_begins(node: Node, ann: LiveUser) -> None:
    work = await begin(ann)
    await ann.does("work.pause", work=work)
    assert (await run_work(node, work))["status"] == "paused"
    assert await counted(node) == []
    await ann.does("work.resume", work=work)
    assert (await run_work(node, work))["status"] == "done"


async def test_one_that_is_done_stays_so(node: Node, ann: LiveUser) -> None:
    work = await begin(ann)
    await run_work(node, work)
    for command in ("work.pause", "work.resume", "work.cancel"):
        with refused("conflict", "work"):
            await ann.does(command, work=work)


async def test_only_its_owner_and_operators_know_of_it(node: Node, ann: LiveUser, bob: LiveUser) -> None:
    root = await LiveUser.new(node, "root", admin=True)
    work = await begin(ann)
    for command in ("work.get", "work.pause", "work.resume", "work.cancel"):
        with refused("not_found", "work"):
            await bob.does(command, work=work)
    assert (await bob.does("work.list"))["works"] == []
    assert (await bob.does("items.query", collection="work"))["data"] == []
    assert [each["work_id"] for each in (await ann.does("items.query", collection="work"))["data"]] == [work]
    assert [each["work_id"] for each in (await root.does("items.query", collection="work"))["data"]] == [work]
    assert [each["work"] for each in (await ann.does("work.list"))["works"]] == [work]
    assert [each["work"] for each in (await root.does("work.list"))["works"]] == [work]
    assert (await root.does("work.cancel", work=work))["work"]["status"] == "cancelled"
    assert [push["work"]["status"] for push in ann.heard("work.changed")] == ["waiting", "cancelled"]
    assert root.heard("work.changed") == []
    (entry,) = (await node.call("audit.list", action="work.cancel"))["entries"]
    assert (entry["target"], entry["actor"]["handle"]) == (work, "root")


async def test_the_list_has_pages_and_terms(node: Node, ann: LiveUser) -> None:
    works = [await begin(ann, 1) for _ in range(5)]
    await ann.does("work.pause", work=works[2])
    page = await ann.does("work.list", limit=3)
    assert [each["work"] for each in page["works"]] == works[:1:-1]
    rest = await ann.does("work.list", limit=3, before=page["next"])
    assert ([each["work"] for each in rest["works"]], rest.get("next")) == (works[1::-1], None)
    assert [each["work"] for each in (await ann.does("work.list", status="paused"))["works"]] == [works[2]]
    assert (await ann.does("work.list", kind="counting.alone"))["works"] == []


# ---- failing


async def test_a_failed_attempt_is_repeated_later_from_the_checkpoint(
    node: Node, ann: LiveUser, counter: Counter
) -> None:
    counter.at = failing(7, ZeroDivisionError("secret"), ZeroDivisionError("secret"))
    work = await begin(ann)
    found = await run_work(node, work)
    assert (found["status"], found["failures"]) == ("waiting", 1)
    assert found["error"].startswith("raised ZeroDivisionError at ")
    assert found["not_before"] > found["started_at"]
    found = await run_work(node, work, ahead_seconds=300)
    assert found["status"] == "done"
    assert counter.attempts == [(1, None), (2, {"at": 6}), (3, {"at": 6})]
    assert await counted(node) == list(range(10))
    assert found["failures"] == 2
    assert "secret" not in str(ann.heard())
    (status,) = node.plugins.statuses()
    assert status.failures == 2


async def test_after_its_tries_a_work_has_failed_and_may_be_resumed(
    node: Node, ann: LiveUser, counter: Counter
) -> None:
    counter.at = failing(4, KeyError(), KeyError(), KeyError())
    work = await begin(ann, kind="alone")
    found = await run_work(node, work, ahead_seconds=300)
    assert (found["status"], found["failures"]) == ("failed", 2)
    assert found["error"].startswith("raised KeyError at ")
    assert found["ended_at"]
    await ann.does("work.resume", work=work)
    assert (await run_work(node, work, ahead_seconds=300))["status"] == "done"
    assert await counted(node) == list(range(10))
    assert [attempt for attempt, _ in counter.attempts] == [1, 2, 1, 2]


async def test_a_refusal_fails_at_once_with_its_message(node: Node, ann: LiveUser, counter: Counter) -> None:
    counter.at = failing(4, Refusal("invalid", "row 4 is no number"))
    work = await begin(ann)
    found = await run_work(node, work)
    assert (found["status"], found["error"], found["done"]) == ("failed", "row 4 is no number", 3)


async def test_what_passes_is_waited_for_and_not_counted(node: Node, ann: LiveUser, counter: Counter) -> None:
    counter.at = failing(4, *(disk_is_full() for _ in range(10)))
    work = await begin(ann, kind="alone")
    found = await run_work(node, work)
    assert (found["status"], found["error"]) == ("waiting", "the disk is full; nothing was stored")
    found = await run_work(node, work, ahead_seconds=10)
    assert (found["status"], found["failures"]) == ("done", 0)
    assert await counted(node) == list(range(10))
    assert node.plugins.statuses()[0].failures == 0


@pytest.mark.parametrize("failures", [0, 1])
async def test_a_wait_from_before_the_clock_was_set_back_does_not_count(
    node: Node, ann: LiveUser, counter: Counter, monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    counter.at = failing(4, *(ZeroDivisionError() for _ in range(failures)))
    right = time.time_ns
    with monkeypatch.context() as ahead:
        ahead.setattr(time, "time_ns", lambda: right() + 365 * DAY_MS * 1_000_000)
        work = await begin(ann)
        if failures:
            assert (await run_work(node, work))["status"] == "waiting"
    assert (await run_work(node, work))["status"] == "done"


async def test_no_work_is_held_up_for_longer_than_an_hour(node: Node, ann: LiveUser, counter: Counter) -> None:
    counter.at = failing(4, Refusal("unavailable", "next week", retry_after=7 * DAY_MS / 1000))
    work = await begin(ann)
    assert (await run_work(node, work))["status"] == "waiting"
    assert (await run_work(node, work, ahead_seconds=1))["status"] == "waiting"
    assert (await run_work(node, work, ahead_seconds=3_601))["status"] == "done"


@pytest.mark.parametrize("result", [{"at": {1}}, "text", {"text": "x" * (1 << 20)}], ids=["set", "text", "long"])
async def test_a_result_that_is_no_json_is_a_failure(tmp_path: Path, result: Any) -> None:
    async def run(ctx: Context, work: Work) -> Any:
        return result

    plugin = made("demo", works=(WorkKind("work", run, "Work", tries=1),))
    async with open_node(tmp_path / "data", only=[plugin]) as node:
        context = node.plugins.loaded["demo"].context
        work = await node.core.db.write(lambda tx: context.start_work(tx, "work", {}))
        assert (await run_work(node, work))["status"] == "failed"
        ok, parts = await node.health()
        assert (ok, parts["work"]["status"]) == (False, "failing")
        assert "demo.work" in parts["work"]["reason"], "work of nobody is the operator's to look after"


async def test_a_plugin_is_told_of_the_end(node: Node, ann: LiveUser, counter: Counter) -> None:
    done, gone = await begin(ann, 4), await begin(ann)
    await ann.does("work.cancel", work=gone)
    await run_work(node, done)
    ended = {each.id: each for each in counter.ended}
    assert (ended[done].status, ended[done].state, ended[done].result) == ("done", {"at": 4}, {"counted": 4})
    assert (ended[gone].status, ended[gone].owner, ended[gone].arguments) == ("cancelled", ann.key, {"upto": 10})


async def test_a_plugin_that_fails_at_the_end_does_not_prevent_it(tmp_path: Path) -> None:
    async def run(ctx: Context, work: Work) -> None: ...

    def ended(tx: Transaction, work: Any) -> None:
        tx.execute("CREATE TABLE demo_never (key INTEGER)")
        raise KeyError(work.id)

    plugin = made("demo", works=(WorkKind("work", run, "Work", ended=ended),))
    async with open_node(tmp_path / "data", only=[plugin]) as node:
        context = node.plugins.loaded["demo"].context
        work = await node.core.db.write(lambda tx: context.start_work(tx, "work", {}))
        assert (await run_work(node, work))["status"] == "done"
        assert node.plugins.statuses()[0].failures == 1
        tables = await node.core.db.read(lambda reader: reader.execute("PRAGMA table_info(demo_never)").fetchall())
        assert tables == []


# ---- restarts


async def test_a_node_that_stops_lets_its_works_wait_and_the_next_goes_on(tmp_path: Path) -> None:
    counter = Counter(gate=trio.Event())
    async with open_node(tmp_path / "data", only=[counting(counter)]) as node:
        ann = await LiveUser.new(node, "ann")
        work = await begin(ann)
        async with running(node):
            await until(ann, work, "running")
            await until_written(node)
        assert (await look(ann, work))["status"] == "waiting"
    again = Counter()
    async with open_node(tmp_path / "data", only=[counting(again)]) as node:
        assert (await run_work(node, work))["status"] == "done"
        assert await counted(node) == list(range(10))
    assert again.attempts == [(1, {"at": 3})]


async def test_works_that_ran_when_the_node_died_go_on(tmp_path: Path) -> None:
    """Each time it dies without progress the work waits longer, as it may be the cause; progress ends that."""
    async with open_node(tmp_path / "data", only=[counting(Counter())]) as node:
        ann = await LiveUser.new(node, "ann")
        work = await begin(ann)
        waits: list[bool] = []
        for _ in range(5):
            await node.core.db.write(lambda tx: tx.execute("UPDATE work SET status = 'running'"))
            node.works._recovered = False
            await node.works._recover()
            found = await look(ann, work)
            waits.append("not_before" in found and found["not_before"] > found["created_at"])
            assert found["status"] == "waiting"
        at, died = await node.core.db.read(
            lambda reader: reader.execute("SELECT not_before, interrupted FROM work").fetchone()
        )
        assert died == 5
        assert 2_000 < at - now_ms() <= 4_000
        await node.core.db.write(lambda tx: tx.execute("UPDATE work SET not_before = 0"))
        await run_work(node, work)
        assert await counted(node) == list(range(10))
        assert await node.core.db.read(lambda reader: reader.execute("SELECT interrupted FROM work").fetchone()) == (0,)


async def test_the_work_of_a_plugin_that_does_not_run_waits(tmp_path: Path) -> None:
    counter = Counter()
    async with open_node(tmp_path / "data", only=[counting(counter)]) as node:
        work = await begin(await LiveUser.new(node, "ann"))
        await node.core.db.write(lambda tx: tx.execute("UPDATE work SET status = 'running'"))
    other = made("other")
    async with open_node(tmp_path / "data", only=[other]) as node:
        assert (await run_work(node, work))["status"] == "waiting"
        assert (await node.call("work.pause", work=work))["work"]["status"] == "paused"
        assert (await node.call("work.resume", work=work))["work"]["status"] == "waiting"
    async with open_node(tmp_path / "data", only=[counting(counter)]) as node:
        assert (await run_work(node, work))["status"] == "done"


# ---- keeping and removing


async def test_what_has_ended_is_kept_for_a_while(node: Node, ann: LiveUser) -> None:
    old, kept, waits = await begin(ann, 1), await begin(ann, 1), await begin(ann, 1)
    await ann.does("work.pause", work=waits)
    await run_work(node, kept)
    ago = now_ms() - 31 * DAY_MS
    await node.core.db.write(
        lambda tx: tx.execute("UPDATE work SET created_at = ?, ended_at = CASE WHEN id = ? THEN ? ELSE ended_at END",
                              (ago, old, ago))
    )  # fmt: skip
    assert (await node.call("jobs.run", job="ended work"))["job"]["result"] == "1 work item removed"
    assert [each["work"] for each in (await ann.does("work.list"))["works"]] == [waits, kept]
    with refused("not_found", "work"):
        await ann.does("work.get", work=old)


async def test_the_works_of_who_is_erased_go_and_stop(node: Node, ann: LiveUser, counter: Counter) -> None:
    counter.gate = trio.Event()
    async with running(node):
        work = await begin(ann, 100)
        await until(ann, work, "running")
        await node.call("people.erase", person="ann", handle="ann")
        counter.gate.set()
        await until_ended(counter)
    assert len(await counted(node)) < 100
    assert (await node.call("work.list"))["works"] == []


async def test_what_a_work_was_given_is_forgotten_once_nobody_needs_it(
    node: Node, ann: LiveUser, counter: Counter
) -> None:
    def read(reader: Any) -> dict[str, Any]:
        rows = reader.execute("SELECT id, arguments, state FROM work").fetchall()
        return {id: (arguments, state) for id, arguments, state in rows}

    done, gone = await begin(ann, 4), await begin(ann)
    await ann.does("work.cancel", work=gone)
    await run_work(node, done)
    counter.at = failing(1, Refusal("invalid", "no"))
    failed = await begin(ann, 7)
    await run_work(node, failed)
    kept = await node.core.db.read(read)
    assert kept[done] == kept[gone] == ("{}", None)
    assert kept[failed][0] == '{"upto":7}', "it can be tried again"


async def test_a_person_gets_their_works_with_their_data(node: Node, ann: LiveUser) -> None:
    work = await begin(ann, 2)
    await run_work(node, work)
    entries = (await ann.does("people.export", after="work:0"))["entries"]
    found = next(each["data"] for each in entries if each["kind"] == "work")
    assert (found["work"], found["status"], found["arguments"]) == (work, "done", {})


async def test_metrics_and_health_tell_of_it(node: Node, ann: LiveUser, counter: Counter) -> None:
    counter.at = failing(1, Refusal("invalid", "no"))
    await run_work(node, await begin(ann))
    await begin(ann)
    ok, parts = await node.health()
    assert ok
    assert parts["work"] == {"waiting": 1, "running": 0, "failed": 1, "status": "ok"}


# ---- declaring


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"name": "Count"}, "the work 'Count' must be named with a-z, 0-9 and _"),
        ({"tries": 0}, "the work count has tries=0, at_once=1; the minimum is 1"),
        ({"at_once": 0}, "the work count has tries=5, at_once=0; the minimum is 1"),
        ({"run": lambda ctx, work: None}, "the work count must be async def, not def"),
    ],
    ids=lambda value: str(value)[:20],
)
async def test_a_declaration_that_is_wrong_is_refused(tmp_path: Path, wrong: dict[str, Any], reason: str) -> None:
    async def run(ctx: Context, work: Work) -> None: ...

    kind = WorkKind(**{"name": "count", "run": run, "title": "Count"} | wrong)
    async with open_node(tmp_path / "data", Config(), only=[made("demo", works=(kind,))]) as node:
        assert states(node) == {"demo": reason}


# ---- what is not ended by being cancelled


async def catching_cancelled() -> None:
    while True:
        with suppress(trio.Cancelled):
            await trio.sleep(0.01)


async def catching_everything() -> None:
    while True:
        with suppress(BaseException):
            await trio.sleep(0.01)


async def cleaning_up_for_ever() -> None:
    try:
        await trio.sleep_forever()
    finally:
        with trio.CancelScope(shield=True):
            while True:  # noqa: ASYNC110 - it is not meant to end
                await trio.sleep(0.01)


async def in_a_nursery() -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
        await catching_cancelled()


UNWILLING = [catching_cancelled, catching_everything, cleaning_up_for_ever, in_a_nursery]


@pytest.mark.parametrize("run", UNWILLING)
async def test_a_work_that_goes_on_when_it_is_paused_is_ended_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Callable[[], Awaitable[None]]
) -> None:
    monkeypatch.setattr(unwilling, "END_SECONDS", 0.05)
    started = trio.Event()

    async def go_on(ctx: Context, work: Work) -> None:
        started.set()
        await run()

    works = (WorkKind("count", go_on, "Going on"),)
    plugin = made("counting", works=works, commands=(start,))
    async with open_node(tmp_path / "data", only=[plugin]) as node:
        ann = await LiveUser.new(node, "ann")
        first = await begin(ann)
        async with running(node):
            await started.wait()
            await ann.call("work.pause", work=first)
            started = trio.Event()
            await begin(ann)  # for which there is room again, of one at a time
            await started.wait()
            (status,) = node.plugins.statuses()
            assert (status.last_failure or "").startswith("work count went on for 0.05 s after it was cancelled")
            assert (await look(ann, first))["status"] == "paused"
        assert node.plugins.statuses()[0].failures == 2  # the node, or here the block, has stopped


ABANDONING = """
from contextlib import suppress
import trio
from chatnode.hooks import unwilling

async def go_on():
    while True:
        with suppress(BaseException):
            await trio.sleep(0.01)

async def main():
    with trio.move_on_after(0.05) as scope:
        await unwilling.run_cancellable(go_on, lambda: scope.cancel_called, print)

unwilling.END_SECONDS = 0.05
trio.run(main)
"""


def test_a_process_ends_although_a_function_was_abandoned() -> None:
    """Freed with everything else at its end, the function would go on once more, for ever."""
    ended = subprocess.run([sys.executable, "-c", ABANDONING], capture_output=True, text=True, timeout=30, check=True)
    assert "went on for 0.05 s after it was cancelled" in ended.stdout


async def test_tasks_and_consumers_that_go_on_are_ended_with_the_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nursery: trio.Nursery, caplog: Any
) -> None:
    monkeypatch.setattr(unwilling, "END_SECONDS", 0.05)
    task, periodic, consumer = trio.Event(), trio.Event(), trio.Event()

    async def run(ctx: Context) -> None:
        task.set()
        await catching_everything()

    async def tidy(ctx: Context) -> str | None:
        periodic.set()
        await catching_cancelled()
        return None

    async def consume(ctx: Context, rows: Sequence[Row]) -> None:
        consumer.set()
        await catching_cancelled()

    plugin = made(
        tasks=[Task("run", run), Task("tidy", tidy, every=0.01)],
        consumers=[Consumer("follow", consume, from_start=True)],
    )
    async with open_node(tmp_path / "data", only=[plugin]) as node:
        ann = await LiveUser.new(node, "ann")
        await ann.says(await ann.group(), "hello")
        async with trio.open_nursery() as serving:
            await serving.start(node.serve, "127.0.0.1:0")
            for each in (task, periodic, consumer):
                await each.wait()
            serving.cancel_scope.cancel()
    for hook in ("task run", "task tidy", "consumer follow"):
        assert f"the plugin demo: {hook} went on for 0.05 s after it was cancelled" in caplog.text
