"""Consumers: what each reads, that its effects happen once, and what it goes on without."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from chatnode.api import Consumer, Context, Refusal, Row, Transaction, Write
from chatnode.node import Node
from chatnode.storage.log import consumers as storage
from chatnode.testing import User
from tests.services.dialogue import fill

from .making import Consume, Noting, head, logged, made, node_with, notes, seen, stored_cursor


async def talk_of(node: Node) -> tuple[User, str]:
    """Somebody, and their notes to themselves."""
    ann = await User.new(node, "ann")
    return ann, await ann.direct(ann)


# ---- what it reads


async def test_a_consumer_gets_what_happens_after_it_was_first_there(tmp_path: Path) -> None:
    noting = Noting()
    async with node_with(tmp_path) as node:
        ann, talk = await talk_of(node)
        await ann.says(talk, "before the plugin")
    async with node_with(tmp_path, made(consumers=[noting.declared()])) as node:
        ann = User(node, ann.account)
        await ann.says(talk, "one")
        await ann.says(talk, "two")
        (status,) = await node.consumers.catch_up()
        assert await seen(node) == (await logged(node))[1:]
        assert (status.cursor, status.behind, status.failing) == (await head(node), 0, None)


async def test_what_happens_before_its_place_could_be_stored_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noting, begin, faults = Noting(), storage.begin, iter([Refusal("unavailable", "not now")])

    def begin_later(*args: Any, **fields: Any) -> Any:
        for fault in faults:
            raise fault
        return begin(*args, **fields)

    monkeypatch.setattr(storage, "begin", begin_later)
    async with node_with(tmp_path, made(consumers=[noting.declared()])) as node:
        ann, talk = await talk_of(node)
        await ann.says(talk, "one")
        await node.consumers.catch_up()
        assert await seen(node) == await logged(node)


async def test_one_from_the_start_gets_everything(tmp_path: Path) -> None:
    noting = Noting()
    async with node_with(tmp_path) as node:
        ann, talk = await talk_of(node)
        await fill(ann, talk, "before the plugin", 12)
    everything = noting.declared(kinds=None, most=5, from_start=True)
    async with node_with(tmp_path, made(consumers=[everything])) as node:
        await node.consumers.catch_up()
        assert await seen(node) == list(range(1, await head(node) + 1))
        assert max(len(batch) for batch in noting.batches) == 5


async def test_rows_say_what_happened_and_where(tmp_path: Path) -> None:
    got: list[Row] = []

    async def consume(ctx: Context, rows: Sequence[Row]) -> None:
        got.extend(rows)

    async with node_with(tmp_path, made(consumers=[Consumer("reading", consume)])) as node:
        ann, talk = await talk_of(node)
        posted = await ann.posts(talk, "hello")
        await node.consumers.catch_up()
        row = got[-1]
        assert (row.gid, row.kind, row.conversation, row.subject, row.actor) == (
            posted["gid"], "message.posted", talk, posted["seq"], ann.account.key,
        )  # fmt: skip


async def test_after_a_restart_it_goes_on_where_it_was(tmp_path: Path) -> None:
    noting = Noting()
    plugin = made(consumers=[noting.declared()])
    async with node_with(tmp_path, plugin) as node:
        ann, talk = await talk_of(node)
        await ann.says(talk, "one")
        await node.consumers.catch_up()
        await ann.says(talk, "two, which it has no time for")
    async with node_with(tmp_path) as node:
        await User(node, ann.account).says(talk, "three, while the plugin is not there")
    async with node_with(tmp_path, plugin) as node:
        (status,) = node.consumers.statuses()
        assert status.behind == 2
        await node.consumers.catch_up()
        assert await seen(node) == await logged(node)
    assert [len(batch) for batch in noting.batches] == [1, 2]


async def test_a_consumer_of_a_rare_kind_reads_the_log_in_stretches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "SCAN_GIDS", 10)
    noting = Noting()
    rare = noting.declared(kinds=frozenset({"message.pinned", "message.edited"}), from_start=True)
    async with node_with(tmp_path, made(consumers=[rare])) as node:
        ann, talk = await talk_of(node)
        posted = await ann.posts(talk, "one")
        await fill(ann, talk, "nothing to it", 35)
        await ann.call("messages.pin", message=posted["message"])
        await fill(ann, talk, "nothing to it", 35)
        await node.consumers.catch_up()
        assert await seen(node) == await logged(node, "message.pinned")
        assert noting.batches == [await seen(node)]
        batch = await node.core.db.read(lambda reader: storage.pending(reader, 0, {"message.edited"}, 500))
        assert (batch.rows, batch.reached, batch.head) == ([], 10, await head(node))


async def test_a_consumer_may_want_rows_that_meet_a_condition(tmp_path: Path) -> None:
    noting = Noting()
    some = attrs.evolve(
        noting.declared(kinds=frozenset({"message.posted"}), from_start=True),
        where="log.conversation IN (SELECT key FROM conversations WHERE title = 'read me')",
    )
    async with node_with(tmp_path, made(consumers=[some])) as node:
        ann, notes_of_ann = await talk_of(node)
        talk = await ann.group(title="not yet")
        await ann.posts(notes_of_ann, "never wanted")
        await ann.posts(talk, "not wanted yet")
        await node.consumers.catch_up()
        await ann.call("conversations.update", conversation=talk, title="read me")
        await ann.posts(notes_of_ann, "never wanted")
        wanted = await ann.posts(talk, "wanted")
        await node.consumers.catch_up()
        assert await seen(node) == [wanted["gid"]]


async def test_holes_in_the_log_are_stepped_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "SCAN_GIDS", 10)
    noting = Noting()
    async with node_with(tmp_path, made(consumers=[noting.declared(from_start=True)])) as node:
        ann, talk = await talk_of(node)
        await fill(ann, talk, "kept for a while", 50)
        posted = await ann.posts(talk, "the newest")
        await node.core.db.write(lambda tx: tx.execute("DELETE FROM log WHERE gid < ?", (posted["gid"],)))
        await node.consumers.catch_up()
        assert await seen(node) == [posted["gid"]]


@pytest.mark.parametrize("kinds", [None, {"message.pinned"}, {"message.posted", "message.edited"}])
@pytest.mark.parametrize("where", [None, "log.conversation IN (SELECT key FROM conversations)"])
async def test_the_log_is_read_by_its_key(node: Node, kinds: set[str] | None, where: str | None) -> None:
    """Never as a whole, and without sorting."""
    traced: list[str] = []

    def plans(reader: sqlite3.Connection) -> list[str]:
        reader.execute("SELECT 1")
        reader.set_trace_callback(traced.append)
        storage.pending(reader, 1, kinds, 10, where)
        reader.set_trace_callback(None)
        return [row[3] for sql in traced for row in reader.execute(f"EXPLAIN QUERY PLAN {sql}")]

    ann, talk = await talk_of(node)
    await ann.says(talk, "one")
    found = [plan for plan in await node.core.db.read(plans) if "log" in plan.split() or " l " in plan]
    assert found
    assert all("USING INTEGER PRIMARY KEY" in plan or plan == "SEARCH log" for plan in found), found


async def test_what_it_does_not_want_costs_no_write_and_is_not_read_again(tmp_path: Path) -> None:
    noting = Noting()
    rare = noting.declared(kinds=frozenset({"message.pinned"}))
    async with node_with(tmp_path, made(consumers=[rare])) as node:
        ann, talk = await talk_of(node)
        begun = await stored_cursor(node)
        posted = await ann.posts(talk, "one")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(node.consumers.run)
            await trio.testing.wait_all_tasks_blocked(0.01)
            await fill(ann, talk, "nothing to it", 20)
            (status,) = node.consumers.statuses()
            assert (status.cursor, status.behind) == (await head(node), 0)
            assert await stored_cursor(node) == begun
            await ann.call("messages.pin", message=posted["message"])
            await until(lambda: bool(noting.batches))
            nursery.cancel_scope.cancel()
        assert await stored_cursor(node) == await head(node)  # it is written when the node stops


async def test_now_and_then_the_place_is_written_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatnode.hooks.consumer.KEPT_IN_MEMORY", 10)
    async with node_with(tmp_path, made(consumers=[Noting().declared(kinds=frozenset({"message.pinned"}))])) as node:
        ann, talk = await talk_of(node)
        await fill(ann, talk, "nothing to it", 9)
        await node.consumers.catch_up()
        assert await stored_cursor(node) == await head(node)


async def test_the_place_is_written_with_an_effect_only_if_rows_may_be_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatnode.hooks.consumer.KEPT_IN_MEMORY", 30)
    read: list[int] = []

    async def consume(ctx: Context, rows: Sequence[Row]) -> Write[object] | None:
        """Something is to be done for every tenth message."""
        read.extend(row.subject for row in rows)
        wanted = [row for row in rows if row.subject % 10 == 0]
        return notes("noting", wanted) if wanted else None

    consumer = Consumer("noting", consume, frozenset({"message.posted"}), most=1, repeatable=True)
    async with node_with(tmp_path, made(consumers=[consumer])) as node:
        ann, talk = await talk_of(node)
        begun = await stored_cursor(node)
        await fill(ann, talk, "nothing to do", 9)
        (status,) = await node.consumers.catch_up()
        assert (status.cursor, status.behind, await stored_cursor(node)) == (await head(node), 0, begun)
        await fill(ann, talk, "one with an effect, and three", 4)
        await node.consumers.catch_up()
        with_effect = await seen(node)
        assert (len(with_effect), await stored_cursor(node)) == (1, with_effect[0])
    read.clear()
    async with node_with(tmp_path, made(consumers=[consumer])) as node:  # it did not serve, so no place was kept
        ann = await User.of(node, "ann")
        await node.consumers.catch_up()
        assert (read, await seen(node)) == ([11, 12, 13], with_effect)
        await node.call("plugins.replay", plugin="made", consumer="noting", gid=with_effect[0])
        await node.consumers.catch_up()
        assert (read, await seen(node)) == ([11, 12, 13] * 2, with_effect)
        monkeypatch.setattr("chatnode.hooks.consumer.KEPT_IN_MEMORY", 3)
        await fill(ann, talk, "more", 2)
        await node.consumers.catch_up()
        assert await stored_cursor(node) > with_effect[0]


async def test_rows_that_were_set_aside_are_taken_back_though_there_is_nothing_to_do(tmp_path: Path) -> None:
    fails = [True]

    async def consume(ctx: Context, rows: Sequence[Row]) -> None:
        if fails:
            raise ValueError("not yet")

    consumer = Consumer("noting", consume, frozenset({"message.posted"}), repeatable=True)
    async with node_with(tmp_path, made(consumers=[consumer]), tries=1) as node:
        ann, talk = await talk_of(node)
        await ann.says(talk, "one")
        (status,) = await node.consumers.catch_up()
        assert (status.set_aside, await stored_cursor(node)) == (1, await head(node))
        fails.clear()
        await node.call("plugins.replay", plugin="made", consumer="noting", gid=0)
        (status,) = await node.consumers.catch_up()
        assert status.set_aside == 0


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds that other tasks bring about; the bound is only on hanging."""
    with trio.fail_after(20):
        while not holds():  # noqa: ASYNC110 - what others do has no event
            await trio.sleep(0.001)


