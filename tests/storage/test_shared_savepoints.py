"""Writes that can be run again share a savepoint, and nobody can tell."""

from __future__ import annotations

import contextlib
import sqlite3
from functools import partial
from pathlib import Path
from typing import Any

import outcome
import pytest
import trio.testing

from chatnode.errors import Refusal
from chatnode.model.commands.messages import Posted
from chatnode.model.events import SessionRevoked
from chatnode.model.ids import message_id
from chatnode.model.people import Account
from chatnode.storage.conversations import opening
from chatnode.storage.engine.additions import Additions
from chatnode.storage.engine.transaction import Change, Follower, Transaction, Write
from chatnode.storage.messages import posting, receipts
from chatnode.storage.messages.posting import Draft
from chatnode.storage.people import people
from chatnode.storage.upkeep import checks
from tests.storage.harness import Note, Published, held_up, logged, noted, opened, statements_of


async def _handed_over(
    db: Published, *writes: Write[Any], before: Write[Any] | None = None
) -> list[outcome.Outcome[Any]]:
    """Carry writes out in one group, after another one that cannot be run again; what came of each."""
    found: dict[int, outcome.Outcome[Any]] = {}

    async def hand_over(number: int, write: Write[Any]) -> None:
        found[number] = await outcome.acapture(partial(db.write, repeatable=True), write)

    async with held_up(db) as nursery:
        if before is not None:
            nursery.start_soon(db.write, before)
            await trio.testing.wait_all_tasks_blocked()
        for number, write in enumerate(writes):
            nursery.start_soon(hand_over, number, write)
            await trio.testing.wait_all_tasks_blocked()
    return [found[number] for number in range(len(writes))]


async def test_writes_that_can_be_run_again_share_the_transaction(db: Published) -> None:
    with statements_of(db) as statements:
        results = await _handed_over(db, *map(Note, range(20)))
    assert [result.unwrap() for result in results] == list(range(1, 21))
    assert _savepoints(statements) == ["SAVEPOINT job"], "that of the write that held the others up"
    assert await noted(db) == list(range(20))
    assert await logged(db) == db.published_gids == list(range(1, 21))


async def test_or_a_savepoint_where_there_are_others_in_the_group(db: Published) -> None:
    with statements_of(db) as statements:
        async with held_up(db) as writes:
            for number, repeatable in enumerate((True, True, False, True, True, True)):
                writes.start_soon(partial(db.write, repeatable=repeatable), Note(number))
                await trio.testing.wait_all_tasks_blocked()
    assert _savepoints(statements)[1:] == ["SAVEPOINT jobs", "SAVEPOINT job", "SAVEPOINT jobs"]
    assert await noted(db) == list(range(6))
    assert await logged(db) == db.published_gids == list(range(1, 7))


def _savepoints(statements: list[str]) -> list[str]:
    return [each for each in statements if each.startswith("SAVEPOINT")]


@pytest.mark.parametrize("whole", [True, False])
async def test_one_of_them_that_raises_undoes_only_itself(db: Published, whole: bool) -> None:
    """Whether or not there is another one in the group before them."""
    ran: list[int] = []

    def write(number: int, then: Exception | None = None) -> Write[int]:
        def function(tx: Transaction) -> int:
            ran.append(number)
            return Note(number, then=then)(tx)

        return function

    fault = ValueError("the second")
    writes = [write(1), write(2, fault), write(3, Refusal("conflict", "taken")), write(4)]
    before = None if whole else write(0)
    first, second, third, fourth = await _handed_over(db, *writes, before=before)
    assert ran == [*[0][whole:], 1, 2, 1, 2, 3, 4], "from the first of them on, each for itself"
    assert second == outcome.Error(fault)
    assert isinstance(third, outcome.Error)
    assert fourth.unwrap() == first.unwrap() + 1, "the gids of what was undone are used again: there are no holes"
    assert await noted(db) == [*[0][whole:], 1, 4]
    assert await logged(db) == db.published_gids == ([1, 2] if whole else [1, 2, 3])


async def test_one_that_succeeds_at_first_and_fails_when_it_is_run_again_records_nothing(db: Published) -> None:
    times = iter((None, ValueError("not a second time")))
    first, second, third = await _handed_over(
        db, lambda tx: Note(1, then=next(times))(tx), Note(2, then=Refusal("conflict", "taken")), Note(3)
    )
    assert isinstance(first, outcome.Error)
    assert isinstance(second, outcome.Error)
    assert third.unwrap() == 1
    assert await noted(db) == [3]
    assert await logged(db) == db.published_gids == [1]


