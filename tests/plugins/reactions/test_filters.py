"""Reactions in `items.query`: the usual questions, and nobody learns more than what they may see."""

from __future__ import annotations

import json
from typing import Any

import pytest
from chatnode_reactions.collection import REACTIONS
from chatnode_reactions.emoji import EMOJI_OF, spellings_of, type_of

from chatnode.node import Node
from chatnode.testing import User, refused
from tests.filters.test_canaries import people_of, received
from tests.filters.test_plans import steps
from tests.plugins.reactions.reacting import react
from tests.services.dialogue import Visitor, outcome


async def rows(who: User, **fields: Any) -> list[dict[str, Any]]:
    return (await who.call("items.query", collection="message_reactions", **fields))["data"]


@pytest.fixture
async def message(ann: User, bob: User, eve: User) -> str:
    message = await ann.says(await ann.group(bob, eve), "who comes?")
    for who, emoji in ((bob, "👍🏽"), (ann, "🎉"), (eve, "🎉")):
        await react(who, message, emoji)
    return message


async def test_get_reactions_for_a_message(ann: User, message: str) -> None:
    of_it = {"message_id": {"_eq": message}}
    counted = await rows(ann, filter=of_it, group_by="reaction_emoji", sort="-count")
    assert counted == [{"reaction_emoji": "🎉", "count": 2}, {"reaction_emoji": "👍🏽", "count": 1}]
    found = await rows(ann, filter=of_it, sort="created_at,reaction_id", fields="user_handle,reaction_emoji")
    assert [(row["user_handle"], row["reaction_emoji"]) for row in found] == [
        ("bob", "👍🏽"), ("ann", "🎉"), ("eve", "🎉"),
    ]  # fmt: skip


async def test_check_if_a_user_reacted(ann: User, bob: User, message: str) -> None:
    for asked in ("$CURRENT_USER", "bob", bob.id):
        mine = {"message_id": {"_eq": message}, "user_id": {"_eq": asked}}
        assert [row["reaction_emoji"] for row in await rows(bob, filter=mine)] == ["👍🏽"]
    await bob.call("reactions.remove", message=message)
    assert await rows(ann, filter={"message_id": {"_eq": message}, "user_id": {"_eq": "bob"}}) == []


async def test_get_the_reaction_count_of_messages(ann: User, bob: User, message: str) -> None:
    [found] = (await ann.call("items.query", collection="messages", filter={"message_id": {"_eq": message}}))["data"]
    other = await ann.says(found["conversation_id"], "another")
    await react(bob, other, "👍")
    of_it = {"conversation_id": {"_eq": found["conversation_id"]}}
    assert await rows(ann, filter=of_it, group_by="message_id", sort="-count") == [
        {"message_id": message, "count": 3},
        {"message_id": other, "count": 1},
    ]


async def test_a_row_says_all_there_is(ann: User, bob: User, message: str) -> None:
    [row] = await rows(ann, filter={"reaction_type": {"_eq": "like"}})
    assert row == {
        "reaction_id": 1, "message_id": message, "conversation_id": row["conversation_id"], "sender_id": ann.id,
        "user_id": bob.id, "user_handle": "bob", "reaction_emoji": "👍🏽", "reaction_type": "LIKE",
        "created_at": row["created_at"],
    }  # fmt: skip
    [listed] = (await ann.call("reactions.list", message=message, emoji="👍🏽"))["reactions"]
    assert listed["at"] == row["created_at"]


async def test_types_are_those_of_the_commands(ann: User, bob: User, message: str) -> None:
    emojis = [*(spelling for type in EMOJI_OF for spelling in spellings_of(type)), "🦔", "💙"]
    for emoji in emojis:
        await react(bob, message, emoji)
        [row] = await rows(ann, filter={"user_id": {"_eq": "bob"}})
        assert (row["reaction_emoji"], row["reaction_type"]) == (emoji, type_of(emoji).upper())


async def test_only_what_one_sees(node: Node) -> None:
    """The emoji 🦤 is only on what "late" came after; 🦦 is on what all in the room see, 🦫 in a direct talk."""
    people = await people_of(node)
    owner, member = people["owner"], people["member"]
    room = await owner.group(member, people["ex-member"], title="room")
    before = await owner.says(room, "before")
    for who, emoji in ((owner, "🦤"), (people["ex-member"], "🦤")):
        await react(who, before, emoji)
    await owner.call("conversations.members.remove", conversation=room, member="ex-member")
    await owner.call("conversations.members.add", conversation=room, member="late")
    await react(member, await owner.says(room, "after"), "🦦")
    await react(owner, await owner.says(await owner.direct(people["other"]), "of us two"), "🦫")
    deleted = await owner.says(room, "deleted")
    await react(member, deleted, "🦖")
    await owner.call("messages.delete", message=deleted)
    met: dict[str, set[str]] = {}
    for name, who in people.items():
        text = await received(who.call, REACTIONS)
        met[name] = {bird for bird in "🦤🦦🦫🦖" if _escaped(bird) in text}
    nothing = {name: set[str]() for name in people}
    assert met == nothing | {"owner": set("🦤🦦🦫"), "member": set("🦤🦦"), "late": {"🦦"}, "other": {"🦫"}}


def _escaped(emoji: str) -> str:
    """As JSON writes it that has only ASCII."""
    return json.dumps(emoji).strip('"')


async def test_whoever_is_not_a_person_asks_for_nothing(node: Node) -> None:
    with refused("forbidden"):
        await node.call("items.query", collection="message_reactions")
    asked = Visitor(node).call("items.query", collection="message_reactions")
    assert await outcome(asked) == "unauthenticated"


@pytest.mark.parametrize(
    "asked",
    [
        {"filter": {"message_id": {"_eq": "0" * 32}}, "group_by": "reaction_emoji"},
        {"filter": {"message_id": {"_eq": "0" * 32}, "user_id": {"_eq": "$CURRENT_USER"}}},
        {"filter": {"user_id": {"_eq": "$CURRENT_USER"}}},
    ],
)
async def test_it_goes_by_an_index(node: Node, ann: User, asked: dict[str, Any]) -> None:
    planned = await steps(node, ann, "message_reactions", asked)
    assert [step for step in planned if step.startswith("SCAN") and "subquery" not in step] == []
    [found_by] = [step for step in planned if step.startswith("SEARCH reaction ")]
    assert "USING INDEX" in found_by or "USING COVERING INDEX" in found_by
