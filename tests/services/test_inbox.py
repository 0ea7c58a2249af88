"""The inbox: what is new, where, in order."""

from __future__ import annotations

from typing import Any

from chatnode.node import Node
from chatnode.testing import User

from .dialogue import with_limits


async def titles(who: User, **fields: Any) -> list[str]:
    inbox = await who.call("inbox.list", **fields)
    return [each["title"] for each in inbox["conversations"]]


async def test_an_inbox_is_empty_at_first(ann: User) -> None:
    assert await ann.call("inbox.list") == {"conversations": []}


async def test_an_entry_says_what_one_needs_to_know(ann: User, bob: User, eve: User) -> None:
    room = await ann.group(bob, eve, title="picnic")
    await ann.says(room, "who brings bread?")
    last = await ann.posts(room, "@bob?")
    await bob.call("receipts.delivered", conversation=room, seq=1)
    mine = await bob.entry(room)
    message = mine.pop("last")
    assert (message["text"], message["message"]) == ("@bob?", last["message"])
    assert mine == {
        "conversation": room, "kind": "group", "title": "picnic", "visibility": "private", "role": "member",
        "head": 2, "first": 1, "read_seq": 0, "delivered_seq": 1, "unread": 2, "mentions": 1, "members": 3,
        "activity": last["gid"],
    }  # fmt: skip


async def test_a_direct_conversation_is_named_after_the_other(ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    for who, other in ((ann, bob), (bob, ann)):
        mine = await who.entry(talk)
        assert (mine["title"], mine["peer"]) == (other.handle, {"id": other.id, "handle": other.handle})


async def test_the_latest_activity_comes_first(ann: User, bob: User) -> None:
    first, second = await ann.group(bob, title="first"), await ann.group(bob, title="second")
    assert await titles(bob) == ["second", "first"]
    await ann.says(first, "hello")
    assert await titles(bob) == ["first", "second"]
    await bob.direct(ann)
    assert await titles(bob) == ["ann", "first", "second"]
    # Reading, renaming and coming and going are no activity.
    await bob.call("receipts.read", conversation=first, seq=1)
    await ann.call("conversations.update", conversation=second, title="renamed")
    assert await titles(bob) == ["ann", "first", "renamed"]


async def test_who_left_has_it_no_more(ann: User, bob: User) -> None:
    room = await ann.group(bob)
    await bob.call("conversations.leave", conversation=room)
    assert await titles(bob) == []
    assert (await ann.entry(room))["members"] == 1


async def test_an_inbox_is_read_page_by_page_to_its_end(ann: User) -> None:
    for number in range(7):
        await ann.group(title=f"room {number}")
    pages, fields = [], {}
    while True:
        page = await ann.call("inbox.list", limit=3, **fields)
        pages.append([each["title"][-1] for each in page["conversations"]])
        if "next" not in page:
            break
        fields = {"after": page["next"]}
    assert pages == [["6", "5", "4"], ["3", "2", "1"], ["0"]]
    assert "next" not in await ann.call("inbox.list", limit=7)


async def test_what_happens_between_two_pages_hides_nothing_older(ann: User) -> None:
    rooms = [await ann.group(title=f"room {number}") for number in range(4)]
    first = await ann.call("inbox.list", limit=2)
    await ann.says(rooms[3], "new")
    await ann.group(title="room 4")
    rest = await ann.call("inbox.list", limit=2, after=first["next"])
    assert [each["title"] for each in rest["conversations"]] == ["room 1", "room 0"]


@with_limits(page_items=2)
async def test_a_page_is_never_larger_than_the_setting(ann: User) -> None:
    for number in range(3):
        await ann.group(title=f"room {number}")
    page = await ann.call("inbox.list", limit=100)
    assert len(page["conversations"]) == 2
    assert await titles(ann, limit=100, after=page["next"]) == ["room 0"]


async def test_everybody_counts_their_own_unread(node: Node, ann: User, bob: User) -> None:
    cy = await User.new(node, "cy")
    room = await ann.group(bob, cy)
    for who in (ann, bob, ann):
        await who.says(room, "hello")
    assert [(await who.entry(room))["unread"] for who in (ann, bob, cy)] == [0, 1, 3]