async def test_a_write_that_cannot_be_run_again_is_not(db: Published) -> None:
    ran: list[str] = []

    async def write(name: str, then: Exception | None, repeatable: bool) -> None:
        def function(tx: Transaction) -> None:
            ran.append(name)
            Note(len(ran), then=then)(tx)

        with contextlib.suppress(ValueError):
            await db.write(function, repeatable=repeatable)

    async with held_up(db) as writes:
        for name, then, repeatable in (
            ("a", None, True), ("b", None, True), ("once", None, False), ("c", None, True), ("d", ValueError(), True),
        ):  # fmt: skip
            writes.start_soon(write, name, then, repeatable)
            await trio.testing.wait_all_tasks_blocked()
    assert ran == ["a", "b", "once", "c", "d", "c", "d"]


async def test_what_plugins_do_in_a_transaction_is_undone_with_it_and_done_again(path: Path) -> None:
    seen: list[int] = []

    def follow(tx: Transaction, change: Change) -> None:
        seen.append(change.subject)
        tx.execute("INSERT INTO notes VALUES (?, 'of the plugin')", (100 + change.subject,))

    async with opened(path) as db:
        db.additions = Additions(followers={SessionRevoked.name: Follower(in_transaction=follow)})
        await _handed_over(db, Note(1), Note(2, then=ValueError()), Note(3))
        assert seen == [1, 2, 1, 2, 3]
        assert await noted(db) == [1, 3, 101, 103]


async def test_a_disk_that_is_full_for_one_of_them_takes_the_others(db: Published) -> None:
    async def limit(more: int) -> None:
        pages = await db.write(lambda tx: tx.execute("PRAGMA page_count").fetchone()[0])
        await db.write(lambda tx: tx.execute(f"PRAGMA max_page_count={pages + more}").fetchone())

    def fill(tx: Transaction) -> None:
        tx.execute(
            "WITH RECURSIVE many (n) AS (SELECT 10 UNION ALL SELECT n + 1 FROM many LIMIT 100) "
            "INSERT INTO notes SELECT n, hex(zeroblob(1000)) FROM many"
        )

    await limit(4)
    first, second, third = await _handed_over(db, Note(1), fill, Note(2))
    assert first.unwrap() == 1
    with pytest.raises(Refusal, match="the disk is full"):
        second.unwrap()
    assert third.unwrap() == 2
    assert db.full
    assert await noted(db) == [1, 2]


@pytest.mark.parametrize("last", [False, True])
async def test_none_of_them_is_stored_when_one_hides_that_all_were_given_up(db: Published, last: bool) -> None:
    def hide(tx: Transaction) -> None:
        with contextlib.suppress(sqlite3.Error):
            tx.execute("ROLLBACK")

    writes = [Note(1), hide] if last else [Note(1), hide, Note(2)]
    for result in await _handed_over(db, *writes):
        with pytest.raises(Refusal, match="must be restarted"):
            result.unwrap()
    assert await noted(db) == db.published_gids == []


async def test_a_post_can_be_run_again(db: Published) -> None:
    """What it does is in the transaction only: run twice, with the first time undone, it is as if it ran once."""

    def people_and_place(tx: Transaction) -> tuple[Account, str]:
        ann, bob = (people.create(tx, handle, role="member") for handle in ("ann", "bob"))
        return ann, opening.open_direct(tx, ann, bob)

    ann, conversation = await db.write(people_and_place)
    draft = Draft(conversation, "1", "hello @bob", metadata={"a": "b"})
    posted, read, failed = await _handed_over(
        db,
        lambda tx: posting.post(tx, ann, draft),
        lambda tx: receipts.mark(tx, ann, conversation, "read", 1),
        Note(1, then=Refusal("conflict", "taken")),
    )
    assert isinstance(failed, outcome.Error)
    assert posted.unwrap() == Posted(4, 1, message_id(ann.id, "1"), False)
    assert read.unwrap().unread == 0
    assert (await db.write(lambda tx: posting.post(tx, ann, draft))).dup
    assert await logged(db) == db.published_gids
    assert (await db.read(checks.run)).clean
