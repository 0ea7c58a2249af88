"""What a plugin sends or counts without having declared it is refused, rather than lost for some."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest

from chatnode.api import Context, Event, EventKind, Metric, Reader, Row, Transaction, Work, WorkKind
from chatnode.testing import User, run_work
from tests.plugins.surface.making import made, node_with


@attrs.define
class Waved(Event):
    """Somebody waved."""

    name = "demo.waved"
    who: Any


@attrs.define
class Nodded(Event):
    """Somebody nodded."""

    name = "demo.nodded"
    who: Any


WAVED = EventKind(Waved, lambda reader, row: Waved("somebody"))


async def test_an_event_is_not_recorded_that_could_not_be_replayed(tmp_path: Path) -> None:
    async with node_with(tmp_path, made("demo", events=(WAVED,))) as node:
        db = node.core.db
        assert await db.write(lambda tx: tx.record(Waved("ann"))) == 1
        with pytest.raises(LookupError, match=r"the event demo\.nodded is not declared"):
            await db.write(lambda tx: tx.record(Nodded("ann")))
        with pytest.raises(LookupError, match=r"the event demo\.nodded is not declared"):
            await db.write(lambda tx: tx.record_many(Nodded, [1]))
        assert await db.write(lambda tx: tx.next_gid) == 2


async def test_only_declared_counters_are_counted(tmp_path: Path) -> None:
    async def value(ctx: Context) -> float:
        return 1

    metrics = (Metric("waves", "Waves."), Metric("nodding", "Nodding now.", value))
    async with node_with(tmp_path, made("demo", metrics=metrics)) as node:
        context = node.plugins.loaded["demo"].context
        context.count("waves")
        for name in ("wave", "nodding"):
            with pytest.raises(LookupError, match=f"declares no counter {name}"):
                context.count(name)


async def test_an_event_that_is_made_as_another_is_left_out(tmp_path: Path) -> None:
    def make(reader: Reader, row: Row) -> Event:
        return Nodded("somebody")

    async with node_with(tmp_path, made("demo", events=(EventKind(Waved, make),))) as node:
        ann = await User.new(node, "ann")

        def write(tx: Transaction) -> None:
            tx.record(Waved("ann"), people=[ann.account.key])

        await node.core.db.write(write)
        context = node.plugins.loaded["demo"].context
        events, _ = await context.events_for(ann.account.key, 0)
        assert "demo.nodded" not in [each["event"] for each in events]
        (status,) = node.plugins.statuses()
        assert status.last_failure == "event demo.waved returned Nodded instead of Waved"


@pytest.mark.parametrize("noted", [{"done": "many"}, {"done": 1.5}, {"done": True}, {"total": -1}])
async def test_progress_is_stored_in_whole_numbers(tmp_path: Path, noted: dict[str, Any]) -> None:
    async def run(ctx: Context, work: Work) -> None:
        await work.write(lambda tx: work.note(tx, **noted))

    async with node_with(tmp_path, made("demo", works=(WorkKind("cook", run, "Cooks", tries=1),))) as node:
        context = node.plugins.loaded["demo"].context
        work = await run_work(node, await context.write(lambda tx: context.start_work(tx, "cook", {})))
        assert (work["status"], work["done"]) == ("failed", 0)
        assert "must be an integer of 0 or more" in work["error"]


async def test_the_owner_reads_what_is_wrong_with_a_result(tmp_path: Path) -> None:
    async def run(ctx: Context, work: Work) -> Any:
        return {"dish": object()}

    async with node_with(tmp_path, made("demo", works=(WorkKind("cook", run, "Cooks", tries=1),))) as node:
        context = node.plugins.loaded["demo"].context
        work = await run_work(node, await context.write(lambda tx: context.start_work(tx, "cook", {})))
        assert work["error"].endswith("the result of a work item must be JSON: Type is not JSON serializable: object")