# ---- exactly once


async def test_effect_and_cursor_are_one_transaction(tmp_path: Path) -> None:
    """What raises in the effect undoes the whole of it, and the row comes again."""
    fails = [True]

    async def consume(ctx: Context, rows: Sequence[Row]) -> Write[object]:
        def write(tx: Transaction) -> None:
            notes("noting", rows)(tx)
            if fails:
                fails.pop()
                raise ValueError("half done")

        return write

    async with node_with(tmp_path, made(consumers=[Consumer("noting", consume)])) as node:
        await User.new(node, "ann")
        await node.consumers.catch_up()
        assert await seen(node) == list(range(1, await head(node) + 1))


async def test_events_that_the_effect_records_are_told_and_come_to_consumers_too(tmp_path: Path) -> None:
    noting = Noting(name="noting")

    async def consume(ctx: Context, rows: Sequence[Row]) -> None:
        for row in rows:
            if row.kind == "message.posted":
                await ctx.as_operator().call("people.create", handle=f"made-by-{row.gid}")

    consumers = [Consumer("making", consume), noting.declared(kinds=None)]
    async with node_with(tmp_path, made(consumers=consumers)) as node:
        ann, talk = await talk_of(node)
        posted = await ann.posts(talk, "one")
        await node.consumers.catch_up("made", "making")
        assert (await node.call("people.get", person=f"made-by-{posted['gid']}"))["person"]
        await node.consumers.catch_up()
        assert await seen(node) == list(range(1, await head(node) + 1))


