"""Whatever is merged, undoing it in reverse order restores everything."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import attrs
import chatnode_crm
import orjson
import trio
from chatnode_crm.contacts import checking, fields
from chatnode_crm.contacts.finding import rows
from chatnode_crm.contacts.writing import create_many
from chatnode_crm.lists.changing import make_list
from chatnode_crm.lists.membership import add_many
from chatnode_crm.people import merging, snapshots
from chatnode_crm.people.identities import claim
from chatnode_crm.people.opting import opt_out
from chatnode_crm.people.pairs import set_not_same, suggest
from chatnode_crm.tags.changing import make_tag
from chatnode_crm.tags.tagging import tag_many
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatnode.api import Transaction
from chatnode.config import Config
from chatnode.node import open_node
from tests.quick import examples

_TEXTS = ("external_id", "first_name", "last_name", "company", "phone", "country", "city", "description")
_word = st.text("abé ", min_size=1, max_size=4)


@attrs.frozen
class Someone:
    """A contact to begin with; numbers are places of lists, tags and other contacts."""

    values: dict[str, str]
    email: bool
    custom: dict[str, str]
    lists: set[int]
    tags: set[int]
    notes: int
    identities: dict[str, bool]
    opted_out: bool
    opted_out_of: set[int]
    suggested: set[int]
    delivered: dict[int, str]


_small = st.sets(st.integers(0, 2), max_size=3)
someone = st.builds(
    Someone,
    st.dictionaries(st.sampled_from(_TEXTS), _word, max_size=5),
    st.booleans(),
    st.dictionaries(st.sampled_from(["1", "2", "3"]), _word, max_size=2),
    _small,
    _small,
    st.integers(0, 2),
    st.dictionaries(st.sampled_from(["telegram", "whatsapp"]), st.booleans(), max_size=2),
    st.booleans(),
    _small,
    _small,
    st.dictionaries(st.integers(0, 2), st.sampled_from(["waiting", "sent", "opted_out"]), max_size=3),
)
merges = st.lists(
    st.tuples(
        st.integers(0, 3), st.integers(0, 3), st.sets(st.sampled_from(merging.FIELDS)), st.sets(st.sampled_from("123"))
    ),
    min_size=1,
    max_size=4,
)


@settings(deadline=None, max_examples=examples(25), suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(someone, min_size=4, max_size=4), merges)
def test_undoing_restores_everything(people: list[Someone], merges: list[tuple[int, int, set[str], set[str]]]) -> None:
    trio.run(play, people, merges)


async def play(people: list[Someone], merges: list[tuple[int, int, set[str], set[str]]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        async with open_node(Path(directory), Config(), only=[chatnode_crm], inline=True) as node:
            keys = await node.core.db.write(lambda tx: _begin(tx, people))
            for one, other in ((0, 3),):
                await node.core.db.write(lambda tx, one=one, other=other: set_not_same(tx, keys[one], keys[other], 1))
            done: list[tuple[Any, str]] = []
            for each in merges:
                before = await node.core.db.read(lambda reader: _state(reader, keys))
                id = await node.core.db.write(lambda tx, each=each: _merge(tx, keys, each))
                if id is not None:
                    done.append((before, id))
            for before, id in reversed(done):
                await node.core.db.write(lambda tx, id=id: merging.unmerge(tx, merging.find_merge(tx, id), actor=None))
                assert await node.core.db.read(lambda reader: _state(reader, keys)) == before
            assert await node.core.db.read(checking.check) == []


def _begin(tx: Transaction, people: list[Someone]) -> list[int]:
    lists = [make_list(tx, f"list {place}", kind="static", actor=None).key for place in range(3)]
    tags = [make_tag(tx, f"tag {place}", actor=None).key for place in range(3)]
    for name in ("one", "two", "three"):
        fields.define(tx, name, "text", (), None, 0)
    keys = create_many(tx, [_values(each, place) for place, each in enumerate(people)], source="api", actor=None)
    for key, each in zip(keys, people, strict=True):
        for place in each.lists:
            add_many(tx, lists[place], [key], actor=7)
        for place in each.tags:
            tag_many(tx, tags[place], [key], actor=7)
        for number in range(each.notes):
            tx.execute(
                "INSERT INTO crm_notes (id, contact, text, at) VALUES (?, ?, 'a note', ?)", (f"{key}-{number}", key, 1)
            )
        for kind, verified in each.identities.items():
            claim(tx, key, kind, f"{key % 2}", verified=verified, actor=None)
        if each.opted_out:
            opt_out(tx, key, None, 5, actor=None)
        for place in each.opted_out_of:
            opt_out(tx, key, lists[place], 5, actor=None)
        for place in each.suggested:
            if keys[place] != key:
                suggest(tx, key, keys[place], "phone", 95)
        for broadcast, state in each.delivered.items():
            tx.execute(
                "INSERT INTO crm_deliveries (broadcast, contact, state) VALUES (?, ?, ?)", (broadcast, key, state)
            )
    return keys


def _values(each: Someone, place: int) -> dict[str, Any]:
    values: dict[str, Any] = {**each.values, "custom": each.custom}
    if each.email:
        values |= {"email": f"{place}@example.org", "email_key": f"{place}@example.org"}
    if "external_id" in values:
        values["external_id"] = f"{place}"
    return values


def _merge(tx: Transaction, keys: list[int], each: tuple[int, int, set[str], set[str]]) -> str | None:
    """None if it was refused, or one of the two is gone."""
    found = rows(tx, [keys[each[0]], keys[each[1]]])
    ids: list[str] = []
    if len(found) == 2:
        tx.attempt(lambda: ids.append(merging.merge(tx, found[0], found[1], each[2], each[3], actor=None)))
    return ids[0] if ids else None


def _state(reader: Any, keys: list[int]) -> Any:
    """All that is stored, but for when it changed last."""
    shown = [snapshots.snapshot_contact(reader, key) for key in keys]
    for each in shown:
        for row in each[snapshots.CONTACTS]:
            for name in ("version", "updated_at", "updated_by"):
                row.pop(name)
    counts = reader.execute(
        "SELECT 'list', key, members FROM crm_lists UNION ALL SELECT 'tag', key, contacts FROM crm_tags ORDER BY 1, 2"
    ).fetchall()
    found = [
        {table: sorted(orjson.dumps(row, option=orjson.OPT_SORT_KEYS) for row in rows) for table, rows in each.items()}
        for each in shown
    ]
    merges = reader.execute("SELECT id, contact, gone, part_of FROM crm_merges ORDER BY key").fetchall()
    return found, counts, merges
