"""What nobody means well: too long, half a character, all at once, and very many."""

from __future__ import annotations

import random

import pytest
import trio

from chatnode.config import Config, Limits
from chatnode.node import Node
from chatnode.testing import LiveSession, User, refused
from tests.plugins.reactions.reacting import assert_consistent, on, react
from tests.transport.clients import Http, bearer, serving


@pytest.fixture
def config() -> Config:
    return Config(limits=Limits(requests_per_minute=0), of_plugins={"reactions": {"changes_per_minute": 0}})


HOSTILE = {
    "a megabyte of one": "👍" * 250_000,
    "a megabyte of joiners": "👩" + "\u200d" * 300_000,
    "variation selectors without end": "❤" + "\ufe0f" * 300_000,
    "marks on marks": "👍" + "\u0301" * 1_000,
    "tags without end": "🏴" + "\U000e0067" * 10_000,
    "half a surrogate pair": "\ud83d",
    "turned around": "\u202e👍",
    "SQL": "'); DROP TABLE reactions_given; --",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
async def test_hostile_texts_are_refused_at_their_place(ann: User, bob: User, text: str) -> None:
    message = await ann.says(await ann.direct(bob), "well?")
    for name in ("reactions.add", "reactions.remove", "reactions.list"):
        with refused("invalid", "emoji") as told:
            await bob.call(name, message=message, emoji=text)
        assert len(told.value.message) < 200
    with refused("invalid", "emojis.0"):
        await bob.call("reactions.set", message=message, emojis=[text])
    with refused("invalid", "emojis"):
        await bob.call("reactions.set", message=message, emojis=["👍"] * 101)
    assert await on(ann, message) == {}


async def test_over_http_half_a_character_is_no_json(node: Node, ann: User) -> None:
    message = await ann.says(await ann.direct(ann), "well?")
    token = (await ann.call("tokens.create"))["token"]
    headers = {**bearer(token), "Content-Type": "application/json"}
    async with serving(node) as address, await Http.open(address) as http:
        for emoji, code in ((rb"\ud83d", "bad_json"), (rb"\ud83d\udc4d\u0000", "invalid"), (rb"\ud83d\udc4d", None)):
            body = b'{"message": "%b", "emoji": "%b"}' % (message.encode(), emoji)
            answer = await http.request("POST", "/v1/reactions.add", body, headers=headers)
            assert answer.json.get("error", {}).get("code") == code
        found = await http.request("GET", f"/v1/reactions.list?message={message}", headers=headers)
        assert found.json["counts"] == {"👍": 1}


async def test_many_at_once(node: Node, ann: User) -> None:
    """Thirty people add, replace and take back; what each has in the end is what counts."""
    people = [await User.new(node, f"p{number}") for number in range(30)]
    message = await ann.says(await ann.group(*people), "go")
    anns = await LiveSession.of(node, ann)
    chance = random.Random(7)

    async def play(who: User) -> None:
        for _ in range(10):
            if chance.random() < 0.3:
                await who.call("reactions.remove", message=message)
            else:
                await react(who, message, chance.choice("👍🎉😮😂"))

    async with trio.open_nursery() as nursery:
        for who in people:
            nursery.start_soon(play, who)
    await assert_consistent(node)
    given = (await ann.call("reactions.list", message=message, limit=500))["reactions"]
    counts = (await ann.call("reactions.list", message=message))["counts"]
    assert anns.heard()[-1]["counts"] == counts
    assert sum(counts.values()) == len(given) == len({each["person"]["id"] for each in given})


async def test_one_device_twice_at_once_has_one_reaction(node: Node, ann: User, bob: User) -> None:
    message = await ann.says(await ann.direct(bob), "well?")
    anns = await LiveSession.of(node, ann)
    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(react, bob, message, "👍")
    assert await on(ann, message) == {"👍": ["bob"]}
    assert len(anns.heard()) == 1


async def test_thousands_on_one_message(node: Node, ann: User) -> None:
    """As if by real people; then the message is deleted."""
    room = await ann.group()
    message = await ann.says(room, "who is there?")
    await node.core.db.write(
        lambda tx: tx.execute(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) "
            "INSERT INTO people (id, handle, name, role, created_at) "
            "SELECT printf('%032x', i), 'crowd' || i, 'Crowd', 'member', 0 FROM n"
        )
    )
    await node.core.db.write(
        lambda tx: tx.execute(
            "INSERT INTO reactions_given (message, person, emoji, at) "
            "SELECT m.key, p.key, CASE p.key % 3 WHEN 0 THEN '👍' WHEN 1 THEN '🎉' ELSE '😮' END, 0 "
            "FROM people p JOIN messages m ON m.id = ? WHERE p.handle LIKE 'crowd%'",
            (message,),
        )
    )
    counts = (await ann.call("reactions.list", message=message))["counts"]
    assert sum(counts.values()) == 5_000
    await react(ann, message, "👍")
    await ann.call("reactions.remove", message=message)
    found, after = 0, 0
    while True:
        page = await ann.call("reactions.list", message=message, emoji="🎉", after=after, limit=500)
        found += len(page["reactions"])
        if "next" not in page:
            break
        after = page["next"]
    assert found == counts["🎉"]
    await assert_consistent(node)
    await ann.call("messages.delete", message=message)
    await assert_consistent(node)
    assert {each.failures for each in node.plugins.statuses()} == {0}
