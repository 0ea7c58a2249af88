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
from chatnode.services import COLLECTIONS
from chatnode.storage.engine.connection import Reader, connect_reader
from chatnode.storage.filters import kinds
from chatnode.storage.filters.collection import Asker, Collection, Field
from chatnode.storage.filters.query import COUNT, ItemsPage, Query, plan, run
from tests.filters.model import Model, Row, comparable
from tests.filters.neighbourhood import settle
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
    assert set(alike) == {"conversation_settings.user_id"}


# ---- strategies

SCRAPS = ("", "%", "_", "'", "' OR 1=1 --", "STRASSE", "é", "\U0001f600", "\n")


def values(field: Field, rows: list[Row], handles: dict[str, str]) -> list[Any]:
    """Mostly what rows have, and its neighbours."""
    seen = list({str(row[field.name]): row[field.name] for row in rows if row[field.name] is not None}.values())
    match field.kind:
        case kinds.Timestamp():
            ms = [comparable(field, value) for value in seen]
            return [*seen, *ms, *(each - 1 for each in ms), 0]
        case kinds.Flag():
            return [True, False]
        case kinds.Integer():
            return [*seen, *range(-2, 9), 2**53 - 1, -(2**53) + 1]
        case kinds.PersonId():
            return [*seen, *handles, "ANN", "nobody", "$CURRENT_USER"]
        case kinds.Choice(words=words, other=other):
            return [*words, *map(str.lower, words), *map(str.upper, words), *other]
        case kinds.PublicId():
            return [*seen, "0" * 32]
        case kinds.Json():
            return []
        case _:
            return [*seen, *(text[:3] for text in seen), *(text[2:].upper() for text in seen), *SCRAPS]


def comparisons(field: Field, operator: str, possible: list[Any]) -> st.SearchStrategy[dict[str, Any]]:
    value = st.sampled_from(possible)
    match operator:
        case "_null":
            value = st.booleans()
        case "_in" | "_nin":
            value = st.lists(value, max_size=4)
        case "_between":
            value = st.lists(value, min_size=2, max_size=2)
        case "_eq" | "_neq":
            value = value | st.none()
        case "_in_last" | "_in_next":
            units = st.sampled_from(["minute", "minutes", "hours", "days", "week", "weeks"])
            value = st.builds("{} {}".format, st.integers(0, 120) | st.just(999_999), units)
        case _:
            pass
    return st.fixed_dictionaries({operator: value})


class Leaves(list[st.SearchStrategy[dict[str, Any]]]):
    """What may be said of each field."""

    def __repr__(self) -> str:
        return f"{len(self)} fields"  # hypothesis shows its strategies, and these are long


def leaves(collection: Collection, rows: list[Row], handles: dict[str, str]) -> Leaves:
    found = Leaves([st.just({})])
    for field in collection.fields:
        possible = values(field, rows, handles)
        if possible:
            said = st.one_of([comparisons(field, operator, possible) for operator in sorted(field.kind.operators)])
            both = st.builds(lambda one, two: one | two, said, said)
            found += [st.fixed_dictionaries({name: said | both}) for name in (field.name, *field.also)]
    return found


@st.composite
def filters(draw: st.DrawFn, possible: Leaves, depth: int = 3) -> dict[str, Any]:
    match draw(st.sampled_from(["field", "field", "_and", "_or", "_not", "both"])) if depth else "field":
        case "field":
            return draw(possible[draw(st.integers(0, len(possible) - 1))])
        case "_not":
            return {"_not": draw(filters(possible, depth - 1))}
        case "both":
            return draw(filters(possible, depth - 1)) | draw(filters(possible, depth - 1))
        case several:
            return {several: [draw(filters(possible, depth - 1)) for _ in range(draw(st.integers(0, 3)))]}


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