async def test_a_cursor_that_was_moved_meanwhile_undoes_the_effect(tmp_path: Path) -> None:
    """Whoever moves the cursor while a round is under way wins: nothing is done twice, or for the wrong rows."""
    begun, go_on = trio.Event(), trio.Event()

    async def consume(ctx: Context, rows: Sequence[Row]) -> Write[object]:
        begun.set()
        await go_on.wait()
        return notes("noting", rows)

    async with node_with(tmp_path, made(consumers=[Consumer("noting", consume, from_start=True)])) as node:
        await talk_of(node)
        newest = await head(node)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(node.consumers.catch_up)
            await begun.wait()
            await node.call("plugins.replay", plugin="made", consumer="noting", gid=newest - 1)
            go_on.set()
        await node.consumers.catch_up()
        assert await seen(node) == [newest]


async def test_two_who_catch_up_at_once_take_turns(tmp_path: Path) -> None:
    at_work: list[int] = []

    async def consume(ctx: Context, rows: Sequence[Row]) -> Write[object]:
        at_work.append(1)
        assert len(at_work) == 1
        await trio.testing.wait_all_tasks_blocked()
        at_work.pop()
        return notes("noting", rows)

    async with node_with(tmp_path, made(consumers=[Consumer("noting", consume, most=1)])) as node:
        ann, talk = await talk_of(node)
        await fill(ann, talk, "hello", 5)
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(node.consumers.catch_up)
        assert await seen(node) == list(range(1, await head(node) + 1))


