"""Lists and tags against sets: after every step, the tables, the kept counts and the events say the same.

A consumer that hears the events alone has the sets, and hears of no change that is none.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable
from functools import cache
from typing import Any, Literal

from chatnode_crm.bulk.plan import BulkEnd, BulkPlan, BulkSource, BulkStep, EndOp, carry_out, end
from chatnode_crm.contacts.subjects import unpack
from chatnode_crm.contacts.writing import create_many, delete_many
from chatnode_crm.lists.changing import delete_list, make_list
from chatnode_crm.lists.finding import list_by_key
from chatnode_crm.lists.membership import add_many, remove_many
from chatnode_crm.statistics.checking import check
from chatnode_crm.tags.changing import delete_tag, make_tag
from chatnode_crm.tags.finding import tag_by_key
from chatnode_crm.tags.tagging import tag_many, untag_many
from chatnode_crm.tombstones import sweep
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from chatnode.api import steps_in
from chatnode.storage.engine.connection import add_functions
from chatnode.storage.engine.migrations import Migration, core_migrations, migrate
from chatnode.storage.engine.transaction import Transaction
from tests.quick import examples

Kind = Literal["list", "tag"]
kinds = st.sampled_from(("list", "tag"))
numbers = st.integers(0, 11)
some = st.lists(numbers, min_size=1, max_size=8)
rarely = st.sampled_from((False, False, False, True))
pages = st.integers(1, 4)

_CHANGES: dict[str, tuple[Kind, bool]] = {
    "crm.contact.added_to_list": ("list", True),
    "crm.contact.removed_from_list": ("list", False),
    "crm.contact.tagged": ("tag", True),
    "crm.contact.untagged": ("tag", False),
}


@cache
def tables() -> sqlite3.Connection:
    """An empty database of the node and the plugin."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    add_functions(connection)
    steps = [Migration("crm", step.name, step.sql, step.functions) for step in steps_in("chatnode_crm")]
    migrate(connection, [*core_migrations(), *steps])
    return connection


