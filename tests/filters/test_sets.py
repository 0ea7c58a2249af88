"""Fields that are sets: what they have of some values, which may stand for saved filters."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatnode.config import Limits
from chatnode.errors import Refusal
from chatnode.storage.engine.connection import Reader
from chatnode.storage.filters import kinds
from chatnode.storage.filters.collection import Asker, Collection, Field
from chatnode.storage.filters.query import Query, filter_sql, plan, run
from tests.filters.model import Model
from tests.quick import examples

SAVED: dict[str, dict[str, Any]] = {
    "red things": {"colors": {"_has_any": ["red"]}},
    "also red": {"colors": {"_has_any": ["red"]}},
    "large red things": {"colors": {"_has_all": ["red things"]}, "size": {"_gt": 3}},
    "plain": {"colors": {"_null": True}},
    "a": {"colors": {"_has_none": ["b"]}},
    "b": {"size": {"_lt": 3}, "_or": [{"_not": {"colors": {"_has_at_least": {"count": 1, "of": ["red", "a"]}}}}]},
    "itself": {"colors": {"_has_any": ["itself"]}},
    "lost": {"_and": [{}, {"colors": {"_has_any": ["red", "ochre"]}}]},
    "twice": {"_or": [{"colors": {"_has_any": ["red things"]}}, {"colors": {"_has_any": ["red things"]}}]},
}
COLORS = ("red", "green", "blue")


def find(text: str) -> kinds.Value | kinds.SavedFilter:
    if text in SAVED:
        return kinds.SavedFilter(text, SAVED[text])
    if text.lower() not in COLORS:
        raise kinds.Fault(f"names no color: {text!r}")
    return COLORS.index(text.lower())


THINGS = Collection(
    "things",
    "Things.",
    "things item",
    "item.key <> 99",
    (
        Field("key", kinds.Integer(), "item.key"),
        Field("size", kinds.Integer(), "item.size", nullable=True),
        Field(
            "colors",
            kinds.Labels(row="item.key", relation="SELECT p.thing FROM paint p WHERE p.color", find=find),
            "(SELECT nullif(json_group_array(c.name), '[]') FROM paint p JOIN colors c ON c.key = p.color "
            "WHERE p.thing = item.key)",
            nullable=True,
            sorts=False,
        ),
    ),
    key=("key",),
    order="key",
    permission="chat",
)
ASKER = Asker(None, None, 0, Limits(filter_depth=0, filter_terms=0))


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    """Each set of colors twice, with sizes from 0 to 6 or none."""
    connection = sqlite3.connect(":memory:", factory=Reader)
    connection.executescript(
        "CREATE TABLE things (key INTEGER PRIMARY KEY, size INTEGER); CREATE TABLE colors (key INTEGER, name TEXT);"
        "CREATE TABLE paint (thing INTEGER, color INTEGER);"
    )
    connection.executemany("INSERT INTO colors VALUES (?, ?)", enumerate(COLORS))
    connection.executemany(
        "INSERT INTO things VALUES (?, ?)", [(key, key % 8 if key % 8 < 7 else None) for key in range(16)]
    )
    connection.execute("INSERT INTO things VALUES (99, 1)")
    painted = [(key, color) for key in range(16) for color in range(3) if key >> color & 1]
    connection.executemany("INSERT INTO paint VALUES (?, ?)", [*painted, (99, 0)])
    yield connection
    connection.close()


def keys(reader: Reader, filter: dict[str, Any], limits: Limits | None = None) -> list[int]:
    asker = ASKER if limits is None else Asker(None, None, 0, limits)
    return [row["key"] for row in run(reader, asker, plan(THINGS, Query(filter), asker.limits), 0).data]


def refusal_of(reader: Reader, filter: dict[str, Any], limits: Limits | None = None) -> Refusal:
    with pytest.raises(Refusal) as caught:
        keys(reader, filter, limits)
    return caught.value


def test_what_a_set_has(reader: Reader) -> None:
    assert keys(reader, {"colors": {"_has_any": ["RED", "green"]}, "key": {"_lt": 8}}) == [1, 2, 3, 5, 6, 7]
    assert keys(reader, {"colors": {"_has_all": ["red", "green"]}}) == [3, 7, 11, 15]
    assert keys(reader, {"colors": {"_has_none": ["red", "green"]}}) == [0, 4, 8, 12]
    assert keys(reader, {"colors": {"_has_at_least": {"count": 2, "of": ["red", "green", "blue", "red"]}}}) == [
        3, 5, 6, 7, 11, 13, 14, 15,
    ]  # fmt: skip
    assert keys(reader, {"colors": {"_null": True}}) == [0, 8]
    assert keys(reader, {"_not": {"colors": {"_null": True}}, "size": {"_null": True}}) == [7, 15]


def test_no_values(reader: Reader) -> None:
    everything = keys(reader, {})
    assert keys(reader, {"colors": {"_has_any": []}}) == []
    assert keys(reader, {"colors": {"_has_all": []}}) == everything
    assert keys(reader, {"colors": {"_has_none": []}}) == everything
    assert keys(reader, {"colors": {"_has_at_least": {"count": 1, "of": []}}}) == []


def test_a_value_may_stand_for_a_saved_filter(reader: Reader) -> None:
    assert keys(reader, {"colors": {"_has_any": ["large red things"]}}) == [5, 13]
    assert keys(reader, {"colors": {"_has_all": ["red things", "green"]}}) == [3, 7, 11, 15]
    assert keys(reader, {"colors": {"_has_none": ["red things", "blue"]}}) == [0, 2, 8, 10]
    twice = {"count": 2, "of": ["plain", "red things", "also red", "also red"]}
    assert keys(reader, {"colors": {"_has_at_least": twice}}) == keys(reader, {"colors": {"_has_any": ["red"]}})


SETS = st.sampled_from([*COLORS, "RED", "red things", "also red", "large red things", "plain", "twice"])


def filters(depth: int = 3) -> st.SearchStrategy[dict[str, Any]]:
    some = st.lists(SETS, max_size=4)
    has = st.one_of(
        *[st.fixed_dictionaries({operator: some}) for operator in ("_has_any", "_has_all", "_has_none")],
        st.fixed_dictionaries({"_has_at_least": st.fixed_dictionaries({"count": st.integers(1, 4), "of": some})}),
        st.fixed_dictionaries({"_null": st.booleans()}),
    )
    leaf = st.fixed_dictionaries({"colors": has}) | st.fixed_dictionaries({"size": st.just({"_gt": 3})})
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.fixed_dictionaries({"_and": st.lists(inner, max_size=3)}),
            st.fixed_dictionaries({"_or": st.lists(inner, max_size=3)}),
            st.fixed_dictionaries({"_not": inner}),
        ),
        max_leaves=5,
    )


@settings(max_examples=examples(200), deadline=None, database=None)
@given(asked=filters())
def test_sets_match_what_the_model_matches_and_the_opposite_matches_the_rest(
    reader: Reader, asked: dict[str, Any]
) -> None:
    rows = run(reader, ASKER, plan(THINGS, Query(), ASKER.limits), 0).data
    model = Model(THINGS, {}, "", 0)
    expected = [row["key"] for row in rows if model.holds(asked, row)]
    assert keys(reader, asked) == expected
    assert keys(reader, {"_not": asked}) == [row["key"] for row in rows if row["key"] not in expected]


@pytest.mark.parametrize(
    ("asked", "path", "said"),
    [
        ({"_has_any": "red"}, "_has_any", "a list"),
        ({"_has_any": ["red", "ochre"]}, "_has_any.1", "names no color: 'ochre'"),
        ({"_has_none": [3]}, "_has_none.0", "a string"),
        ({"_has_any": ["a\0"]}, "_has_any.0", "character"),
        ({"_eq": "red"}, "_eq", "_has_all, _has_any, _has_at_least, _has_none, _null"),
        ({"_has_at_least": ["red"]}, "_has_at_least", '"count": 2'),
        ({"_has_at_least": {"count": 0, "of": []}}, "_has_at_least", "at least 1"),
        ({"_has_at_least": {"count": True, "of": []}}, "_has_at_least", "at least 1"),
        ({"_has_at_least": {"of": []}}, "_has_at_least", "at least 1"),
        ({"_has_at_least": {"count": 1, "of": ["red", "ochre"]}}, "_has_at_least.of.1", "names no color"),
        ({"_has_any": ["itself"]}, "_has_any.0", "itself: filter.colors._has_any.0 refers to itself: itself → itself"),
        ({"_has_any": ["red", "a"]}, "_has_any.1", "a → b → a"),
        ({"_has_any": ["lost"]}, "_has_any.0", "lost: filter._and.1.colors._has_any.1 names no color: 'ochre'"),
    ],
)
def test_faults_name_their_place(reader: Reader, asked: dict[str, Any], path: str, said: str) -> None:
    refusal = refusal_of(reader, {"colors": asked})
    assert (refusal.code, refusal.path) == ("invalid", f"filter.colors.{path}")
    assert said in refusal.message


def test_a_saved_filter_counts_towards_the_limits_of_the_filter_that_names_it(reader: Reader) -> None:
    asked = {"colors": {"_has_any": ["twice"]}}  # 1 + 3 terms, + 1 for each of the two that it names
    assert keys(reader, asked, Limits(filter_terms=6)) == keys(reader, {"colors": {"_has_any": ["red"]}})
    refusal = refusal_of(reader, asked, Limits(filter_terms=5))
    assert (refusal.code, refusal.path) == ("too_large", "filter.colors._has_any.0")
    assert keys(reader, asked, Limits(filter_depth=3))
    assert refusal_of(reader, asked, Limits(filter_depth=2)).code == "too_large"
    values = refusal_of(reader, {"colors": {"_has_any": ["red"] * 4}}, Limits(filter_values=3))
    assert (values.code, values.path) == ("too_large", "filter.colors._has_any.3")


def test_values_are_never_part_of_the_sql(reader: Reader) -> None:
    found = filter_sql(reader, ASKER, THINGS, {"colors": {"_has_any": ["red", "blue"]}})
    assert "WHERE p.color IN (:v3, :v4)" in found.sql
    assert (found.values["v3"], found.values["v4"]) == (0, 2)


def test_relations_with_few_rows_are_found_by_key(reader: Reader) -> None:
    """And not by reading all things."""
    found = filter_sql(reader, ASKER, THINGS, {"colors": {"_has_any": ["red"]}})
    plan = reader.execute(f"EXPLAIN QUERY PLAN SELECT item.key FROM things item WHERE {found.sql}", found.values)
    assert any("SEARCH item USING INTEGER PRIMARY KEY" in row[-1] for row in plan)
