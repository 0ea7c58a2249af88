"""What is asked wrongly is refused at its place, with what would be taken; what is asked cruelly costs little."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatnode.config import Limits
from chatnode.errors import Refusal
from chatnode.node import Node
from chatnode.storage.filters.collection import Collection, Collections, Field
from chatnode.storage.filters.kinds import Integer
from chatnode.storage.filters.query import Query, plan
from chatnode.testing import User, refused
from tests.declared import COLLECTIONS
from tests.filters.neighbourhood import settle
from tests.quick import examples
from tests.services.dialogue import outcome, with_limits

MESSAGES = Collections(COLLECTIONS).find("messages")
CONVERSATIONS = Collections(COLLECTIONS).find("conversations")


def refusal_of(collection: Collection, limits: Limits | None = None, **fields: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        plan(collection, Query(**fields), limits or Limits())
    return caught.value


@pytest.mark.parametrize(
    ("asked", "path", "said"),
    [
        ({"_and": [{}, {"created_at": {"_gt": "yesterday"}}]}, "filter._and.1.created_at._gt", "2026-11-21T10:17:06"),
        ({"created_at": {"_gt": "2026-02-30T00:00:00Z"}}, "filter.created_at._gt", "takes a time"),
        ({"created_at": {"_gt": "2026-02-03T00:00:00"}}, "filter.created_at._gt", "takes a time"),
        ({"created_at": {"_gt": 10**18}}, "filter.created_at._gt", "takes a time"),
        ({"created_at": {"_gt": True}}, "filter.created_at._gt", "takes a time"),
        ({"seq": {"_eq": "1"}}, "filter.seq._eq", "an integer"),
        ({"seq": {"_eq": 1.5}}, "filter.seq._eq", "an integer"),
        ({"seq": {"_eq": True}}, "filter.seq._eq", "an integer"),
        ({"seq": {"_eq": 2**64}}, "filter.seq._eq", "an integer"),
        ({"seq": {"_lt": None}}, "filter.seq._lt", "an integer"),
        ({"seq": {"_in": [1, None]}}, "filter.seq._in.1", "an integer"),
        ({"seq": {"_in": 1}}, "filter.seq._in", "a list"),
        ({"seq": {"_between": [1]}}, "filter.seq._between", "two values"),
        ({"seq": {"_contains": 1}}, "filter.seq._contains", "_between, _eq"),
        ({"seq": {"_null": 1}}, "filter.seq._null", "true or false"),
        ({"seq": 1}, "filter.seq", "_between, _eq"),
        ({"seq": {}}, "filter.seq", "is empty"),
        ({"is_deleted": {"_eq": 0}}, "filter.is_deleted._eq", "true or false"),
        ({"is_deleted": {"_gt": False}}, "filter.is_deleted._gt", "_eq"),
        ({"message_type": {"_eq": "song"}}, "filter.message_type._eq", "one of TEXT, IMAGE"),
        ({"message_id": {"_eq": "' OR 1=1"}}, "filter.message_id._eq", "32 hexadecimal"),
        ({"sender_id": {"_eq": 7}}, "filter.sender_id._eq", "a user's id or handle"),
        ({"message_text": {"_contains": "a\0b"}}, "filter.message_text._contains", "character"),
        ({"message_text": {"_contains": "\ud800"}}, "filter.message_text._contains", "character"),
        ({"content": {"_eq": "x"}}, "filter.content", "cannot filter by content"),
        ({"nothing": {"_eq": 1}}, "filter.nothing", "it has message_id, conversation_id"),
        ({'seq" OR 1=1 --': {"_eq": 1}}, 'filter.seq" OR 1=1 --', "has no field"),
        ({"_xor": []}, "filter._xor", "_and, _or, _not"),
        ({"_and": {}}, "filter._and", "a list"),
        ({"_not": []}, "filter._not", "an object"),
        ({"_or": ["x"]}, "filter._or.0", "an object"),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_its_place_and_what_is_taken(asked: Any, path: str, said: str) -> None:
    refusal = refusal_of(MESSAGES, filter=asked)
    assert (refusal.code, refusal.path) == ("invalid", path)
    assert said in refusal.message


@pytest.mark.parametrize(
    ("fields", "path", "said"),
    [
        ({"sort": "nothing"}, "sort", "has no field"),
        ({"sort": "message_text"}, "sort", "allowed are message_id"),
        ({"sort": "seq,-seq"}, "sort", "twice"),
        ({"sort": "-created_at,at"}, "sort", "twice"),
        ({"sort": "seq; DROP TABLE messages"}, "sort", "has no field"),
        ({"fields": "seq,nothing"}, "fields", "has no field"),
        ({"group_by": "seq"}, "group_by", "allowed are conversation_id"),
        ({"group_by": "conversation_id", "fields": "seq"}, "fields", "omit fields"),
        ({"group_by": "conversation_id", "sort": "seq"}, "sort", "it has conversation_id, count"),
        *(
            ({"after": cursor}, "after", "the `next` of the previous page")
            for cursor in ("", "x", "é", "bnVsbA", "W10", "W251bGxd", "eyJhIjoxfQ", "WyJtZXNzYWdlcyJd", "A" * 999)
        ),
    ],
)  # fmt: skip
def test_sorts_groups_fields_and_cursors_are_checked(fields: dict[str, Any], path: str, said: str) -> None:
    refusal = refusal_of(MESSAGES, **fields)
    assert (refusal.code, refusal.path) == ("invalid", path)
    assert said in refusal.message


async def test_a_cursor_counts_only_in_its_own_list(node: Node, ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    for text in "abc":
        await ann.says(talk, text)
    page = await ann.call("items.query", collection="messages", sort="seq", limit=1)
    for other in ({"sort": "-seq"}, {"sort": "gid"}, {"group_by": "sender_id"}):
        with refused("invalid", "after"):
            await ann.call("items.query", collection="messages", after=page["next"], **other)
    with refused("invalid", "after"):
        await ann.call("items.query", collection="message_reads", sort="seq", after=page["next"])


async def test_an_unknown_collection_is_refused_with_those_there_are(ann: User) -> None:
    for name in ("nothing", "sqlite_master", "people; DROP TABLE people", "Messages"):
        with refused("not_found", "collection") as caught:
            await ann.call("items.query", collection=name)
        assert "conversations, chat_participants" in caught.value.message


# ---- limits


@pytest.mark.parametrize(
    ("limit", "asked", "path"),
    [
        ({"filter_depth": 2}, {"_not": {"_not": {"_not": {}}}}, "filter._not._not._not"),
        ({"filter_terms": 2}, {"_and": [{"seq": {"_gt": 1, "_lt": 5}}]}, "filter._and.0.seq._lt"),
        ({"filter_values": 3}, {"seq": {"_in": [1, 2], "_nin": [3, 4]}}, "filter.seq._nin.1"),
    ],
)
def test_filters_are_bounded(limit: dict[str, int], asked: Any, path: str) -> None:
    refusal = refusal_of(MESSAGES, Limits(**limit), filter=asked)
    assert (refusal.code, refusal.path) == ("too_large", path)
    plan(MESSAGES, Query(filter=asked), Limits(**{name: value + 1 for name, value in limit.items()}))


def test_texts_are_bounded() -> None:
    asked = {"message_text": {"_contains": "12345"}}
    assert refusal_of(MESSAGES, Limits(filter_chars=4), filter=asked).path == "filter.message_text._contains"
    plan(MESSAGES, Query(filter=asked), Limits(filter_chars=5))


@with_limits(filter_depth=0, filter_terms=0, filter_values=0, filter_chars=0, json_depth=0)
async def test_without_limits_the_end_is_what_the_database_takes(node: Node, ann: User) -> None:
    """The deepest, widest and longest that pass are really carried out."""
    deep: dict[str, Any] = {"seq": {"_gte": 0}}
    for turn in range(50):
        deep = {"_not": deep} if turn % 2 else {"_or": [deep, {"seq": {"_eq": turn}}]}
    wide = {"_or": [{"seq": {"_eq": number}} for number in range(399)]}
    long = {"seq": {"_nin": list(range(10_000))}}
    text = {"message_text": {"_icontains": "x" * 100_000}}
    for asked in (deep, wide, long, text, deep | {"seq": {"_in": list(range(9_000))}}):
        assert await outcome(ann.call("items.query", collection="messages", filter=asked)) == "ok"
    for asked in (
        {"_not": deep}, {"_or": [*wide["_or"], {"seq": {"_eq": 1}}]}, {"seq": {"_nin": list(range(10_001))}},
    ):  # fmt: skip
        assert await outcome(ann.call("items.query", collection="messages", filter=asked)) == "too_large"


@with_limits(query_seconds=0.000_001)
async def test_a_query_has_a_deadline_and_the_next_one_its_own(node: Node, ann: User) -> None:
    """Numbers up to a hundred million would take seconds; whoever asks next is not in their way."""
    endless = "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000000) SELECT i FROM n)"
    numbers = Collection("numbers", "", endless, "1", (Field("i", Integer(), "i"),), ("i",), "i", "chat")
    node.core.collections.add(numbers)
    for _ in range(3):
        with refused("too_large") as caught:
            await ann.call("items.query", collection="numbers", filter={"i": {"_lt": 0}})
        assert "limits.query_seconds" in caught.value.message
        assert await outcome(ann.call("people.list")) == "ok"


async def test_a_collection_can_be_added_once(node: Node, ann: User) -> None:
    """As by a plugin: with its own table, fields and condition of who sees what."""
    await node.core.db.write(lambda tx: tx.execute("CREATE TABLE marbles (owner INTEGER, size INTEGER)"))
    key = ann.account.key
    await node.core.db.write(
        lambda tx: tx.executemany("INSERT INTO marbles VALUES (?, ?)", [(key, 3), (key, 5), (key + 1, 9)])
    )
    marbles = Collection(
        "marbles", "Your marbles.", "marbles item", "item.owner = :me", (Field("size", Integer(), "item.size"),),
        ("size",), "-size", "chat",
    )  # fmt: skip
    node.core.collections.add(marbles)
    assert (await ann.call("items.query", collection="marbles"))["data"] == [{"size": 5}, {"size": 3}]
    with pytest.raises(ValueError, match="marbles"):
        node.core.collections.add(marbles)
    assert "marbles" not in {each.name for each in Collections(COLLECTIONS)}  # nothing global was changed


# ---- whatever is sent

INJECTIONS = (
    "'", '"', "';--", "' OR '1'='1", "x') OR 1=1 --", "); DROP TABLE messages; --", ":me", ":v3", "?", "?1", "@a", "$a",
    "{}", "{0}", "%s", "\\", "\n", "NULL", "item.text", "(SELECT password FROM people)", "sqlite_master", "\U0001f600",
)  # fmt: skip


async def test_sql_as_value_is_a_value_and_as_name_is_refused(node: Node) -> None:
    there = await settle(node)
    before = await there.rows(there.ann, "messages")
    for text in INJECTIONS:
        found = await there.rows(there.ann, "messages", filter={"message_text": {"_contains": text}})
        assert found == [row for row in before if text in (row["message_text"] or "")]
        for asked in (
            {"message_text": {"_eq": text}}, {"message_text": {"_in": [text]}}, {"sender_id": {"_eq": text}},
            {"message_text": {"_starts_with": text}}, {"message_text": {"_between": [text, text]}},
        ):  # fmt: skip
            assert await there.rows(there.ann, "messages", filter=asked) == []
        for fields in (
            {"filter": {text: {"_eq": 1}}}, {"filter": {"seq": {text: 1}}}, {"sort": text}, {"sort": f"-{text}"},
            {"group_by": text}, {"fields": text}, {"after": text}, {"collection": text},
        ):  # fmt: skip
            if not text.strip() and "filter" not in fields and "after" not in fields and "collection" not in fields:
                continue  # no names at all
            assert await outcome(there.ann.call("items.query", **{"collection": "messages"} | fields)) in (
                "invalid", "not_found",
            ), (text, fields)  # fmt: skip
    assert await there.rows(there.ann, "messages") == before


names = st.sampled_from(
    ["_and", "_or", "_not", "_eq", "_neq", "_in", "_nin", "_lt", "_between", "_contains", "_null", "seq", "created_at",
     "sender_id", "message_text", "is_deleted", "message_type", "conversation_id", "title", "status"]
) | st.text(max_size=6)  # fmt: skip
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=12,
)


def planned(collection: Collection, fields: dict[str, Any]) -> str:
    try:
        plan(collection, Query(**fields), Limits())
    except Refusal as refusal:
        return refusal.code if refusal.path else "a refusal without its place"
    return "ok"


@settings(max_examples=examples(400), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(asked=st.dictionaries(names, json_values, max_size=3), sort=st.text(max_size=20), after=st.text(max_size=40))
def test_whatever_is_sent_is_planned_or_refused(asked: dict[str, Any], sort: str, after: str) -> None:
    for collection in (MESSAGES, CONVERSATIONS):
        for fields in ({"filter": asked}, {"sort": sort}, {"after": after}, {"group_by": sort}, {"fields": sort}):
            assert planned(collection, fields) in ("ok", "invalid", "too_large")