class GroupsMachine(RuleBasedStateMachine):
    """`model`: contacts by kind and key of list or tag. `heard`: the same, from the events."""

    def __init__(self) -> None:
        super().__init__()
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        tables().backup(self.connection)
        add_functions(self.connection)
        self.model: dict[tuple[Kind, int], set[int]] = {}
        self.heard: defaultdict[tuple[Kind, int], set[int]] = defaultdict(set)
        self.contacts: set[int] = set()
        self.gid = 1
        self.last = 0
        self.named = 0

    def teardown(self) -> None:
        self.connection.close()

    def write(self, function: Callable[[Transaction], Any], undone: bool = False) -> Any:
        """In a transaction, which may be rolled back."""
        self.connection.execute("BEGIN")
        tx = Transaction(self.connection, self.gid)
        result = function(tx)
        self.connection.execute("ROLLBACK" if undone else "COMMIT")
        if not undone:
            self.gid = tx.next_gid
        return result

    def pick(self, kind: Kind, number: int) -> int | None:
        keys = [key for each, key in self.model if each == kind]
        return keys[number % len(keys)] if keys else None

    def keys(self, picked: list[int]) -> list[int]:
        """Keys of contacts, also of some that do not exist, in any order and with repeats."""
        known = sorted(self.contacts)
        return [known[each % len(known)] if known and each < 10 else 10**9 + each for each in picked]

    @initialize()
    def begin(self) -> None:
        self.create(6)
        for kind in ("list", "tag"):
            self.make(kind)
            self.give(kind, 0, [1, 2, 3], False)

    @rule(count=st.integers(1, 4))
    def create(self, count: int) -> None:
        rows: list[dict[str, Any]] = [{"first_name": "x"} for _ in range(count)]
        self.contacts |= set(self.write(lambda tx: create_many(tx, rows, source="api", actor=None)))

    @rule(picked=st.lists(numbers, max_size=2))
    def delete_contacts(self, picked: list[int]) -> None:
        gone = set(self.keys(picked)) & self.contacts
        self.write(lambda tx: delete_many(tx, sorted(gone), reason=None, actor=None))
        self.contacts -= gone
        for group in self.model.values():
            group -= gone

    @precondition(lambda self: len(self.model) < 6)
    @rule(kind=kinds)
    def make(self, kind: Kind) -> None:
        self.named += 1
        name = f"number {self.named}"
        made = self.write(
            lambda tx: (
                make_list(tx, name, kind="static", actor=None) if kind == "list" else make_tag(tx, name, actor=None)
            )
        )
        assert (kind, made.key) not in self.heard, "a key is used again"
        self.model[kind, made.key] = set()

    @rule(kind=kinds, number=numbers)
    def delete(self, kind: Kind, number: int) -> None:
        if (key := self.pick(kind, number)) is not None:
            self.write(lambda tx: _delete(tx, kind, key))
            del self.model[kind, key]

    @rule(kind=kinds, number=numbers, picked=some, undone=rarely)
    def give(self, kind: Kind, number: int, picked: list[int], undone: bool) -> None:
        if (key := self.pick(kind, number)) is not None:
            change = add_many if kind == "list" else tag_many
            changed = self.write(lambda tx: change(tx, key, self.keys(picked), actor=None), undone)
            new = (set(self.keys(picked)) & self.contacts) - self.model[kind, key]
            assert sorted(changed) == sorted(new)
            self.model[kind, key] |= set() if undone else new

    @rule(kind=kinds, number=numbers, picked=some, undone=rarely)
    def take(self, kind: Kind, number: int, picked: list[int], undone: bool) -> None:
        if (key := self.pick(kind, number)) is not None:
            change = remove_many if kind == "list" else untag_many
            changed = self.write(lambda tx: change(tx, key, self.keys(picked), actor=None), undone)
            gone = set(self.keys(picked)) & self.model[kind, key]
            assert sorted(changed) == sorted(gone)
            self.model[kind, key] -= set() if undone else gone

    @rule(kind=kinds, into=numbers, picked=st.lists(numbers, min_size=1, max_size=3), page=pages, gone=st.booleans())
    def merge(self, kind: Kind, into: int, picked: list[int], page: int, gone: bool) -> None:
        """Page by page, each in its own transaction; the first is carried out twice, as after a crash."""
        target = self.pick(kind, into)
        sources = sorted({key for each in picked if (key := self.pick(kind, each)) not in (None, target)})
        if target is None or not sources:
            return
        op: EndOp = "delete_list" if kind == "list" else "delete_tag"
        ends = [BulkEnd(op, key) for key in sources] if gone else []
        source = BulkSource(lists=sources) if kind == "list" else BulkSource(tags=sources)
        plan = BulkPlan(source, [BulkStep("add" if kind == "list" else "tag", target)], ends, None)
        after = 0
        while keys := source.page(self.connection, None, after, page):
            self.write(lambda tx, keys=keys: carry_out(tx, plan, keys))
            assert not self.write(lambda tx, keys=keys: carry_out(tx, plan, keys))
            after = keys[-1]
        self.write(lambda tx: end(tx, plan))
        for key in sources:
            self.model[kind, target] |= self.model[kind, key]
            if gone:
                del self.model[kind, key]

    @rule(picked=st.lists(numbers, min_size=1, max_size=4), at_least=st.integers(1, 4), page=pages)
    def intersect(self, picked: list[int], at_least: int, page: int) -> None:
        keys = sorted({key for each in picked if (key := self.pick("list", each)) is not None})
        if at_least > len(keys):
            return
        source, found = BulkSource(lists=keys, at_least=at_least), list[int]()
        while more := source.page(self.connection, None, found[-1] if found else 0, page):
            found += more
        sets = [self.model["list", key] for key in keys]
        assert found == sorted(each for each in self.contacts if sum(each in one for one in sets) >= at_least)

    @rule(most=st.integers(1, 3))
    def sweep(self, most: int) -> None:
        self.write(lambda tx: sweep(tx, most))

    # ---- what must hold

    @invariant()
    def the_tables_are_the_sets(self) -> None:
        for (kind, key), contacts in self.model.items():
            row = list_by_key(self.connection, key) if kind == "list" else tag_by_key(self.connection, key)
            table, column = ("crm_members", "list") if kind == "list" else ("crm_taggings", "tag")
            found = self.connection.execute(f"SELECT contact FROM {table} WHERE {column} = ?", (key,))
            assert {contact for (contact,) in found} == contacts
            assert (row.members if kind == "list" else row.contacts) == len(contacts)
        assert check(self.connection, None) == []

    @invariant()
    def the_events_are_the_differences(self) -> None:
        for gid, kind, subject in self.connection.execute(
            "SELECT gid, kind, subject FROM log WHERE gid > ? ORDER BY gid", (self.last,)
        ):
            self.last = gid
            if kind in _CHANGES:
                of, has = _CHANGES[kind]
                group, contact = unpack(subject)
                assert (contact in self.heard[of, group]) is not has
                (self.heard[of, group].add if has else self.heard[of, group].remove)(contact)
            elif kind == "crm.contact.deleted":
                for contacts in self.heard.values():
                    contacts.discard(subject)
            elif kind in ("crm.list.deleted", "crm.tag.deleted"):
                self.heard["list" if kind == "crm.list.deleted" else "tag", subject] = set()
        assert {each: contacts for each, contacts in self.heard.items() if contacts} == {
            each: contacts for each, contacts in self.model.items() if contacts
        }


def _delete(tx: Transaction, kind: Kind, key: int) -> None:
    if kind == "list":
        row = list_by_key(tx, key)
        assert row is not None
        delete_list(tx, row, actor=None)
    else:
        tag = tag_by_key(tx, key)
        assert tag is not None
        delete_tag(tx, tag, actor=None)


def test_lists_and_tags_are_sets() -> None:
    run_state_machine_as_test(
        GroupsMachine, settings=settings(max_examples=examples(36), stateful_step_count=15, deadline=None)
    )
