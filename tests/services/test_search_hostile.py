"""Searching against the grain: hostile queries, and searches while everything changes."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatnode.config import Config, Limits, Search
from chatnode.errors import Refusal
from chatnode.node import Node, open_node
from chatnode.storage.search import index as search_index
from chatnode.testing import User, refused
from tests.storage import whole_index

from .dialogue import assert_sound, fill

UNLIMITED = Limits(posts_per_minute=0)
RESTLESS = Config(limits=UNLIMITED, search=Search(batch_messages=7, shard_messages=20, removal_seconds=0))
"""So small parts that indexing and making anew never end."""


async def texts_found(who: User, query: str, **fields: object) -> list[str]:
    answer = await who.call("search.messages", query=query, limit=500, **fields)
    assert not answer["partial"]
    return [hit["message"]["text"] for hit in answer["results"]]


# ---- queries


pieces = st.sampled_from(
    ["a*", '"', '""', "-", "*", ":", "from:", "from:ann", "in:x", "has:link", "before:", "after:9999-12-31", "AND",
     "OR", "NOT", "NEAR(a b)", "a:b", "{", "}", "(", ")", "^a", "+", "\0", "\ue000m", "words", "%", "_", "'", ";--",
     "東", "東京*", "ก", "\u0301", "\u200b", "🎉", "before:0001-01-01", '-"x y"', "\ud7a3", "0" * 300]
)  # fmt: skip
queries = st.lists(pieces | st.text(max_size=5), min_size=1, max_size=12).map(" ".join) | st.text(max_size=60)


@pytest.fixture
async def indexed(node: Node, ann: User, bob: User) -> None:
    room = await ann.group(bob, title="x")
    for text in ("a b words", "東京 wörds", "a:b 'quoted'; -- NOT AND OR"):
        await ann.says(room, text)
    await node.core.db.write(whole_index.rebuild)
    await bob.says(room, "not indexed: words")


async def test_no_query_breaks_the_search(indexed: None, ann: User) -> None:
    """Every query is answered or refused with its place; hypothesis makes them, in one node."""
    made: list[str] = []

    @settings(max_examples=400, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(queries)
    def collect(query: str) -> None:
        made.append(query)

    collect()
    for query in made:
        refusal: Refusal | None = None
        try:
            await ann.call("search.messages", query=query)
        except Refusal as raised:
            refusal = raised
        assert refusal is None or (refusal.code, refusal.path) == ("invalid", "query"), query


@pytest.mark.parametrize("config", [Config(search=Search(parts=0))], ids=["no limit"])
async def test_as_many_parts_as_a_query_can_have(indexed: None, ann: User) -> None:
    for query in (
        " ".join("abcdefghij"[number % 10] for number in range(500)),
        " ".join("-a" for _ in range(333)),
        "a " + "from:ann " * 110,
        "a " + "in:x " * 190,
        "a " + "has:link " * 110,
        '"' + "a " * 490 + '"',
        "a* " * 333,
        "東" * 1_000,
        '"' + "東 " * 490 + '"*',
        "x" * 1_000,
        "-" * 999 + "a",
    ):
        await texts_found(ann, query)


async def test_a_query_that_is_too_long_is_refused(ann: User) -> None:
    with refused("invalid", "query"):
        await ann.call("search.messages", query="a" * 1_001)
    with refused("invalid", "query"):
        await ann.call("search.messages", query=" ".join(["a"] * 33))


async def test_a_word_of_every_message_gives_pages(node: Node, ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    await fill(ann, talk, "alphabet", 300)
    await node.core.db.write(whole_index.rebuild)
    for query in ("alphabet", "a*", f"in:{talk}", "from:ann", "-nothing a*"):
        assert len(await texts_found(bob, query)) == 300


# ---- what changes meanwhile


@pytest.mark.parametrize("config", [RESTLESS], ids=["restless"])
async def test_nobody_finds_what_is_gone_while_everything_changes(node: Node, ann: User, bob: User, eve: User) -> None:
    """Edited, deleted, removed or left: from the moment that is acknowledged, no search that begins shows it."""
    room = await ann.group(bob, title="busy")
    gone: dict[str, set[str]] = {"bob": set(), "eve": set()}
    kept: dict[str, set[str]] = {"bob": set(), "eve": set()}
    finished = trio.Event()

    async def talk() -> None:
        for number in range(120):
            text = f"needle of day {number}"
            kept["bob"].add(text)  # may be found from now on
            message = await ann.says(room, text)
            if number % 3 == 0:
                await ann.call("messages.edit", message=message, text=f"nothing {number}")
                gone["bob"].add(text)
            elif number % 3 == 1:
                await ann.call("messages.delete", message=message)
                gone["bob"].add(text)
        finished.set()

    async def come_and_go() -> None:
        while not finished.is_set():
            await ann.call("conversations.members.add", conversation=room, member="eve")
            await trio.sleep(0.01)
            await eve.call("conversations.leave", conversation=room)
            assert await texts_found(eve, "needle") == []

    async def look() -> None:
        while not finished.is_set():
            known = set(gone["bob"])
            assert not known & set(await texts_found(bob, "needle"))

    with trio.fail_after(120):
        async with trio.open_nursery() as nursery:
            for task in (talk, come_and_go, look, look):
                nursery.start_soon(task)
    assert set(await texts_found(bob, "needle")) == kept["bob"] - gone["bob"]
    await assert_sound(node)


async def test_who_comes_back_finds_what_history_shows_them(node: Node, ann: User, bob: User, eve: User) -> None:
    for history in ("all", "since_joining"):
        room = await ann.group(bob, eve, history=history, title=history)
        for step in ("before", "while away", "after"):
            if step == "while away":
                await eve.call("conversations.leave", conversation=room)
            if step == "after":
                await ann.call("conversations.members.add", conversation=room, member="eve")
            await ann.says(room, f"heron {step}")
            await node.core.db.write(whole_index.rebuild)
        shown = [each["text"] for each in (await eve.call("messages.list", conversation=room))["messages"]]
        found = await texts_found(eve, "heron", conversation=room)
        assert found[::-1] == [text for text in shown if "heron" in text]


async def test_blocking_hides_no_more_from_search_than_from_history(node: Node, ann: User, bob: User) -> None:
    talk, room = await ann.direct(bob), await ann.group(bob)
    for place in (talk, room):
        await ann.says(place, f"heron in {place}")
    await bob.call("people.block", person="ann")
    for place in (talk, room):
        shown = [each["text"] for each in (await bob.call("messages.list", conversation=place))["messages"]]
        assert await texts_found(bob, "heron", conversation=place) == shown


# ---- an index that is behind


async def test_a_node_that_was_long_without_search_catches_up_while_it_searches(tmp_path: Path) -> None:
    """So does a database from before there was an index."""
    data = tmp_path / "data"
    async with open_node(data, Config(limits=UNLIMITED, search=Search(enabled=0))) as node:
        ann, bob = await User.new(node, "ann"), await User.new(node, "bob")
        talk = await ann.direct(bob)
        await fill(ann, talk, "kingfisher", 400)
        assert await node.core.db.read(search_index.waiting) == 400
    async with open_node(data, Config(limits=UNLIMITED, search=Search(batch_messages=10, shard_messages=50))) as node:
        bob = User(node, bob.account)
        assert len(await texts_found(bob, "kingfisher")) == 400
        with trio.fail_after(30):
            while await node.core.db.read(search_index.waiting):
                assert len(await texts_found(bob, "kingfisher")) == 400
        assert (await node.health())[1]["search"] == {"status": "ok", "waiting": 0}
        assert len(await texts_found(bob, "kingfisher")) == 400
        await assert_sound(node)


async def test_a_broken_index_does_not_break_the_node(node: Node, ann: User, bob: User) -> None:
    """A damaged part fails the search, is named by the check, and is made anew; writing never notices."""
    talk = await ann.direct(bob)
    await ann.says(talk, "a heron")
    await node.core.db.write(whole_index.rebuild)
    (shard,) = await node.core.db.read(search_index.shards)
    await node.core.db.write(lambda tx: tx.execute(f"UPDATE {shard.table}_data SET block = x'ff' WHERE id > 10"))
    await ann.says(talk, "another heron")
    with refused("unavailable"):
        await texts_found(bob, "heron")
    checked = await node.call("node.check")
    assert "search" in {check["name"] for check in checked["checks"] if check["problems"]}
    assert (await node.call("node.repair"))["clean"]
    assert await texts_found(bob, "heron") == ["another heron", "a heron"]