# ---- rows that it fails on


def poison(*gids: int, error: Callable[[], BaseException] = lambda: ValueError("secret words")) -> Any:
    """Raises when one of these rows is among them."""

    def check(rows: Sequence[Row]) -> None:
        if any(row.gid in gids for row in rows):
            raise error()

    return check


ERRORS: list[Callable[[], BaseException]] = [
    lambda: ValueError("secret words"),
    lambda: ExceptionGroup("several", [ValueError("secret words"), KeyError("secret words")]),
    lambda: SystemExit("secret words"),
    lambda: Refusal("conflict", "secret words"),
    lambda: RecursionError("secret words"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error()).__name__)
async def test_a_row_that_fails_is_set_aside_and_the_others_are_not(
    tmp_path: Path, error: Callable[[], BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    noting = Noting()
    async with node_with(tmp_path, made(consumers=[noting.declared()]), tries=3) as node:
        ann, talk = await talk_of(node)
        await fill(ann, talk, "hello", 8)
        poisoned = (await logged(node))[4]
        noting.before = poison(poisoned, error=error)
        (status,) = await node.consumers.catch_up()
        assert await seen(node) == [gid for gid in await logged(node) if gid != poisoned]
        assert (status.behind, status.set_aside, status.failing) == (0, 1, None)
        assert sum(batch == [poisoned] for batch in noting.batches) == 3
        (aside,) = (await node.call("plugins.set_aside"))["set_aside"]
        assert (aside["plugin"], aside["consumer"], aside["gid"], aside["kind"], aside["tries"]) == (
            "made", "noting", poisoned, "message.posted", 3,
        )  # fmt: skip
    told = next(record for record in caplog.records if "skipped it" in record.getMessage())
    assert told.levelname == "ERROR"
    for word in ("made", "noting", f"gid {poisoned}", "message.posted"):
        assert word in told.getMessage()
    assert "secret words" not in "".join(record.getMessage() for record in caplog.records)
    assert "secret words" not in aside["error"]


async def test_a_row_whose_effect_raises_is_set_aside_too(tmp_path: Path) -> None:
    async def consume(ctx: Context, rows: Sequence[Row]) -> Write[object]:
        def write(tx: Transaction) -> None:
            for row in rows:
                tx.execute("INSERT INTO made_seen VALUES ('noting', ?, NULL)", (row.gid if row.gid != bad else good,))

        return write

    async with node_with(tmp_path, made(consumers=[Consumer("noting", consume)])) as node:
        await talk_of(node)
        bad = await head(node)
        good = bad - 1
        (status,) = await node.consumers.catch_up()
        assert (status.set_aside, status.behind) == (1, 0)
        assert await seen(node) == list(range(1, bad))


async def test_a_consumer_that_gives_nonsense_is_told_so(tmp_path: Path) -> None:
    async def consume(ctx: Context, rows: Sequence[Row]) -> Any:
        return "done"

    async with node_with(tmp_path, made(consumers=[Consumer("noting", consume)])) as node:
        await talk_of(node)
        (status,) = await node.consumers.catch_up()
        assert status.set_aside == await head(node)
        (entry, *_) = (await node.call("plugins.set_aside"))["set_aside"]
        assert entry["error"] == "raised WrongKind: a consumer returns a function of the transaction, or None"


async def test_an_effect_over_its_budget_is_cut_and_its_row_set_aside(tmp_path: Path) -> None:
    """Also one that writes, with which SQLite undoes its whole transaction; the node goes on."""
    endless = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT 'endless', x, 0 FROM n"
    noting = Noting()

    async def consume(ctx: Context, rows: Sequence[Row]) -> Write[object]:
        return lambda tx: tx.execute(f"INSERT INTO made_seen {endless}")

    consumers = [Consumer("endless", consume, kinds=frozenset({"message.posted"})), noting.declared()]
    async with node_with(tmp_path, made(consumers=consumers), transaction_seconds=0.02) as node:
        ann, talk = await talk_of(node)
        await ann.says(talk, "one")
        cut, fine = await node.consumers.catch_up()
        assert (cut.set_aside, cut.behind, fine.set_aside, fine.behind) == (1, 0, 0, 0)
        await ann.says(talk, "two")
        await node.consumers.catch_up("made", "noting")
        assert await seen(node) == await logged(node)
        assert await seen(node, "endless") == []
        assert node.core.db.broken is None


# ---- what is nobody's fault


NOT_THE_ROWS: list[Callable[[], BaseException]] = [
    lambda: Refusal("unavailable", "later"),
    lambda: Refusal("rate_limited", "later"),
    lambda: OSError(28, "No space left on device"),
    lambda: ExceptionGroup("both", [Refusal("unavailable", "later"), OSError(24, "Too many open files")]),
]


@pytest.mark.parametrize("error", NOT_THE_ROWS, ids=lambda error: str(error())[:20])
async def test_what_is_not_the_rows_fault_is_no_try(tmp_path: Path, error: Callable[[], BaseException]) -> None:
    noting = Noting()
    async with node_with(tmp_path, made(consumers=[noting.declared(from_start=True)]), tries=2) as node:
        ann, talk = await talk_of(node)
        await fill(ann, talk, "hello", 3)
        posted = await logged(node)
        noting.before = poison(*posted, error=error)
        for _ in range(5):
            (status,) = await node.consumers.catch_up()
            assert (status.set_aside, status.behind > 0) == (0, True)
            assert status.failing is not None
        noting.before = lambda rows: None
        await node.consumers.catch_up()
        assert await seen(node) == posted
        assert noting.batches == [posted] * 6  # never taken apart
        assert [each.failures for each in node.plugins.statuses()] == [0]


async def test_a_full_disk_is_nobodys_fault(tmp_path: Path) -> None:
    async def consume(ctx: Context, rows: Sequence[Row]) -> Write[object]:
        def write(tx: Transaction) -> None:
            tx.execute("INSERT INTO made_seen VALUES ('noting', ?, zeroblob(4000000))", (rows[-1].gid,))

        return write

    async with node_with(tmp_path, made(consumers=[Consumer("noting", consume)]), tries=1) as node:
        await talk_of(node)
        await node.core.db.maintain(lambda connection: connection.execute("PRAGMA max_page_count=200").fetchall())
        (status,) = await node.consumers.catch_up()
        assert (status.set_aside, status.behind > 0) == (0, True)
        await node.core.db.maintain(lambda connection: connection.execute("PRAGMA max_page_count=100000").fetchall())
        (status,) = await node.consumers.catch_up()
        assert (status.set_aside, status.behind, status.failing) == (0, 0, None)


# ---- others


async def test_a_slow_one_and_a_raising_one_delay_nobody(tmp_path: Path) -> None:
    """One is in the middle of a row, one raises on each: every other consumer and every post goes on meanwhile."""
    begun, end = trio.Event(), trio.Event()
    noting = Noting()

    async def slow(ctx: Context, rows: Sequence[Row]) -> None:
        begun.set()
        await end.wait()

    async def raising(ctx: Context, rows: Sequence[Row]) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail)
            nursery.start_soon(fail)

    async def fail() -> None:
        raise KeyError("no")

    consumers = [Consumer("slow", slow), Consumer("raising", raising), noting.declared()]
    async with node_with(tmp_path, made(consumers=consumers)) as node, trio.open_nursery() as nursery:
        nursery.start_soon(node.consumers.run)
        ann, talk = await talk_of(node)
        await begun.wait()
        for number in range(20):
            posted = await ann.posts(talk, f"message {number}")
            await until(lambda gid=posted["gid"]: any(gid in batch for batch in noting.batches))
        slow_one, raising_one, _ = node.consumers.statuses()
        assert not end.is_set()
        assert slow_one.cursor == 0
        assert raising_one.failing is not None
        assert len(noting.batches) >= 20
        end.set()
        await until(lambda: node.consumers.statuses()[0].behind == 0)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("how", ["asleep", "in a nursery", "raising when cancelled"])
async def test_cancelling_ends_a_consumer_wherever_it_is(tmp_path: Path, how: str) -> None:
    begun = trio.Event()

    async def consume(ctx: Context, rows: Sequence[Row]) -> None:
        begun.set()
        if how == "asleep":
            await trio.sleep_forever()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            try:
                await trio.sleep_forever()
            finally:
                if how == "raising when cancelled":
                    raise ValueError("while it is cancelled")

    async with node_with(tmp_path, made(consumers=[Consumer("noting", consume)])) as node:
        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(node.consumers.run)
                await talk_of(node)
                await begun.wait()
                nursery.cancel_scope.cancel()
        assert await stored_cursor(node) == 0  # the row was not done with, and comes again


async def test_rows_come_together_when_it_waits_for_more(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    noting = Noting()
    plugin = made(consumers=[noting.declared(pause=60.0)])
    async with node_with(tmp_path, plugin, inline=True) as node, trio.open_nursery() as nursery:
        nursery.start_soon(node.consumers.run)
        ann, talk = await talk_of(node)
        for _ in range(5):
            await trio.sleep(10)
            await ann.says(talk, "hello")
        await trio.sleep(200)
        assert noting.batches == [await logged(node)]
        nursery.cancel_scope.cancel()


async def test_between_tries_it_waits_longer_and_longer(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    times: list[float] = []

    def fail(rows: Sequence[Row]) -> None:
        times.append(trio.current_time())
        raise ValueError

    noting = Noting(before=fail)
    plugin = made(consumers=[noting.declared()])
    async with node_with(tmp_path, plugin, inline=True, tries=12) as node, trio.open_nursery() as nursery:
        nursery.start_soon(node.consumers.run)
        ann, talk = await talk_of(node)
        await ann.says(talk, "hello")
        await trio.sleep(3_600)
        waits = [later - earlier for earlier, later in pairwise(times)]
        assert len(times) == 12
        assert all(2**number / 8 <= wait <= 2**number / 4 for number, wait in enumerate(waits[:8]))
        assert max(waits) <= 60
        assert node.consumers.statuses()[0].set_aside == 1
        nursery.cancel_scope.cancel()


async def test_a_consumer_is_declared_as_async_with_kinds_that_there_are(tmp_path: Path) -> None:
    def consume(ctx: Context, rows: Sequence[Row]) -> None: ...

    async def fine(ctx: Context, rows: Sequence[Row]) -> None: ...

    faults: list[tuple[Any, dict[str, Any], str]] = [
        (consume, {}, "must be async def"),
        (fine, {"kinds": frozenset({"message.postd"})}, "message.postd"),
        (fine, {"kinds": frozenset({"presence.changed"})}, "presence.changed"),
        (fine, {"most": 0}, "the minimum is 1"),
    ]
    for function, fields, words in faults:
        async with node_with(tmp_path, made(consumers=[Consumer("one", function, **fields)])) as node:
            (status,) = node.plugins.statuses()
            assert (status.state, words in (status.reason or "")) == ("broken", True), status
    other: Consume = fine
    async with node_with(tmp_path, made(consumers=[Consumer("one", other, frozenset({"elsewhere.done"}))])) as node:
        assert [each.state for each in node.plugins.statuses()] == ["running"]
