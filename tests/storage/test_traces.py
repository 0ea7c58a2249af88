"""What is deleted is gone from the bytes of the files, and the search for it does find what is not."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import trio
import trio.testing

from chatnode.storage.engine import gaps
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.privacy import traces
from tests.storage.harness import Published

TEXTS = [f"the quick brown fox number {number} jumps over" for number in range(200)]
LONG = "at great length, " * 1_000


async def test_what_was_deleted_is_in_no_file(either: Published) -> None:
    await either.write(lambda tx: _fill(tx))
    looked_for = traces.probes([*TEXTS[:100], LONG])
    assert len(looked_for) == traces.PROBES
    assert looked_for[0] == LONG
    assert traces.found(either.path, looked_for) == looked_for

    await either.write(lambda tx: tx.execute("DELETE FROM said WHERE rowid <= 100 OR length(text) > 1000"))
    assert traces.found(either.path, looked_for) != [], "older pages are still in the write-ahead log"
    assert await either.maintain(gaps.empty_log)
    assert traces.found(either.path, looked_for) == []
    assert traces.found(either.path, TEXTS[100:]) == TEXTS[100:]


async def test_a_text_across_two_pieces_of_the_file_is_found(tmp_path: Path) -> None:
    path = tmp_path / "bytes"
    path.write_bytes(b"x" * ((1 << 20) - 10) + TEXTS[0].encode() + b"y" * 100)
    assert traces.found(path, TEXTS[:3]) == TEXTS[:1]


async def test_short_texts_prove_nothing() -> None:
    assert traces.probes(["yes", "no", "x" * 12, "yes"]) == ["x" * 12]


async def test_maintenance_runs_between_groups_and_outside_of_transactions(db: Published) -> None:
    order: list[str] = []

    def write(name: str) -> None:
        order.append(name)

    def maintain(connection: sqlite3.Connection) -> None:
        assert not connection.in_transaction
        connection.execute("VACUUM")
        order.append("maintenance")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(db.write, lambda tx: write("before"))
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(db.maintain, maintain)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(db.write, lambda tx: write("after"))
    assert order == ["before", "maintenance", "after"]


async def test_maintenance_that_fails_says_so_and_harms_nobody(db: Published) -> None:
    with pytest.raises(sqlite3.OperationalError):
        await db.maintain(lambda connection: connection.execute("PRAGMA nonsense(; "))
    await db.write(_fill)


def _fill(tx: Transaction) -> None:
    tx.execute("CREATE TABLE said (text TEXT)")
    tx.executemany("INSERT INTO said VALUES (?)", [(text,) for text in TEXTS])
    tx.execute("INSERT INTO said VALUES (?)", (LONG,))
