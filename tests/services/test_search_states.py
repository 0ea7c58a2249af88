"""Who finds what by operators and across pages, whatever is indexed: nothing, all of it, or what it was before."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from chatnode.config import Config, Search
from chatnode.model.times import DAY_MS, milliseconds, now_ms, rfc3339
from chatnode.node import Node
from chatnode.storage.engine import deadlines
from chatnode.storage.search import find as search
from chatnode.storage.search import index as search_index
from chatnode.testing import User, refused
from tests.storage import whole_index

from .test_importing import bring_in, channel, item
from .test_search import found

Index = Callable[[str], Any]
STATES = ("before", "after", "changed")


@pytest.fixture(params=STATES)
def config(request: pytest.FixtureRequest) -> Config:
    return Config(search=Search(shard_messages=4, batch_messages=2, removal_seconds=3_600))


def _no_batch(*_: object) -> bool:
    return False


@pytest.fixture
def index(node: Node, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Index:
    """Index what was said so far where the state of the test is that of `when`; nothing is indexed by itself."""
    monkeypatch.setattr(search_index, "index_batch", _no_batch)
    state = request.node.callspec.params["config"]
    small = node.core.config.search

    async def index(when: str) -> None:
        if when == state:
            await node.core.db.write(lambda tx: whole_index.rebuild(tx, small))

    return index


async def ids(who: User, query: str, **fields: Any) -> list[str]:
    page = await who.call("search.messages", query=query, **fields)
    return [hit["message"]["message"] for hit in page["results"]]


PLAN = {"file": "https://files.example/1", "name": "plan.png", "type": "image/png", "bytes": 9}
PLACE = {"latitude": 1.5, "longitude": 2.5, "name": "roses"}
TODAY, TOMORROW, YESTERDAY = (rfc3339(now_ms() + days * DAY_MS)[:10] for days in (0, 1, -1))


async def test_operators_find_no_deleted_message(ann: User, bob: User, index: Index) -> None:
    """Each operator finds the one of two alike that is left, and a deleted one by nothing."""
    garden = await ann.group(bob, title="garden")
    first = await ann.posts(garden, "first of all")
    left: dict[str, str] = {}
    gone: list[str] = []
    for name, fields in {
        "link": {"text": "https://roses.example"},
        "mention": {"text": "@bob"},
        "reply": {"text": "yes", "reply_to": first["message"]},
        "image": {"text": "", "kind": "image", "media": PLAN},
        "file": {"text": "", "kind": "file", "files": [PLAN, PLAN | {"file": "https://files.example/2"}]},
        "location": {"text": "", "kind": "location", "location": PLACE},
        "pin": {"text": "pinned"},
        "edit": {"text": "edited"},
    }.items():
        for keep in (True, False):
            said = await ann.says(garden, **fields)
            if name == "pin":
                await ann.call("messages.pin", message=said)
            if name == "edit":
                await ann.call("messages.edit", message=said, text="edited twice")
            if keep:
                left[name] = said
            else:
                gone.append(said)
    await index("changed")
    for message in gone:
        await ann.call("messages.delete", message=message)
    await index("after")
    for name, message in left.items():
        assert await ids(bob, f"has:{name}") == [message], name
    everything = [*reversed(left.values()), first["message"]]
    for query in ("from:ann", "in:garden", f"after:{YESTERDAY}", f"before:{TOMORROW}", "from:ann in:garden -nothing"):
        assert await ids(bob, query) == everything, query
    assert await ids(bob, "from:bob") == await ids(bob, f"before:{TODAY}") == await ids(bob, f"after:{TODAY}") == []


async def test_titles_of_conversations_that_one_left_are_not_known(
    ann: User, bob: User, eve: User, index: Index
) -> None:
    garden = await ann.group(bob, title="rose garden")
    await ann.says(garden, "red")
    await index("changed")
    await bob.call("conversations.leave", conversation=garden)
    await ann.says(garden, "red too")
    await index("after")
    for query in ("red in:garden", 'red in:"rose garden"', f"red in:{garden}"):
        with refused("invalid", "query") as unknown:
            await bob.call("search.messages", query=query)
        with refused("invalid", "query") as never:
            await eve.call("search.messages", query=query)
        assert str(unknown.value) == str(never.value)
    other = await bob.group(ann, title="garden of bob")
    await bob.says(other, "red again")
    assert await found(bob, "red in:garden") == await found(bob, "red") == ["[red] again"]
    assert await found(bob, "red from:ann") == []
    assert len(await found(ann, "red in:garden")) == 3


async def test_one_finds_only_what_is_from_after_one_came_in(ann: User, bob: User, index: Index) -> None:
    garden = await ann.group(title="garden", history="since_joining")
    await ann.says(garden, "red before")
    await index("changed")
    await ann.call("conversations.members.add", conversation=garden, member="bob")
    await ann.says(garden, "red after")
    await index("after")
    for query in ("red", "from:ann", "in:garden", f"after:{YESTERDAY}"):
        assert [each.replace("[", "").replace("]", "") for each in await found(bob, query)] == ["red after"]


async def test_what_retention_took_is_not_found(node: Node, ann: User, index: Index) -> None:
    garden = await ann.group(title="garden")
    kept = [await ann.says(garden, f"red {number}") for number in range(4)]
    await index("changed")
    await node.core.db.write(lambda tx: tx.execute("UPDATE conversations SET floor = 2 WHERE id = ?", (garden,)))
    await index("after")
    for query in ("red", "from:ann", "in:garden"):
        assert await ids(ann, query) == [kept[3], kept[2]]


async def test_who_takes_part_in_many_conversations_finds_in_each_and_in_no_other(
    node: Node, ann: User, bob: User, index: Index
) -> None:
    rooms = [await ann.group(title=f"room {number}") for number in range(search.FEW_CONVERSATIONS + 2)]
    for number in (0, 20, -1):
        await ann.says(rooms[number], f"red {number}")
    other = await bob.group(title="room of bob")
    await bob.says(other, "red of bob")
    await index("changed")
    await ann.call("conversations.leave", conversation=rooms[20])
    await index("after")
    assert await found(ann, "red") == ["[red] -1", "[red] 0"]
    assert await found(ann, "red in:room") == ["[red] -1", "[red] 0"]
    assert await found(bob, "red from:ann") == []


async def test_a_day_is_from_its_first_to_its_last_millisecond(node: Node, ann: User, index: Index) -> None:
    garden = await channel(node)
    begins = milliseconds("2020-02-29T00:00:00Z")
    times = {"eve": begins - 1, "first": begins, "last": begins + DAY_MS - 1, "next": begins + DAY_MS}
    await bring_in(
        node, garden, *({"cid": name, "author": "Ada", "at": at, "text": name} for name, at in times.items())
    )
    await index("after")
    assert await found(ann, "before:2020-02-29") == ["eve"]
    assert await found(ann, "after:2020-02-29") == ["next"]
    assert await found(ann, "after:2020-02-28 before:2020-03-01") == ["last", "first"]


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """The deadline of every search passes while its first part is looked at; parts are small."""
    clock = itertools.count(0, 1_000)
    monkeypatch.setattr(search, "CHUNK", 2)
    monkeypatch.setattr(search, "budget", partial(deadlines.budget, clock=lambda: next(clock)))
    monkeypatch.setattr(deadlines, "_STEPS_BETWEEN_LOOKS", 2**30)


@pytest.mark.parametrize("limit", [1, 2, 3, 50])
async def test_pages_that_the_deadline_ends_have_everything_once(
    node: Node, ann: User, index: Index, hasty: None, limit: int
) -> None:
    """Also messages of one import, which share a place in the log, and those that were edited since."""
    garden = await channel(node)
    await ann.call("conversations.join", conversation=garden)
    said = [await ann.says(garden, f"red {number}") for number in range(3)]
    await bring_in(node, garden, *(item(number, text="red, elsewhere") for number in range(5)))
    said += [await ann.says(garden, f"red {number}") for number in range(3, 6)]
    await index("changed")
    for edited in (said[0], said[4]):
        await ann.call("messages.edit", message=edited, text="red again")
    await index("after")
    await ann.says(garden, "red and not indexed")
    newest_first = [each["message"] for each in reversed(await all_of(ann, garden))]
    seen: list[str] = []
    page = await ann.call("search.messages", query="red", limit=limit)
    partial = 0
    while True:
        assert len(page["results"]) <= limit
        seen += [hit["message"]["message"] for hit in page["results"]]
        partial += page["partial"]
        if "next" not in page:
            break
        page = await ann.call("search.messages", query="red", limit=limit, after=page["next"])
    assert seen == newest_first
    assert partial >= 1


async def all_of(who: User, conversation: str) -> list[dict[str, Any]]:
    return (await who.call("messages.list", conversation=conversation, after=0))["messages"]
