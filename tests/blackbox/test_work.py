"""A node is killed again and again while works run: each row is written once, in order, and each event is there once.

A plugin, made and installed for the test, counts with several works at once. The process is killed from outside at
moments that chance chooses, and by the plugin itself in the middle of a slice and right after one was committed. Repeat
a run with the seed that it prints: CHATNODE_TEST_SEED=… .
"""

from __future__ import annotations

import os
import random
import sqlite3
import time
from contextlib import closing
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from .dying import DIE_HERE, install
from .node_process import NodeProcess
from .test_consumers import call, wait_until

pytestmark = pytest.mark.slow

PLUGIN = (
    DIE_HERE
    + '''
import attrs

from chatnode.api import Context, Event, EventKind, Plugin, Step, WorkKind, command, hookimpl


@attrs.define
class Counted(Event):
    name = "counting.counted"
    number: int


@attrs.define
class Start:
    upto: int


@attrs.define
class Started:
    work: str


@command("counting.start", permission="chat")
async def start(ctx: Context, asked: Start) -> Started:
    """Start to count."""
    arguments = {"upto": asked.upto}
    return Started(await ctx.write(lambda tx: ctx.start_work(tx, "count", arguments, resource=str(asked.upto % 3))))


async def run(ctx, work):
    upto, at = work.arguments["upto"], (work.state or {"at": 0})["at"]
    for size in work.slices(40):
        numbers = range(at, min(upto, at + size))
        if not numbers:
            return {"counted": at}

        def write(tx):
            tx.executemany("INSERT INTO counting_rows VALUES (?, ?)", [(work.id, number) for number in numbers])
            die_here("in a slice")
            tx.record_many(Counted, numbers)
            work.note(tx, done=numbers.stop, total=upto, state={"at": numbers.stop})

        await work.write(write)
        die_here("after a commit")
        at = numbers.stop


def ended(tx, work):
    tx.execute("INSERT INTO counting_ends VALUES (?)", (work.id,))


@hookimpl
def chatnode_plugin():
    return Plugin(
        name="counting", version="1.0", api="2.0", about="Counts.",
        steps=[Step("tables", """
            CREATE TABLE counting_rows (work TEXT NOT NULL, number INTEGER NOT NULL);
            CREATE TABLE counting_ends (work TEXT NOT NULL);
        """)],
        events=[EventKind(Counted, lambda reader, row: Counted(row.subject))],
        works=[WorkKind("count", run, "Counting", at_once=4, ended=ended)],
        commands=[start],
    )
'''
)
PLACES = ("in a slice", "after a commit")
KILLS = 8
WORKS = 5
UPTO = (2_000, 6_000)


def test_works_go_on_from_the_row_where_they_were_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seed = int(os.environ.get("CHATNODE_TEST_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"CHATNODE_TEST_SEED={seed}")
    chance = random.Random(seed)
    die = install(monkeypatch, tmp_path, PLUGIN)
    process = NodeProcess(tmp_path / "data")
    process.add_user("ann", admin=True)
    token = process.token("ann")
    works: dict[str, int] = {}
    try:
        process.start()
        for number in range(KILLS):
            while len(works) < WORKS * (number + 1) / KILLS:
                upto = chance.randint(*UPTO)
                works[call(process.address, token, "counting.start", upto=upto)["work"]] = upto
            if number % 2:
                (die.with_suffix(".new")).write_text(PLACES[number // 2 % len(PLACES)])
                die.with_suffix(".new").rename(die)
                wait_until(lambda: not die.exists() or all_ended(process, token))
                if not die.exists():
                    process.wait_death()
                else:
                    die.unlink()
                    process.kill()
            else:
                time.sleep(chance.uniform(0, 0.3))
                process.kill()
            process.start()
        wait_until(lambda: all_ended(process, token), 120)
        assert process.stop() == 0
    finally:
        process.kill()
    assert process.trouble() is None
    check(tmp_path / "data" / "chatnode.sqlite3", works)


def all_ended(process: NodeProcess, token: str) -> bool:
    try:
        found: list[dict[str, Any]] = call(process.address, token, "work.list")["works"]
    except (OSError, HTTPException):  # it is dying
        return False
    return all(each["status"] == "done" for each in found)


def check(path: Path, works: dict[str, int]) -> None:
    with closing(sqlite3.connect(path)) as database:
        for work, upto in works.items():
            rows = database.execute("SELECT number FROM counting_rows WHERE work = ? ORDER BY rowid", (work,))
            assert [number for (number,) in rows] == list(range(upto)), work
            status = database.execute("SELECT status, done, total, failures FROM work WHERE id = ?", (work,))
            assert status.fetchone() == ("done", upto, upto, 0)
        ends = database.execute("SELECT work FROM counting_ends ORDER BY 1").fetchall()
        assert ends == sorted((work,) for work in works)
        events = database.execute("SELECT subject FROM log WHERE kind = 'counting.counted' ORDER BY 1").fetchall()
        assert events == sorted((number,) for upto in works.values() for number in range(upto))
