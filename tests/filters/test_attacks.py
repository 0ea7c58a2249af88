"""Cursors of others and made-up ones, pages while rows come in, letters and times in unusual forms."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatnode.config import Limits
from chatnode.errors import Refusal
from chatnode.model.times import rfc3339
from chatnode.node import Node
from chatnode.storage.filters.kinds import Fault, Timestamp
from chatnode.storage.filters.query import Plan, Query, plan
from chatnode.testing import User
from tests.declared import COLLECTIONS
from tests.filters.neighbourhood import Neighbourhood, settle
from tests.quick import examples
from tests.services.dialogue import outcome


@pytest.fixture
async def there(node: Node) -> Neighbourhood:
    return await settle(node)


# ---- cursors


async def test_the_cursor_of_somebody_else_shows_only_what_is_ones_own(there: Neighbourhood) -> None:
    """Bob's cursor stands in the hidden group: to ann it is a place in the order of what she may see."""
    mine = await there.rows(there.ann, "messages", sort="-created_at,message_id")
    page = await there.bob.call("items.query", collection="messages", sort="-created_at,message_id", limit=1)
    rows = await there.rows(there.ann, "messages", sort="-created_at,message_id", after=page["next"])
    assert rows
    assert all(row in mine for row in rows)


async def test_a_cursor_goes_on_under_another_filter(there: Neighbourhood) -> None:
    """It is a place, not a question: what comes after it is chosen by the filter that is sent now."""
    page = await there.ann.call("items.query", collection="messages", sort="gid", limit=3)
    asked = {"conversation_id": {"_eq": there.plans}}
    rows = await there.rows(there.ann, "messages", sort="gid", filter=asked, after=page["next"])
    last = page["data"][-1]["gid"]
    whole = await there.rows(there.ann, "messages", sort="gid", filter=asked)
    assert rows == [row for row in whole if row["gid"] > last]


def cursor_of(place: Plan, values: list[Any]) -> str:
    """As they are made, of whatever values."""
    names = ",".join("-" * key.descending + key.field.name for key in place.keys)
    text = json.dumps([f"{place.place}:{names}", *values])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


odd = st.one_of(
    st.none(), st.booleans(), st.floats(allow_nan=False), st.integers(), st.text(max_size=5),
    st.sampled_from([2**63, 2**64, -(2**63) - 1]),
    st.sampled_from(["\0", "' OR 1=1 --", ":me", "9" * 40]), st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=2), st.none(), max_size=1),
)  # fmt: skip


async def test_made_up_cursors_are_refused_or_are_places(there: Neighbourhood) -> None:
    sent: list[tuple[str, str, str]] = []

    @settings(max_examples=150, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.data())
    def collect(data: st.DataObject) -> None:
        collection = data.draw(st.sampled_from(COLLECTIONS))
        name = data.draw(st.sampled_from([field.name for field in collection.fields if field.sorts]))
        sort = data.draw(st.sampled_from(["", "-"])) + name
        place = plan(collection, Query(sort=sort), Limits())
        values = data.draw(st.lists(odd, min_size=len(place.keys), max_size=len(place.keys)))
        sent.append((collection.name, sort, cursor_of(place, values)))

    collect()
    for name, sort, cursor in sent:
        for who in (there.ann, there.root):
            asked = who.call("items.query", collection=name, sort=sort, after=cursor)
            assert await outcome(asked) in ("ok", "invalid", "forbidden"), (name, sort, cursor)


# ---- pages while rows come in


async def test_rows_that_are_alike_come_once_each_while_others_are_added(node: Node, ann: User, bob: User) -> None:
    """All sort keys are alike: whatever is there from the first page to the last is met exactly once."""
    talk, other = await ann.direct(bob), await bob.group(ann)
    for number in range(23):
        await bob.says((talk, other)[number % 2], f"old {number}")
    before = {row["message_id"] for row in (await ann.call("items.query", collection="messages"))["data"]}
    for sort in ("message_type", "-is_deleted", "edit_count,-sender_handle", "-created_at"):
        met: list[str] = []
        after: dict[str, str] = {}
        while True:
            page = await ann.call("items.query", collection="messages", sort=sort, limit=4, **after)
            met += [row["message_id"] for row in page["data"]]
            if "next" not in page:
                break
            after = {"after": page["next"]}
            if len(met) < 40:
                await bob.says(talk, "new")
        assert len(met) == len(set(met)), sort
        assert before <= set(met), sort


async def test_groups_come_once_each_while_their_counts_grow(node: Node, ann: User, bob: User) -> None:
    rooms = [await bob.group(ann, title=str(number)) for number in range(7)]
    for room in rooms:
        await bob.says(room, "hello")
    met: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = await ann.call("items.query", collection="messages", group_by="conversation_id", limit=2, **after)
        met += [row["conversation_id"] for row in page["data"]]
        if "next" not in page:
            break
        after = {"after": page["next"]}
        await bob.says(rooms[0], "again")
    assert sorted(met) == sorted(rooms)


# ---- letters


