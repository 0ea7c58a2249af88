"""Random filters, sorts, groups and pages give what the model makes of the rows that come without them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from chatnode.config import Limits
from chatnode.model.times import now_ms
from chatnode.node import open_node
from chatnode.storage.engine.connection import Reader, connect_reader
from chatnode.storage.filters.collection import Asker, Collection
from chatnode.storage.filters.query import COUNT, ItemsPage, Query, plan, run
from tests.declared import COLLECTIONS
from tests.filters.model import Model, Row
from tests.filters.neighbourhood import settle
from tests.filters.strategies import filters, leaves
from tests.quick import examples

LIMITS = Limits(filter_depth=0, filter_terms=0)


@attrs.frozen
class Archive:
    """The neighbourhood's file, its node closed, and ann's eyes on it."""

    reader: Reader
    asker: Asker
    me: str
    handles: dict[str, str]
    rows: dict[str, list[Row]] = attrs.field(factory=dict[str, list[Row]])
    filters: dict[str, st.SearchStrategy[dict[str, Any]]] = attrs.field(factory=dict[str, Any])

    def ask(self, collection: Collection, **fields: Any) -> ItemsPage:
        return run(self.reader, self.asker, plan(collection, Query(**{"limit": 500} | fields), LIMITS), 0)

    def pages(self, collection: Collection, limit: int, **fields: Any) -> list[Row]:
        """All rows, page by page."""
        page = self.ask(collection, limit=limit, **fields)
        found = list(page.data)
        while page.next is not None:
            assert len(page.data) == limit
            page = self.ask(collection, limit=limit, after=page.next, **fields)
            assert page.data
            found += page.data
        return found

    def model(self, collection: Collection) -> Model:
        return Model(collection, self.handles, self.me, self.asker.now)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    directory = tmp_path_factory.mktemp("filters")

    async def make() -> tuple[Path, int, str]:
        async with open_node(directory / "data") as node:
            there = await settle(node)
            return node.core.db.path, there.ann.account.key, there.ann.id

    path, key, me = trio.run(make)
    reader = connect_reader(path)
    session = reader.execute("SELECT min(key) FROM sessions WHERE person = ?", (key,)).fetchone()[0]
    handles = dict(reader.execute("SELECT handle, id FROM people").fetchall())
    archive = Archive(reader, Asker(key, session, now_ms()), me, handles)
    archive.rows.update({each.name: archive.ask(each).data for each in COLLECTIONS})
    for each in COLLECTIONS:
        archive.filters[each.name] = filters(leaves(each, archive.rows[each.name], handles))
    yield archive
    reader.close()


def test_every_field_has_different_values_here(archive: Archive) -> None:
    """Else the comparisons below would say little."""
    alike: list[str] = []
    for collection in COLLECTIONS:
        for field in collection.fields:
            found = {str(row[field.name]) for row in archive.rows[collection.name]}
            if len(found) < 2:
                alike.append(f"{collection.name}.{field.name}")
    assert set(alike) == {"conversation_settings.user_id", "work.owner_id"}


# ---- strategies


def sorts(collection: Collection) -> st.SearchStrategy[str]:
    names = [field.name for field in collection.fields if field.sorts]
    return st.lists(
        st.tuples(st.sampled_from(["", "-"]), st.sampled_from(names)), max_size=3, unique_by=lambda key: key[1]
    ).map(lambda keys: ",".join(sign + name for sign, name in keys))


# ---- the properties

each_collection = pytest.mark.parametrize("collection", COLLECTIONS, ids=lambda each: each.name)
each_with_groups = pytest.mark.parametrize(
    "collection",
    [each for each in COLLECTIONS if each.names(lambda field: field.groups)],
    ids=lambda each: each.name,
)
EXAMPLES = examples(60)


@each_collection
@settings(max_examples=EXAMPLES, deadline=None, database=None)
@given(data=st.data())
def test_filters_choose_what_the_model_chooses_in_its_order(
    archive: Archive, collection: Collection, data: st.DataObject
) -> None:
    rows, model = archive.rows[collection.name], archive.model(collection)
    asked = data.draw(archive.filters[collection.name])
    sort = data.draw(sorts(collection))
    expected = [row for row in rows if model.holds(asked, row)]
    made = plan(collection, Query(filter=asked, sort=sort), LIMITS)
    assert archive.ask(collection, filter=asked, sort=sort).data == model.in_order(expected, made.keys)


@each_collection
@settings(max_examples=EXAMPLES // 4, deadline=None, database=None)
@given(data=st.data())
def test_pages_together_are_the_whole_each_row_once(
    archive: Archive, collection: Collection, data: st.DataObject
) -> None:
    asked = data.draw(archive.filters[collection.name])
    sort, limit = data.draw(sorts(collection)), data.draw(st.integers(1, 7))
    whole = archive.ask(collection, filter=asked, sort=sort).data
    assert archive.pages(collection, limit, filter=asked, sort=sort) == whole


@each_with_groups
@settings(max_examples=EXAMPLES // 4, deadline=None, database=None)
@given(data=st.data())
def test_groups_have_the_counts_of_the_model(archive: Archive, collection: Collection, data: st.DataObject) -> None:
    rows, model = archive.rows[collection.name], archive.model(collection)
    asked = data.draw(archive.filters[collection.name])
    possible = [field.name for field in collection.fields if field.groups]
    by = data.draw(st.lists(st.sampled_from(possible), min_size=1, max_size=3, unique=True))
    sort = data.draw(st.sampled_from(["", "count", "-count", f"-{by[0]}", f"-count,{by[-1]}"]))
    expected = Counter(tuple(row[name] for name in by) for row in rows if model.holds(asked, row))
    fields = {"filter": asked, "group_by": ",".join(by), "sort": sort}
    groups = archive.pages(collection, data.draw(st.integers(1, 5)), **fields)
    assert {tuple(group[name] for name in by): group[COUNT] for group in groups} == expected
    assert len(groups) == len(expected)
    assert groups == archive.ask(collection, **fields).data
    if "count" in sort:
        counts = [group[COUNT] for group in groups]
        assert counts == sorted(counts, reverse=sort.startswith("-"))
