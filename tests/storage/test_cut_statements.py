"""A statement of a plugin's that is cut takes the whole transaction with it, and nobody else's writes."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from functools import partial
from typing import Any

import outcome
import pytest
import trio.testing

from chatnode.errors import Refusal
from chatnode.model.people import Account
from chatnode.model.search_query import parse
from chatnode.storage.engine.connection import Reader, was_interrupted
from chatnode.storage.engine.deadlines import budget, deadline
from chatnode.storage.engine.transaction import Transaction, Write
from chatnode.storage.search.find import find
from tests.storage.harness import Note, Published, held_up, logged, noted

ENDLESS = "INSERT INTO endless WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n"


def endless(tx: Transaction) -> None:
    tx.execute("CREATE TABLE endless (x)")
    with budget(tx.connection, 0.01, time.thread_time):
        tx.execute(ENDLESS)


def hides_it(tx: Transaction) -> None:
    tx.execute("CREATE TABLE endless (x)")
    with budget(tx.connection, 0.01, time.thread_time), contextlib.suppress(sqlite3.Error):
        tx.execute(ENDLESS)


async def handed_over(db: Published, *writes: tuple[Write[Any], bool]) -> list[outcome.Outcome[Any]]:
    """Carry writes out in one group; what came of each."""
    found: dict[int, outcome.Outcome[Any]] = {}

    async def hand_over(number: int, write: Write[Any], repeatable: bool) -> None:
        found[number] = await outcome.acapture(partial(db.write, repeatable=repeatable), write)

    async with held_up(db) as nursery:
        for number, (write, repeatable) in enumerate(writes):
            nursery.start_soon(hand_over, number, write, repeatable)
            await trio.testing.wait_all_tasks_blocked()
    return [found[number] for number in range(len(writes))]


@pytest.mark.parametrize("cut", [endless, hides_it])
async def test_a_cut_statement_fails_alone(either: Published, cut: Write[None]) -> None:
    with pytest.raises(sqlite3.OperationalError) as caught:
        await either.write(cut)
    assert caught.value.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT
    assert either.broken is None
    assert await either.write(Note(7)) == 1
    assert await noted(either) == [7]


@pytest.mark.parametrize("cut", [endless, hides_it])
async def test_its_neighbours_are_stored_or_told_to_try_again(db: Published, cut: Write[None]) -> None:
    writes = [(Note(1), True), (Note(2), False), (cut, False), (Note(3), True), (Note(4), False), (cut, False)]
    first, second, third, fourth, fifth, sixth = await handed_over(db, *writes)
    assert (first.unwrap(), fourth.unwrap()) == (1, 2)
    for each in (third, sixth):
        with pytest.raises(sqlite3.OperationalError):
            each.unwrap()
    for each in (second, fifth):  # one ran before the first that was cut, the other before the second
        with pytest.raises(Refusal, match="unavailable"):
            each.unwrap()
    assert await noted(db) == [1, 3]
    assert await logged(db) == db.published_gids == [1, 2]
    assert db.broken is None


def long_read(reader: Reader) -> None:
    """Ends by itself after some seconds, so that a test that does not interrupt it fails and does not hang."""
    counting = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 20000000) SELECT max(x) FROM n"
    reader.execute(counting).fetchone()


async def test_budgets_nest_and_the_shorter_one_interrupts(db: Published) -> None:
    def inner_is_shorter(reader: Reader) -> None:
        with budget(reader, 60) as outer_is_over:
            with pytest.raises(Refusal, match="too_large"), deadline(reader, 0.01, "request less"):
                long_read(reader)
            assert not outer_is_over()
            assert reader.cutter is not None  # the outer one still holds

    def outer_is_shorter(reader: Reader) -> None:
        with budget(reader, 0.01), deadline(reader, 60, "request less"):
            long_read(reader)

    await db.read(inner_is_shorter)
    with pytest.raises(sqlite3.OperationalError) as caught:
        await db.read(outer_is_shorter)  # not a refusal: the query's own time is not over
    assert was_interrupted(caught.value)


async def test_a_search_keeps_the_budget_around_it(db: Published) -> None:
    def search_within(reader: Reader) -> None:
        with budget(reader, 0.01):
            find(reader, Account(1, "p1", "ann", "Ann", "member"), parse("word"), limit=10, seconds=60)
            long_read(reader)

    with pytest.raises(sqlite3.OperationalError) as caught:
        await db.read(search_within)
    assert was_interrupted(caught.value)
