"""Many events at once: for consumers, with what hooks of plugins are promised for each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from chatnode.api import (
    Change,
    Consumer,
    Context,
    Event,
    EventKind,
    Reader,
    Refusal,
    Row,
    Step,
    Transaction,
    Write,
    only_for,
)
from chatnode.node import Node
from chatnode.testing import LiveUser
from tests.plugins.surface.making import made, node_with


@attrs.define
class ItemAdded(Event):
    name = "demo.added"
    item: int


@attrs.define
class ItemNoted(Event):
    name = "demo.noted"
    item: int


def remake(reader: Reader, row: Row) -> ItemAdded | None:
    """None for what is gone: odd hundreds, here."""
    return ItemAdded(row.subject) if row.subject % 200 != 100 else None


KINDS = (EventKind(ItemAdded, remake), EventKind(ItemNoted, lambda reader, row: ItemNoted(row.subject)))
TABLE = Step("tables", "CREATE TABLE demo_seen (subject INTEGER NOT NULL);")


@attrs.define
class Keeper:
    """A consumer that keeps what it reads."""

    rows: list[tuple[int, str, int, int | None]] = attrs.field(factory=list[tuple[int, str, int, int | None]])

    async def consume(self, ctx: Context, rows: Sequence[Row]) -> Write[object] | None:
        self.rows += [(row.gid, row.kind, row.subject, row.actor) for row in rows]
        return None


def plugin(keeper: Keeper, *hooks: Any) -> Any:
    async def consume(ctx: Context, rows: Sequence[Row]) -> Write[object] | None:
        return await keeper.consume(ctx, rows)

    consumer = Consumer("keeper", consume, kinds=frozenset({"demo.added", "demo.noted"}), from_start=True)
    return made("demo", *hooks, events=KINDS, consumers=(consumer,), steps=(TABLE,))


def add(subjects: Sequence[int], actor: int | None = None) -> Write[list[int]]:
    return lambda tx: list(tx.record_many(ItemAdded, subjects, actor=actor))


async def test_a_consumer_gets_each_of_them(tmp_path: Path) -> None:
    keeper = Keeper()
    async with node_with(tmp_path, plugin(keeper)) as node:
        first = await node.core.db.write(lambda tx: tx.next_gid)
        gids = await node.core.db.write(add(range(1_000)))
        assert gids == list(range(first, first + 1_000))
        await node.consumers.catch_up()
    assert keeper.rows == [(gid, "demo.added", subject, None) for subject, gid in enumerate(gids)]


async def test_they_wake_a_consumer_that_waits(tmp_path: Path) -> None:
    keeper = Keeper()
    async with node_with(tmp_path, plugin(keeper)) as node, trio.open_nursery() as nursery:
        ann = await LiveUser.new(node, "ann")
        await node.consumers.catch_up()
        nursery.start_soon(node.consumers.run)
        await trio.testing.wait_all_tasks_blocked(0.05)
        await node.core.db.write(add([7, 8, 9], ann.key))
        with trio.fail_after(30):
            while len(keeper.rows) < 3:  # noqa: ASYNC110
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    assert [row[2:] for row in keeper.rows] == [(7, ann.key), (8, ann.key), (9, ann.key)]
    assert [push["event"] for push in ann.heard()] == [], "nobody is told"


async def test_a_consumer_knows_how_far_it_is_behind(tmp_path: Path) -> None:
    async with node_with(tmp_path, plugin(Keeper())) as node:
        await node.consumers.catch_up()
        await node.core.db.write(add([7, 8, 9]))
        assert [each.behind for each in node.consumers.statuses()] == [3]


async def test_none_at_all_records_nothing(tmp_path: Path) -> None:
    async with node_with(tmp_path, plugin(Keeper())) as node:
        before = await node.core.db.write(lambda tx: tx.next_gid)
        assert await node.core.db.write(add([])) == []
        assert await node.core.db.write(lambda tx: tx.next_gid) == before


async def test_they_are_undone_with_the_part_that_recorded_them(tmp_path: Path) -> None:
    keeper = Keeper()

    def write(tx: Transaction) -> list[int]:
        def part() -> None:
            tx.record_many(ItemAdded, [1, 2, 3])
            raise Refusal("conflict", "no")

        assert tx.attempt(part) is not None
        return list(tx.record_many(ItemNoted, [4, 5]))

    async with node_with(tmp_path, plugin(keeper)) as node:
        gids = await node.core.db.write(write)
        await node.consumers.catch_up()
    assert keeper.rows == [(gids[0], "demo.noted", 4, None), (gids[1], "demo.noted", 5, None)]


async def test_a_hook_is_called_for_each_and_its_events_come_in_between(tmp_path: Path) -> None:
    keeper = Keeper()

    @only_for(ItemAdded)
    def in_transaction(tx: Transaction, change: Change) -> None:
        assert isinstance(change.event, ItemAdded)
        tx.execute("INSERT INTO demo_seen VALUES (?)", (change.event.item,))
        tx.record(ItemNoted(change.subject), subject=change.subject)

    async with node_with(tmp_path, plugin(keeper, in_transaction)) as node:
        gids = await node.core.db.write(add([1, 100, 2]))
        await node.consumers.catch_up()
        seen = await node.core.db.read(lambda reader: reader.execute("SELECT subject FROM demo_seen").fetchall())
    assert seen == [(1,), (2,)], "of what is gone there is no event to call it with"
    assert [row[1:3] for row in keeper.rows] == [
        ("demo.added", 1), ("demo.noted", 1), ("demo.added", 100), ("demo.added", 2), ("demo.noted", 2),
    ]  # fmt: skip
    assert [row[0] for row in keeper.rows if row[1] == "demo.added"] == gids


async def test_a_hook_that_refuses_one_refuses_the_write(tmp_path: Path) -> None:
    keeper = Keeper()

    def in_transaction(tx: Transaction, change: Change) -> None:
        if change.event.name == "demo.added" and change.subject == 3:
            raise Refusal("conflict", "not this one")

    async with node_with(tmp_path, plugin(keeper, in_transaction)) as node:
        with pytest.raises(Refusal, match="not this one"):
            await node.core.db.write(add([1, 2, 3]))
        await node.consumers.catch_up()
    assert keeper.rows == []


async def test_who_is_added_to_the_audience_is_told(tmp_path: Path) -> None:
    keys: list[int] = []

    @only_for(ItemAdded)
    def audience(tx: Transaction, change: Change) -> list[int]:
        return keys if change.subject == 2 else []

    async with node_with(tmp_path, plugin(Keeper(), audience)) as node:
        ann = await LiveUser.new(node, "ann")
        keys.append(ann.key)
        await node.core.db.write(add([1, 2, 3]))
        assert [push["item"] for push in ann.heard("demo.added")] == [2]


async def test_a_bulk_may_record_many(node: Node) -> None:
    """They are kept back with the other rows of its log, and written in order."""
    from chatnode.storage.engine.transaction import BulkTransaction, RecordedRun

    def write(tx: Transaction) -> tuple[int, list[tuple[int, str]]]:
        bulk = BulkTransaction(tx.connection, tx.next_gid)
        bulk.record(ItemAdded(1), subject=1)
        gids = bulk.record_many(ItemNoted, [2, 3])
        bulk.release()
        tx.next_gid = bulk.next_gid
        rows = tx.execute("SELECT subject, kind FROM log WHERE gid >= ? ORDER BY gid", (gids[0] - 1,)).fetchall()
        assert bulk.recorded[-1] == RecordedRun(gids[0], gids[-1], ItemNoted)
        return len(gids), rows

    assert await node.core.db.write(write) == (2, [(1, "demo.added"), (2, "demo.noted"), (3, "demo.noted")])
