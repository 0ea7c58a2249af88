"""Lists by time are right however the clock went, and whatever was imported and removed: compared with a plain sort."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatnode.config import Limits
from chatnode.dispatch.subject import additions_of
from chatnode.model.commands.importing import ImportConversation, ImportItem, ImportMessages
from chatnode.model.people import Account
from chatnode.model.times import DAY_MS, milliseconds
from chatnode.services import SUBJECTS
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.filters.collection import Asker
from chatnode.storage.filters.query import Query, plan, run
from chatnode.storage.messages import importing, posting
from chatnode.storage.messages.posting import Draft
from chatnode.storage.people import people
from chatnode.storage.privacy import retention
from chatnode.storage.privacy.retention import Due
from chatnode.storage.upkeep.checks import declared_problems
from tests.declared import COLLECTIONS
from tests.quick import examples
from tests.storage.harness import Store

MESSAGES = next(each for each in COLLECTIONS if each.name == "messages")
START = 1_700_000_000_000
MINUTE = 60_000


@attrs.define
class Room:
    """A group that was imported, in which ann takes part, and a clock that is set at will."""

    store: Store
    ann: Account
    conversation: str = ""
    key: int = 0
    now: int = START
    number: int = 0

    def post(self) -> None:
        self.number += 1
        draft = Draft(self.conversation, f"{self.conversation}{self.number}", "words", sender=self.ann.id)
        self.write(lambda tx: posting.post(tx, self.ann, draft))

    def bring(self, ats: list[int]) -> None:
        self.number += 1
        items = [ImportItem(f"{self.key}.{self.number}.{each}", "eve", at, "words") for each, at in enumerate(ats)]
        self.write(lambda tx: importing.add_messages(tx, ImportMessages(self.conversation, "irc", items), 0))

    def trim(self, most: int) -> None:
        due = Due(self.key, self.conversation, "messages", 1, START + 365 * DAY_MS)
        self.write(lambda tx: retention.trim(tx, due, most))

    def write(self, function: Callable[[Transaction], object]) -> None:
        def at_that_time(tx: Transaction) -> None:
            tx.now = self.now
            function(tx)

        self.store.write(at_that_time)

    # ---- looking

    def select(self, columns: str) -> list[Any]:
        sql = f"SELECT {columns} FROM messages WHERE conversation = ? ORDER BY seq"
        return self.store.reader.execute(sql, (self.key,)).fetchall()

    def listed(self, limit: int, descending: bool, **created_at: int) -> list[tuple[int, int]]:
        """Times and seqs of the messages by time, page by page."""
        asker, after = Asker(self.ann.key, None, self.now), None
        filter: dict[str, Any] = {"conversation_id": {"_eq": self.conversation}}
        if created_at:
            filter["created_at"] = created_at
        found = list[tuple[int, int]]()
        while True:
            query = Query(filter, "-created_at" if descending else "created_at", limit, after, fields="seq,created_at")
            page = run(self.store.reader, asker, plan(MESSAGES, query, Limits()), 0)
            found += [(milliseconds(row["created_at"]), row["seq"]) for row in page.data]
            if (after := page.next) is None:
                return found

    def by_other_ways(self, **created_at: Any) -> tuple[list[int], int]:
        """What the same times hold: the seqs by seq, of all of ann's conversations; and their number by group."""
        asker = Asker(self.ann.key, None, self.now)
        asked: dict[str, Any] = {"created_at": created_at} | {"_or": [{"conversation_id": {"_eq": self.conversation}}]}
        rows = run(self.store.reader, asker, plan(MESSAGES, Query(asked, "seq", 500, fields="seq"), Limits()), 0)
        groups = run(self.store.reader, asker, plan(MESSAGES, Query(asked, group_by="message_type"), Limits()), 0)
        return [row["seq"] for row in rows.data], sum(row["count"] for row in groups.data)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    made = Store(tmp_path_factory.mktemp("times"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def ann(store: Store) -> Account:
    made = list[Account]()
    store.write(lambda tx: made.append(people.create(tx, "ann", role="member")))
    return made[0]


def open_room(store: Store, ann: Account) -> Room:
    """A new group; those of earlier examples stay."""
    room = Room(store, ann)
    name = f"#{store.reader.execute('SELECT count(*) FROM conversations').fetchone()[0]}"

    def write(tx: Transaction) -> None:
        found = importing.open_conversation(tx, ImportConversation("irc", name, name))
        assert found.conversation is not None
        room.key, room.conversation = found.conversation, found.id

    store.write(write)
    return room


_MS = st.integers(0, 3 * MINUTE) | st.integers(-5 * MINUTE, 5 * MINUTE) | st.sampled_from([-DAY_MS, DAY_MS, 0])
_STEPS = st.lists(
    st.tuples(st.just("post"), _MS, st.integers(1, 5))
    | st.tuples(st.just("bring"), _MS, st.lists(_MS, min_size=1, max_size=6))
    | st.tuples(st.just("trim"), st.just(0), st.integers(1, 4)),
    max_size=12,
)


@settings(max_examples=examples(150), deadline=None)
@given(steps=_STEPS, limit=st.integers(1, 9), descending=st.booleans(), near=_MS, far=_MS)
def test_lists_by_time_are_what_a_sort_gives(
    store: Store, ann: Account, steps: list[Any], limit: int, descending: bool, near: int, far: int
) -> None:
    room = open_room(store, ann)
    for step, ms, what in steps:
        room.now += ms
        match step:
            case "post":
                for _ in range(what):
                    room.post()
            case "bring":
                room.bring([room.now + each for each in what])
            case _:
                room.trim(what)
    rows = room.select("at, seq")
    assert room.listed(limit, descending) == sorted(rows, reverse=descending)
    first, last = sorted((START + near, START + far))
    within = [row for row in rows if first <= row[0] <= last]
    assert room.listed(limit, descending, _gte=first, _lt=last + 1) == sorted(within, reverse=descending)
    assert room.by_other_ways(_between=[first, last]) == (sorted(seq for _, seq in within), len(within))
    assert declared_problems(store.reader, additions_of(SUBJECTS)) == {}


def test_a_clock_that_is_set_back_a_little_gives_the_newest_time_again(store: Store, ann: Account) -> None:
    room = open_room(store, ann)
    for now in (START, START - MINUTE, START + 1, START + 1 - 59_000):
        room.now = now
        room.post()
    assert room.select("at - 1700000000000, late") == [(0, None), (0, None), (1, None), (1, None)]


def test_what_was_posted_under_a_wrong_clock_makes_no_other_time_wrong(store: Store, ann: Account) -> None:
    room = open_room(store, ann)
    for now in (START, START + DAY_MS, START + MINUTE, START + 2 * MINUTE, START + DAY_MS):
        room.now = now
        room.post()
    assert room.select("at - 1700000000000, late") == [
        (0, None), (DAY_MS, None), (MINUTE, 1), (2 * MINUTE, 2), (DAY_MS, None),
    ]  # fmt: skip
    assert [seq for _, seq in room.listed(2, True)] == [5, 2, 4, 3, 1]


def test_an_import_in_the_order_of_time_is_in_order_and_one_ahead_of_the_clock_is_not(
    store: Store, ann: Account
) -> None:
    room = open_room(store, ann)
    room.bring([START - 9, START - 7, START - 8, START + DAY_MS, START])
    room.post()
    assert [late for (late,) in room.select("late")] == [None, None, 1, 2, None, None]


_WALK = re.compile(r"late IS NULL AND item.seq >= (\d+) AND item.seq <= (\d+)")


def test_long_rows_out_of_order_are_stepped_over(store: Store, ann: Account) -> None:
    """A list of the messages before such rows reads none of them."""
    room = open_room(store, ann)
    for _ in range(3):
        room.post()
        room.bring([START - each for each in range(1, 800)])
    room.post()
    rows, executed = sorted(room.select("at, seq"), reverse=True), list[str]()
    store.reader.set_trace_callback(executed.append)
    assert room.listed(5, True)[:5] == rows[:5]
    store.reader.set_trace_callback(None)
    walked = [found for sql in executed if (found := _WALK.search(sql))]
    assert walked
    assert all(int(found[2]) - int(found[1]) < 256 for found in walked[:4])
    assert room.listed(700, False) == rows[::-1]