@pytest.mark.parametrize(
    ("said", "asked", "found"),
    [
        ("Straße", "STRASSE", True),
        ("ΟΔΟΣ", "οδος", True),  # a final sigma is a sigma
        ("İstanbul", "i̇stanbul", True),
        ("cafe\N{COMBINING ACUTE ACCENT}", "CAFÉ", True),  # as some keyboards compose it
        ("CAFÉ", "cafe\N{COMBINING ACUTE ACCENT}", True),
        ("café", "cafe", False),  # search drops accents, filters do not
        ("ｆｕｌｌ", "full", True),
        ("привет", "ПРИВЕТ", True),
        ("100%", "%", True),
        ("100", "%", False),
        ("a_b", "A_B", True),
        ("axb", "a_b", False),
        ("a\\b", "\\", True),
        ("a*b?[c]", "*B?[C]", True),
        ("acb", "a*b", False),
    ],
)
async def test_letters_of_either_case_are_found_and_signs_mean_themselves(
    ann: User, bob: User, said: str, asked: str, found: bool
) -> None:
    await bob.says(await ann.direct(bob), said)
    page = await ann.call("items.query", collection="messages", filter={"message_text": {"_icontains": asked}})
    assert [row["message_text"] for row in page["data"]] == [said] * found


async def test_exact_means_exact(ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    for text in ("Apple", "apple", "applesauce", "an apple", "100% apple"):
        await bob.says(talk, text)
    for asked, found in (
        ({"_eq": "apple"}, {"apple"}),
        ({"_starts_with": "apple"}, {"apple", "applesauce"}),
        ({"_contains": "apple"}, {"apple", "applesauce", "an apple", "100% apple"}),
        ({"_starts_with": "100%"}, {"100% apple"}),
        ({"_starts_with": "%"}, set[str]()),
        ({"_contains": ""}, {"Apple", "apple", "applesauce", "an apple", "100% apple"}),
    ):
        page = await ann.call("items.query", collection="messages", filter={"message_text": asked})
        assert {row["message_text"] for row in page["data"]} == found, asked


# ---- times

MOMENT = 1_700_000_000_123


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2023-11-14T22:13:20.123Z", MOMENT),
        ("2023-11-14t22:13:20.123z", MOMENT),
        ("2023-11-14 22:13:20.123Z", MOMENT),
        ("2023-11-14T22:13:20.123999Z", MOMENT),
        ("2023-11-14T22:13:20.1Z", MOMENT - 23),
        ("2023-11-14T22:13:20Z", MOMENT - 123),
        ("2023-11-15T00:13:20.123+02:00", MOMENT),
        ("2023-11-14T16:43:20.123-05:30", MOMENT),
        ("2023-11-15T22:12:20.123+23:59", MOMENT),
        ("2024-02-29T00:00:00Z", 1_709_164_800_000),
        ("1969-12-31T23:59:59.999Z", -1),
        ("1969-12-31T23:59:59.9999Z", -1),
        ("0001-01-01T00:00:00Z", -62_135_596_800_000),
        ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        (MOMENT, MOMENT),
        (-1, -1),
    ],
)
def test_times_are_taken_in_every_usual_form(text: Any, ms: int) -> None:
    assert Timestamp().operand(text, 1000).value == ms


@pytest.mark.parametrize(
    "text",
    [
        "2023-11-14", "22:13:20Z", "2023-11-14T22:13Z", "2023-11-14T22:13:20", "2023-11-14T22:13:20.Z",
        "2023-11-14T22:13:20+0200", "2023-11-14T22:13:20+2", "2023-11-14T22:13:20 00:00", "2023-11-14T22:13:20+24:00",
        "2023-11-14T22:13:20+00:60", "2023-11-14T24:00:00Z", "2023-11-14T22:60:00Z", "2016-12-31T23:59:60Z",
        "2023-02-29T00:00:00Z", "2023-13-01T00:00:00Z", "2023-00-01T00:00:00Z", "0000-01-01T00:00:00Z",
        "10000-01-01T00:00:00Z", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59.999-00:01",
        "2023-11-14T22:13:20.1234567890Z", "٢٠٢٣-11-14T22:13:20Z", "2023-W46-2T22:13:20Z", " 2023-11-14T22:13:20Z",
        "2023-11-14T22:13:20Z\n", "+2023-11-14T22:13:20Z", "$NOW", "now", "", "1700000000123", 1.7e12, True, None, [],
        {}, 2**63, -(2**63), 253_402_300_800_000, "Z" * 999,
    ],
)  # fmt: skip
def test_what_is_no_time_is_refused(text: Any) -> None:
    with pytest.raises(Fault, match=r"takes a time|at most"):
        Timestamp().operand(text, 1000)


@settings(max_examples=examples(300), deadline=None)
@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_a_time_as_it_is_shown_is_taken_back(ms: int) -> None:
    assert Timestamp().operand(rfc3339(ms), 1000).value == ms


# ---- numbers


@pytest.mark.parametrize("number", [2**53, 2**63 - 1, 2**63, 2**64, -(2**63), 10**30, 0.5, 1.0, 1e300, "1", True])
def test_numbers_that_are_not_whole_or_too_long_are_refused(number: Any) -> None:
    messages = next(each for each in COLLECTIONS if each.name == "messages")
    for asked in ({"_eq": number}, {"_in": [1, number]}, {"_between": [0, number]}, {"_lt": number}):
        with pytest.raises(Refusal) as caught:
            plan(messages, Query(filter={"seq": asked}), Limits())
        assert caught.value.code == "invalid"
        assert caught.value.path is not None
        assert caught.value.path.startswith("filter.seq.")
