"""Contacts against a dict: after every step, the table, the index, the journal and what events tell say the same.

A consumer that hears the events alone has the contacts, and hears of no change that is none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import orjson
from chatnode_crm.contacts import finding, index, journal
from chatnode_crm.contacts.checking import check
from chatnode_crm.contacts.events import EVENTS
from chatnode_crm.contacts.preparing import PreparedContact
from chatnode_crm.contacts.upserting import Candidate, upsert
from chatnode_crm.contacts.writing import create_many, delete_many, erase_many, update_many
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from chatnode.api import Refusal, Row, Transaction
from tests.plugins.crm.database import database
from tests.quick import examples

MAKES = {kind.event.name: kind.make for kind in EVENTS}
FIELDS = ("email", "external_id", "first_name", "company", "phone", "city")

addresses = st.sampled_from(("ada@x.org", "Ada@x.org", "bob@x.org", "cay@x.org", "dan@x.org", None))
words = st.sampled_from(("Ada", "Ádám", "O'Brien", "two words", "日本", "", None))
custom = st.dictionaries(st.sampled_from(("1", "2")), st.sampled_from((None, "", "x", 1, 0, 1.5)), max_size=2)
rows = st.fixed_dictionaries(
    {},
    optional={
        "email": addresses,
        "external_id": st.sampled_from(("1", "2", "3", None)),
        "first_name": words,
        "company": words,
        "phone": st.sampled_from(("+33612345678", "0612", None)),
        "city": words,
        "custom": custom,
    },
)
batches = st.lists(rows, min_size=1, max_size=5)
numbers = st.lists(st.integers(0, 9), min_size=1, max_size=4)


def stored(row: dict[str, Any]) -> dict[str, Any]:
    """Values as `values.py` hands them over."""
    keys = {f"{name}_key": row[name].lower() if row[name] else None for name in ("email", "phone") if name in row}
    return {**row, **keys}


class ContactsMachine(RuleBasedStateMachine):
    """`model`: fields by key. `heard`: the same, by id and from the events. `ids`: the ids of all there ever were."""

    def __init__(self) -> None:
        super().__init__()
        self.connection = database()
        self.model: dict[int, dict[str, Any]] = {}
        self.heard: dict[str, dict[str, Any]] = {}
        self.ids: dict[int, str] = {}
        self.gid = 1
        self.last = 0

    def teardown(self) -> None:
        self.connection.close()

    @initialize()
    def define_fields(self) -> None:
        for name in ("one", "two"):
            self.connection.execute(
                "INSERT INTO crm_fields (id, name, name_key, kind, created_at) VALUES (?, ?, ?, 'text', 0)", (name,) * 3
            )

    def write(self, function: Callable[[Transaction], Any]) -> Any:
        """In a transaction, which is rolled back if it is refused."""
        self.connection.execute("BEGIN")
        tx = Transaction(self.connection, self.gid)
        try:
            result = function(tx)
        except Refusal:
            self.connection.execute("ROLLBACK")
            return None
        self.connection.execute("COMMIT")
        self.gid = tx.next_gid
        self.hear()
        return result

    def hear(self) -> None:
        """Take the events of the last write as a consumer does, each of which must say something new."""
        for gid, kind, subject, actor, at in self.connection.execute(
            "SELECT gid, kind, subject, actor, at FROM log WHERE gid > ? ORDER BY gid", (self.last,)
        ).fetchall():
            self.last = gid
            event = MAKES[kind](self.connection, Row(gid, None, "", kind, subject, actor, at))
            id = event.data["contact_id"]
            if kind == "crm.contact.created":
                assert id not in self.heard
                self.ids[subject] = id
                self.heard[id] = {name: value for name, value in event.data.items() if value is not None}
            elif kind == "crm.contact.updated":
                assert self.ids[subject] == id
                changes = event.data["updated_fields"]
                assert changes
                assert all(self.heard[id].get(name) != value for name, value in changes.items())
                kept = {**self.heard[id], **changes}
                self.heard[id] = {name: value for name, value in kept.items() if value is not None}
            else:
                assert event.data.get("email") == self.heard.pop(id).get("email") or event.data.keys() == {
                    "contact_id", "deleted_at",
                }  # fmt: skip

    # ---- the model

    def apply(self, key: int, row: dict[str, Any]) -> None:
        kept = {**self.model.get(key, {}), **{name: value for name, value in row.items() if name != "custom"}}
        values = {**kept.get("custom", {}), **row.get("custom", {})}
        kept["custom"] = {name: value for name, value in values.items() if value is not None and value != ""}
        self.model[key] = {name: value for name, value in kept.items() if value is not None and value != ""}

    def clash(self, before: dict[int, dict[str, Any]]) -> bool:
        """Whether two contacts of the model have the same address or external id."""
        for name in ("email", "external_id"):
            values = [row[name].lower() for row in before.values() if row.get(name)]
            if len(values) != len(set(values)):
                return True
        return False

    def picked(self, places: Sequence[int]) -> list[int]:
        """Keys that exist, or existed, without repeats."""
        known = sorted(self.ids)
        return list(dict.fromkeys(known[place % len(known)] for place in places)) if known else []

    # ---- steps

    @rule(batch=batches)
    def creates(self, batch: list[dict[str, Any]]) -> None:
        before = {key: dict(row) for key, row in self.model.items()}
        keys = self.write(lambda tx: create_many(tx, [stored(row) for row in batch], source="api", actor=1))
        for place, row in enumerate(batch):
            self.apply(keys[place] if keys else -1 - place, row)
        assert (keys is None) == self.clash(self.model)
        if keys is None:
            self.model = before

    @rule(places=numbers, batch=batches)
    def updates(self, places: list[int], batch: list[dict[str, Any]]) -> None:
        changes = list(zip(self.picked(places), batch, strict=False))
        before = {key: dict(row) for key, row in self.model.items()}
        for key, row in changes:
            if key in self.model:
                self.apply(key, row)
        after, clash = self.model, self.clash(self.model)
        changed = self.write(lambda tx: update_many(tx, [(key, stored(row)) for key, row in changes], actor=1))
        if changed is None:
            self.model = before  # also where two swap their addresses, which is refused
        else:
            assert not clash
            assert changed == [key for key, _ in changes if before.get(key) != after.get(key)]

    @rule(places=numbers, erases=st.booleans())
    def deletes(self, places: list[int], erases: bool) -> None:
        keys = self.picked(places)
        delete = erase_many if erases else delete_many
        deleted = self.write(lambda tx: delete(tx, keys, reason="r", actor=None))
        assert deleted == sum(self.model.pop(key, None) is not None for key in keys)
        if erases:
            assert not any(journal.entries_of(self.connection, key, 2**62, 9) for key in keys)

    @rule(batch=batches)
    def upserts(self, batch: list[dict[str, Any]]) -> None:
        """As if each row were sent by itself; a repeat changes nothing."""
        candidates = [Candidate(PreparedContact(stored(row)), {}) for row in batch]
        decided = self.write(lambda tx: upsert(tx, candidates, source="api", actor=1))
        for each, row in zip(decided, batch, strict=True):
            if each.contact is not None:
                before = dict(self.model.get(each.contact, {}))
                self.apply(each.contact, row)
                new = "created" if not before else "updated" if self.model[each.contact] != before else "unchanged"
                assert each.verdict == new
        assert not self.clash(self.model)

    # ---- what holds

    @invariant()
    def the_table_has_what_was_written(self) -> None:
        found = finding.newest(self.connection, 2**62, 10_000)
        assert {row.key: self.shown(row) for row in found} == self.model
        assert [row.key for row in found] == sorted(self.model, reverse=True)

    @staticmethod
    def shown(row: finding.ContactRow) -> dict[str, Any]:
        made = {name: getattr(row, name) for name in FIELDS if getattr(row, name) is not None}
        return {**made, "custom": orjson.loads(row.custom or "{}")}

    @invariant()
    def a_consumer_has_the_same(self) -> None:
        names = {"one": "1", "two": "2"}
        for key, id in self.ids.items():
            if key in self.model:
                told = self.heard[id]
                values = {number: told.get(f"custom.{name}") for name, number in names.items()}
                mine = {name: told[name] for name in FIELDS if name in told}
                mine["custom"] = {number: value for number, value in values.items() if value is not None}
                assert mine == self.model[key]
            else:
                assert id not in self.heard

    @invariant()
    def the_index_has_the_words_of_the_contacts(self) -> None:
        assert check(self.connection) == []
        found = {key for word in ("a", "o", "x", "日", "t", "6", "33", "b", "c", "d")
                 for key in index.newest(self.connection, [((word,),)], 1_000)}  # fmt: skip
        assert found <= set(self.model)

    @invariant()
    def the_journal_leads_to_what_there_is(self) -> None:
        for key, row in self.model.items():
            entries = journal.entries_of(self.connection, key, 2**62, 1_000)
            for newer, older in pairwise(entries):
                both = newer.before.keys() & (older.after or {}).keys() - {"custom"}
                assert all(newer.before[name] == (older.after or {})[name] for name in both)
            if entries:
                last = entries[0].after or {}
                assert all(row.get(name) == value for name, value in last.items() if name != "custom")


def test_contacts_against_a_dict() -> None:
    run_state_machine_as_test(
        ContactsMachine, settings=settings(max_examples=examples(60), stateful_step_count=20, deadline=None)
    )
