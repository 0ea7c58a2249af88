"""What somebody who came later may see of what was said before (docs/adr/0008)."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from chatnode.node import Node
from chatnode.testing import LiveSession, User, refused


@attrs.frozen
class Late:
    """A private group with three messages from before eve came, and where they are."""

    room: str
    before: list[dict[str, Any]]


@pytest.fixture
async def late(ann: User, bob: User, eve: User) -> Late:
    room = await ann.group(bob, title="surprise for eve")
    before = [await ann.posts(room, f"secret {number} @eve") for number in (1, 2, 3)]
    await bob.call("receipts.read", conversation=room, seq=2)
    await ann.call("conversations.members.add", conversation=room, member="eve")
    return Late(room, before)


async def test_pages_begin_where_they_came_in(late: Late, ann: User, eve: User) -> None:
    assert await eve.reads(late.room) == []
    await ann.says(late.room, "welcome")
    for fields in ({}, {"after": 0}, {"before": 5}, {"after": 1, "before": 5}, {"limit": 1}):
        assert await eve.reads(late.room, **fields) == ["welcome"]
    for fields in ({"before": 4}, {"before": 2}, {"after": 0, "before": 4}, {"after": 4}):
        assert await eve.reads(late.room, **fields) == []
    assert await ann.reads(late.room, before=3) == ["secret 1 @eve", "secret 2 @eve"]


async def test_a_message_from_before_is_one_that_does_not_exist(late: Late, eve: User) -> None:
    answers = []
    for message in (late.before[0]["message"], "f" * 32):
        for command in ("messages.get", "receipts.list"):
            with refused("not_found", "message") as caught:
                await eve.call(command, message=message)
            answers.append(caught.value.as_json())
    assert all(answer == answers[0] for answer in answers)


async def test_the_inbox_shows_none_of_it(late: Late, ann: User, eve: User) -> None:
    mine = await eve.entry(late.room)
    assert "last" not in mine
    assert (mine["first"], mine["head"], mine["unread"], mine["mentions"]) == (4, 3, 0, 0)
    assert (await eve.call("conversations.get", conversation=late.room))["you"] == mine
    await ann.says(late.room, "welcome")
    mine = await eve.entry(late.room)
    assert (mine["last"]["text"], mine["unread"], mine["mentions"]) == ("welcome", 1, 0)


async def test_nothing_from_before_can_be_replied_to(late: Late, ann: User, eve: User) -> None:
    old = late.before[0]["message"]
    with refused("not_found", "reply_to"):
        await eve.says(late.room, "what was that?", reply_to=old)
    # Those who were there can, and the reply gives no more away than an id.
    await ann.says(late.room, "about the secret", reply_to=old)
    (message,) = (await eve.call("messages.list", conversation=late.room))["messages"]
    assert (message["reply_to"], message["text"]) == (old, "about the secret")


async def test_who_came_later_is_no_reader_of_what_they_cannot_see(late: Late, ann: User, eve: User) -> None:
    welcome = await ann.posts(late.room, "welcome")
    await eve.call("receipts.read", conversation=late.room, seq=welcome["seq"])

    async def readers(message: str) -> list[str]:
        listed = await ann.call("receipts.list", message=message)
        return [each["person"]["handle"] for each in listed["receipts"]]

    assert await readers(welcome["message"]) == ["eve"]
    assert await readers(late.before[0]["message"]) == ["bob"]


async def test_they_are_pushed_only_what_comes_after(node: Node, late: Late, ann: User, bob: User, eve: User) -> None:
    live = await LiveSession.of(node, eve)
    await bob.call("receipts.read", conversation=late.room, seq=3)
    await ann.says(late.room, "welcome")
    assert [push["event"] for push in live.heard()] == ["receipt.read", "message.posted"]
    assert "secret" not in str(live.heard())


async def test_who_leaves_and_comes_back_begins_anew(late: Late, ann: User, bob: User) -> None:
    await bob.call("conversations.leave", conversation=late.room)
    await ann.says(late.room, "while bob was away")
    await ann.call("conversations.members.add", conversation=late.room, member="bob")
    assert await bob.reads(late.room) == []
    mine = await bob.entry(late.room)
    assert (mine["first"], mine["unread"]) == (5, 0)


async def test_a_public_group_shows_all_of_it(ann: User, eve: User) -> None:
    garden = await ann.group(visibility="public")
    old = await ann.posts(garden, "roses @eve")
    await eve.call("conversations.join", conversation=garden)
    assert await eve.reads(garden) == ["roses @eve"]
    mine = await eve.entry(garden)
    assert (mine["first"], mine["last"]["text"], mine["unread"], mine["mentions"]) == (1, "roses @eve", 0, 0)
    await eve.says(garden, "red ones", reply_to=old["message"])


async def test_whoever_opens_a_group_can_say_otherwise(ann: User, eve: User) -> None:
    shows_all = await ann.group(history="all")
    hides = await ann.group(visibility="public", history="since_joining")
    for room in (shows_all, hides):
        await ann.says(room, "early")
    await ann.call("conversations.members.add", conversation=shows_all, member="eve")
    await eve.call("conversations.join", conversation=hides)
    assert (await eve.reads(shows_all), await eve.reads(hides)) == (["early"], [])


async def test_opening_a_private_group_to_all_shows_nobody_what_was_said_in_private(ann: User, eve: User) -> None:
    room = await ann.group()
    await ann.says(room, "in private")
    await ann.call("conversations.update", conversation=room, visibility="public")
    await eve.call("conversations.join", conversation=room)
    assert await eve.reads(room) == []
