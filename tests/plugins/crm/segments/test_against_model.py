"""A filter and its opposite choose all contacts between them, and those that the model chooses, whatever the filter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import chatnode_crm
import pytest
import trio
from chatnode_crm.segments import matching
from chatnode_crm.segments.collection import CONTACTS
from hypothesis import given, settings
from hypothesis import strategies as st

from chatnode.config import Limits
from chatnode.model.times import DAY_MS, now_ms
from chatnode.node import open_node
from chatnode.storage.engine.connection import Reader, connect_reader
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.filters.collection import Asker, Collection
from chatnode.storage.filters.query import Query, plan, run
from chatnode.testing import User
from tests.filters.model import Model, Row
from tests.filters.strategies import filters, leaves
from tests.plugins.crm.segments.book import Book
from tests.quick import examples

SEGMENTS: dict[str, dict[str, Any]] = {
    "French": {"country": {"_eq": "France"}},
    "Recent press": {"created_at": {"_in_last": "3 days"}, "tags": {"_has_any": ["Press"]}},
    "French or listed": {"lists": {"_has_any": ["French", "Guests", "Staff"]}},
    "Others": {
        "_not": {"lists": {"_has_at_least": {"count": 2, "of": ["French or listed", "Guests", "Recent press"]}}}
    },
}


@attrs.frozen
class Archive:
    """A closed node's contacts, as a manager sees them."""

    reader: Reader
    asker: Asker
    collection: Collection
    model: Model
    keys: dict[str, int]
    rows: list[Row]
    filters: st.SearchStrategy[dict[str, Any]]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    directory = tmp_path_factory.mktemp("segments")

    async def make() -> tuple[Path, User]:
        async with open_node(directory / "data", only=[chatnode_crm]) as node:
            mara = await User.new(node, "mara", role="contacts_manager")
            await settle(Book(node), mara)
            return node.core.db.path, mara

    path, mara = trio.run(make)
    reader = connect_reader(path)
    asker = Asker(mara.account.key, None, now_ms(), Limits(filter_depth=0, filter_terms=0), lambda permission: True)
    collection = CONTACTS.as_seen_by(asker, reader)
    rows = run(reader, asker, plan(collection, Query(limit=500), asker.limits), 0).data
    handles = dict(reader.execute("SELECT handle, id FROM people").fetchall())
    keys = dict(reader.execute("SELECT id, key FROM crm_contacts").fetchall())
    possible = filters(leaves(collection, rows, handles, {"lists": tuple(SEGMENTS)}))
    yield Archive(reader, asker, collection, Model(collection, handles, mara.id, asker.now), keys, rows, possible)
    reader.close()


async def settle(book: Book, mara: User) -> None:
    """Contacts with several values of every field, and some without."""
    await book.define("Age", "number")
    await book.define("Size", "text")
    await book.define("Renewal", "date")
    await book.define("Member", "flag")
    await book.define("Plan", "choice", "Basic", "Pro")
    await book.list("Guests")
    await book.list("Staff")
    owner = mara.account.key
    for number in range(36):
        await book.add(
            f"Contact {number}",
            email=f"c{number}@Example.org" if number % 3 else None,
            email_key=f"c{number}@example.org" if number % 3 else None,
            external_id=str(number) if number % 5 == 0 else None,
            last_name=("O'Hara", "straße", "50% _", None)[number % 4],
            company=("Ünal", "unal", None)[number % 3],
            phone="+33 1" if number % 2 else None,
            country=("France", "Spain", None, "FRANCE")[number % 4],
            city=("Paris", None)[number % 2],
            description="*" if number % 7 == 0 else None,
            tags=[tag for tag, each in (("VIP", 2), ("Press", 3), ("Ünder", 5)) if number % each == 0],
            lists=[name for name, each in (("Guests", 4), ("Staff", 3)) if number % each == 1],
        )

    def vary(tx: Transaction) -> None:
        tx.execute("UPDATE crm_contacts SET created_at = created_at - (key % 9) * ?", (DAY_MS,))
        tx.execute("UPDATE crm_contacts SET updated_at = updated_at + (key % 4 - 2) * ?", (DAY_MS,))
        tx.execute("UPDATE crm_contacts SET owner = ?, created_by = ?, updated_by = ? WHERE key % 3 = 0", (owner,) * 3)
        tx.execute("UPDATE crm_contacts SET source = 'import', opted_out_at = updated_at WHERE key % 4 = 0")
        values = {
            "Age": "key % 5 + 0.5 * (key % 2)",
            "Size": "'S' || (key % 3)",
            "Renewal": f"{tx.now} + (key % 5 - 2) * {DAY_MS}",
            "Member": "key % 2",
            "Plan": "CASE key % 2 WHEN 0 THEN 'Basic' ELSE 'Pro' END",
        }
        for key, name in tx.execute("SELECT key, name FROM crm_fields").fetchall():
            value = values[name]
            tx.execute(
                f"UPDATE crm_contacts SET custom = json_set(coalesce(custom, '{{}}'), '$.\"{key}\"', {value}) "
                f"WHERE key % 4 <> {key % 4}"
            )

    await book.node.core.db.write(vary)
    for number in range(3):
        user = await User.new(book.node, f"user{number}")
        await book.connect(f"Contact {number}", user)
        await user.says(await user.direct(mara), "hello")
    for name, filter in SEGMENTS.items():
        await mara.call("crm.segments.create", name=name, filter=filter)


def test_every_field_has_different_values_here(archive: Archive) -> None:
    """Else the comparisons below would say little."""
    alike = [
        field.name for field in archive.collection.fields if len({str(row[field.name]) for row in archive.rows}) < 2
    ]
    assert alike == []


@settings(max_examples=examples(200), deadline=None, database=None)
@given(data=st.data())
def test_a_filter_chooses_what_the_model_chooses_and_its_opposite_the_rest(
    archive: Archive, data: st.DataObject
) -> None:
    asked = data.draw(archive.filters)
    expected = [row["contact_id"] for row in archive.rows if archive.model.holds(asked, row)]
    chosen = sorted(archive.keys[id] for id in expected)
    rest = sorted(set(archive.keys.values()) - set(chosen))
    for filter, keys in ((asked, chosen), ({"_not": asked}, rest)):
        assert matching.keys_page(archive.reader, archive.asker, filter, 0, 500) == keys
        assert matching.count(archive.reader, archive.asker, filter) == len(keys)


@settings(max_examples=examples(40), deadline=None, database=None)
@given(data=st.data())
def test_pages_together_are_the_whole(archive: Archive, data: st.DataObject) -> None:
    asked, limit = data.draw(archive.filters), data.draw(st.integers(1, 9))
    found: list[int] = []
    while True:
        page = matching.keys_page(archive.reader, archive.asker, asked, found[-1] if found else 0, limit)
        found += page
        if len(page) < limit:
            break
    assert found == matching.keys_page(archive.reader, archive.asker, asked, 0, 500)
