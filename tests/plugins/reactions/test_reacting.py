"""People react, change their mind and take it back; everybody who sees the message hears of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatnode.config import Config
from chatnode.node import Node, open_node
from chatnode.testing import LiveSession, User, refused
from tests.plugins.reactions.reacting import assert_consistent, listed, on, react, with_reactions


@pytest.fixture
async def talk(ann: User, bob: User) -> str:
    return await ann.direct(bob)


@pytest.fixture
async def message(ann: User, talk: str) -> str:
    """What Ann says to Bob."""
    return await ann.says(talk, "shall we?")


async def test_the_other_one_hears_of_it_and_sees_it(node: Node, ann: User, bob: User, talk: str, message: str) -> None:
    anns, bobs = await LiveSession.of(node, ann), await LiveSession.of(node, bob)
    given = await react(bob, message, "👍")
    assert given == {
        "message": message,
        "mine": ["👍"],
        "reactions": [
            {"emoji": "👍", "type": "like", "count": 1, "people": [{"id": bob.id, "handle": "bob"}]},
        ],
    }
    [heard] = anns.heard()
    [own] = bobs.heard()  # on his other devices
    assert own == heard
    assert heard["event"] == "reaction.changed"
    assert (heard["conversation"], heard["message"]) == (talk, message)
    assert heard["person"] == {"id": bob.id, "handle": "bob"}
    assert (heard["emojis"], heard["counts"]) == (["👍"], {"👍": 1})
    [shown] = (await ann.call("messages.list", conversation=talk))["messages"]
    assert shown["extra"] == {"reactions": given["reactions"]}
    [reaction] = (await ann.call("reactions.list", message=message))["reactions"]
    assert (reaction["person"]["handle"], reaction["emoji"], reaction["type"]) == ("bob", "👍", "like")
    assert reaction["at"] == heard["at"]


async def test_another_one_replaces_it(node: Node, ann: User, bob: User, message: str) -> None:
    anns = await LiveSession.of(node, ann)
    await react(bob, message, "👍")
    await react(ann, message, "🎉")
    await react(bob, message, "😮")
    assert await on(ann, message) == {"🎉": ["ann"], "😮": ["bob"]}
    assert [each["counts"] for each in anns.heard()] == [{"👍": 1}, {"👍": 1, "🎉": 1}, {"🎉": 1, "😮": 1}]
    await assert_consistent(node)


async def test_the_same_again_changes_nothing_and_tells_nobody(node: Node, ann: User, bob: User, message: str) -> None:
    anns = await LiveSession.of(node, ann)
    first = await react(bob, message, "❤️")
    assert await react(bob, message, "❤") == first
    assert await bob.call("reactions.set", message=message, emojis=["❤", "❤️"]) == first
    await ann.call("reactions.remove", message=message)
    await bob.call("reactions.remove", message=message, emoji="👍")
    assert len(anns.heard()) == 1


async def test_taking_it_back(node: Node, ann: User, bob: User, message: str) -> None:
    await react(bob, message, "👍")
    anns = await LiveSession.of(node, ann)
    assert await bob.call("reactions.remove", message=message) == {"message": message, "mine": [], "reactions": []}
    [heard] = anns.heard()
    assert (heard["emojis"], heard["counts"]) == ([], {})
    shown = (await ann.call("messages.get", message=message))["message"]
    assert "extra" not in shown
    await assert_consistent(node)


async def test_a_type_stands_for_its_emoji(ann: User, bob: User, message: str) -> None:
    emoji = {"like": "👍", "love": "❤️", "laugh": "😂", "sad": "😢", "angry": "😡", "wow": "😮"}
    for type, each in emoji.items():
        given = await bob.call("reactions.add", message=message, type=type)
        assert [(shown["emoji"], shown["type"]) for shown in given["reactions"]] == [(each, type)]
    given = await bob.call("reactions.add", message=message, type="custom", emoji="🦔")
    assert [(shown["emoji"], shown["type"]) for shown in given["reactions"]] == [("🦔", "custom")]
    await react(ann, message, "👍🏽")
    assert (await bob.call("reactions.remove", message=message, type="like"))["mine"] == ["🦔"]
    assert (await bob.call("reactions.remove", message=message, type="custom"))["mine"] == []
    assert await on(bob, message) == {"👍🏽": ["ann"]}


async def test_what_is_asked_for_must_be_clear(bob: User, message: str) -> None:
    with refused("invalid", "emoji") as told:
        await bob.call("reactions.add", message=message)
    assert told.value.message == "emoji is missing; give an emoji or a type"
    with refused("invalid", "emoji") as told:
        await bob.call("reactions.add", message=message, type="custom")
    assert told.value.message == "custom has no emoji of its own; give one"
    with refused("invalid", "type") as told:
        await bob.call("reactions.add", message=message, type="love", emoji="👍")
    assert told.value.message == "👍 is of the type like"
    with refused("invalid", "type"):
        await bob.call("reactions.add", message=message, type="meh")
    with refused("invalid", "emoji"):
        await react(bob, message, "great")
    with refused("invalid", "emojis.1"):
        await bob.call("reactions.set", message=message, emojis=["👍", "+1"])
    with refused("invalid", "emoji"):
        await bob.call("reactions.list", message=message, emoji="+1")


@with_reactions(per_person=3)
async def test_several_of_one_person(node: Node, ann: User, bob: User, message: str) -> None:
    for emoji in ("👍", "🎉", "😮"):
        await react(bob, message, emoji)
    assert (await react(bob, message, "👍"))["mine"] == ["👍", "🎉", "😮"]
    with refused("too_large", "emoji") as told:
        await react(bob, message, "😂")
    assert told.value.message == "you have 3 reactions here, which is the maximum; remove one first"
    await react(ann, message, "🎉")
    anns = await LiveSession.of(node, ann)
    given = await bob.call("reactions.set", message=message, emojis=["😢", "🎉"])
    assert given["mine"] == ["🎉", "😢"]  # what stays keeps its place and its time
    [heard] = anns.heard()
    assert (heard["emojis"], heard["counts"]) == (["🎉", "😢"], {"🎉": 2, "😢": 1})
    with refused("too_large", "emojis"):
        await bob.call("reactions.set", message=message, emojis=["👍", "🎉", "😮", "😂"])
    assert (await bob.call("reactions.remove", message=message, emoji="🎉"))["mine"] == ["😢"]
    assert (await bob.call("reactions.remove", message=message))["mine"] == []
    assert await on(bob, message) == {"🎉": ["ann"]}
    await assert_consistent(node)


async def test_fewer_by_setting_takes_nothing_away(tmp_path: Path, config: Config) -> None:
    async with open_node(tmp_path / "data", Config(of_plugins={"reactions": {"per_person": 3}})) as node:
        ann = await User.new(node, "ann")
        message = await ann.says(await ann.direct(ann), "note")
        await ann.call("reactions.set", message=message, emojis=["👍", "🎉", "😮"])
    async with open_node(tmp_path / "data", config) as node:
        ann.node = node
        assert (await react(ann, message, "🎉"))["mine"] == ["👍", "🎉", "😮"]
        assert (await react(ann, message, "😂"))["mine"] == ["😂"]


async def test_the_order_is_that_of_the_first_reaction(node: Node, ann: User, bob: User, eve: User) -> None:
    others = [await User.new(node, handle) for handle in ("fay", "gus")]
    room = await ann.group(bob, eve, *others)
    message = await ann.says(room, "who comes?")
    for who, emoji in ((eve, "🎉"), (bob, "👍"), (ann, "🎉"), (others[0], "🎉"), (others[1], "🎉")):
        await react(who, message, emoji)
    assert await on(ann, message) == {"🎉": ["eve", "ann", "fay"], "👍": ["bob"]}
    await eve.call("reactions.remove", message=message)
    assert await on(ann, message) == {"👍": ["bob"], "🎉": ["ann", "fay", "gus"]}
    await react(eve, message, "🎉")
    assert await on(ann, message) == {"👍": ["bob"], "🎉": ["ann", "fay", "gus"]}
    await assert_consistent(node)


async def test_who_reacted_page_by_page(node: Node, ann: User) -> None:
    people = [await User.new(node, f"p{number}") for number in range(7)]
    room = await ann.group(*people)
    message = await ann.says(room, "hands up")
    for number, person in enumerate(people):
        await react(person, message, "🎉" if number % 3 else "👍🏽")
    found, after = [], 0
    while True:
        page = await ann.call("reactions.list", message=message, after=after, limit=3)
        assert page["counts"] == {"👍🏽": 3, "🎉": 4}
        found += [each["person"]["handle"] for each in page["reactions"]]
        if "next" not in page:
            break
        after = page["next"]
    assert found == [person.handle for person in people]
    assert await listed(ann, message, emoji="👍🏽") == [("p0", "👍🏽"), ("p3", "👍🏽"), ("p6", "👍🏽")]
    assert await listed(ann, message, type="like") == await listed(ann, message, emoji="👍🏽")
    assert [handle for handle, _ in await listed(ann, message, type="custom")] == ["p1", "p2", "p4", "p5"]
    assert await listed(ann, message, emoji="👍") == []


async def test_did_i_react(ann: User, bob: User, eve: User, talk: str) -> None:
    messages = [await ann.says(talk, f"{number}") for number in range(3)]
    await react(bob, messages[0], "👍")
    await react(bob, messages[2], "🎉")
    await react(ann, messages[1], "👍")
    asked = [*messages, messages[0], "0" * 32]
    mine = (await bob.call("reactions.mine", messages=asked))["messages"]
    assert sorted(mine, key=lambda each: messages.index(each["message"])) == [
        {"message": messages[0], "emojis": ["👍"]},
        {"message": messages[2], "emojis": ["🎉"]},
    ]
    assert await eve.call("reactions.mine", messages=asked) == {"messages": []}


@with_reactions(emoji_per_message=2)
async def test_a_message_has_only_so_many_different_emoji(ann: User, bob: User, eve: User) -> None:
    message = await ann.says(await ann.group(bob, eve), "well?")
    await react(ann, message, "👍")
    await react(bob, message, "🎉")
    await react(eve, message, "👍")
    with refused("too_large", "emoji"):
        await react(eve, message, "😮")
    with refused("too_large", "emojis"):
        await eve.call("reactions.set", message=message, emojis=["😮"])
    await react(bob, message, "😮")  # his own made room for it
    assert await on(ann, message) == {"👍": ["ann", "eve"], "😮": ["bob"]}


@with_reactions(changes_per_minute=2)
async def test_the_rate_is_limited(bob: User, message: str) -> None:
    await react(bob, message, "👍")
    await react(bob, message, "🎉")
    with refused("rate_limited") as told:
        await bob.call("reactions.remove", message=message)
    assert told.value.message == "too many reactions; at most 2 a minute"
    assert await on(bob, message) == {"🎉": ["bob"]}


async def test_a_setting_that_is_wrong_is_named(tmp_path: Path) -> None:
    async with open_node(tmp_path / "data", Config(of_plugins={"reactions": {"per_person": 0}})) as node:
        [status] = [each for each in node.plugins.statuses() if each.name == "reactions"]
    assert status.state == "broken"
    assert "plugins.reactions.per_person" in str(status.reason)


async def test_what_shows_a_message_shows_its_reactions(node: Node, ann: User, bob: User, talk: str) -> None:
    root = await ann.says(talk, "a heron at the pond")
    reply = await bob.says(talk, "where", thread=root)
    await react(bob, root, "👍")
    await react(ann, reply, "🎉")
    await ann.call("messages.pin", message=root)
    anns = await LiveSession.of(node, ann)
    await ann.call("messages.edit", message=root, text="two herons")
    expected = (await ann.call("messages.get", message=root))["message"]["extra"]
    shown = {
        "messages.list": (await ann.call("messages.list", conversation=talk))["messages"][0],
        "messages.pinned": (await ann.call("messages.pinned", conversation=talk))["messages"][0],
        "message.edited": anns.heard("message.edited")[0]["message"],
        "search": (await ann.call("search.messages", query="herons"))["results"][0]["message"],
    }
    assert {place: message.get("extra") for place, message in shown.items()} == dict.fromkeys(shown, expected)
    [in_thread] = (await ann.call("messages.thread", message=root))["messages"]
    assert in_thread["extra"]["reactions"][0]["emoji"] == "🎉"
    [inbox] = (await bob.call("inbox.list"))["conversations"]
    assert inbox["last"]["extra"]["reactions"][0]["emoji"] == "🎉"


async def test_a_page_without_reactions_says_nothing_of_them(ann: User, message: str, talk: str) -> None:
    [shown] = (await ann.call("messages.list", conversation=talk))["messages"]
    assert "extra" not in shown
