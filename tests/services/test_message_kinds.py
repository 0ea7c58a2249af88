"""Messages of other kinds than text, threads, and who is named by more than a handle."""

from __future__ import annotations

from typing import Any

import pytest

from chatnode.node import Node
from chatnode.testing import LiveSession, User, refused

from .dialogue import assert_sound, new_cid, with_limits

CAT = {"file": "https://files.example/cat.png", "name": "cat.png", "type": "image/png", "bytes": 5_000, "width": 9}


async def post(who: User, conversation: str, **fields: Any) -> dict[str, Any]:
    """Post, and look at it as somebody who opens the conversation."""
    posted = await who.call("messages.post", conversation=conversation, cid=new_cid(), **fields)
    return (await who.call("messages.get", message=posted["message"]))["message"]


# ---- kinds


async def test_an_image_and_a_file_name_what_is_elsewhere(node: Node, ann: User, bob: User) -> None:
    """The node keeps where the bytes are, not the bytes; a text goes with them, or none."""
    talk = await ann.direct(bob)
    live = await LiveSession.of(node, bob)
    image = await post(ann, talk, kind="image", media=CAT, text="my cat")
    file = await post(ann, talk, kind="file", media=CAT | {"type": "application/pdf"})
    assert (image["kind"], image["media"], image["text"]) == ("image", CAT, "my cat")
    assert (file["kind"], file["media"]["type"], file["text"]) == ("file", "application/pdf", "")
    assert [push["message"] for push in live.heard("message.posted")] == [image, file]
    assert (await bob.entry(talk))["last"] == file


async def test_a_location_is_a_place_on_earth(ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    place = {"latitude": 51.5, "longitude": -0.125, "name": "the bridge"}
    shown = await post(ann, talk, kind="location", location=place)
    assert (shown["kind"], shown["location"]) == ("location", place)
    with refused("invalid", "location.latitude"):
        await post(ann, talk, kind="location", location=place | {"latitude": 90.1})


async def test_who_may_post_notices_says_what_happened(node: Node, ann: User, bob: User) -> None:
    """For programs as a type with fields, for people as text; everybody else is refused."""
    root = await User.new(node, "root", admin=True)
    room = await root.group(ann, bob)
    notice = {"type": "order.accepted", "fields": {"order": "7"}}
    shown = await post(root, room, kind="system", system=notice, text="Order 7 was accepted")
    assert (shown["kind"], shown["system"], shown["text"]) == ("system", notice, "Order 7 was accepted")
    with refused("forbidden", "kind"):
        await post(ann, room, kind="system", system=notice)


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"kind": "image"}, "files"),
        ({"kind": "location", "text": "here"}, "location"),
        ({"kind": "text", "text": "hello", "media": CAT}, "media"),
        ({"kind": "file", "media": CAT, "location": {"latitude": 0, "longitude": 0}}, "location"),
        ({"kind": "image", "media": CAT | {"type": "picture"}}, "media.type"),
        ({"kind": "image", "media": CAT | {"bytes": -1}}, "media.bytes"),
        ({"kind": "poem", "text": "roses are red"}, "kind"),
    ],
)
async def test_a_kind_carries_its_own_and_nothing_else(ann: User, fields: dict[str, Any], path: str) -> None:
    notes = await ann.direct(ann)
    with refused("invalid", path):
        await post(ann, notes, **fields)


async def test_a_message_carries_metadata_of_the_embedders(ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    shown = await post(ann, talk, text="hello", metadata={"from": "a phone", "offer": "15"})
    assert shown["metadata"] == {"from": "a phone", "offer": "15"}
    [row] = (await bob.call("items.query", collection="messages", fields="metadata"))["data"]
    assert row["metadata"] == shown["metadata"]
    with refused("invalid", "metadata"):
        await post(ann, talk, text="hello", metadata={"offer": "x" * 1_001})


# ---- threads


async def test_a_thread_hangs_on_a_message(ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    root = await ann.says(talk, "where shall we go?")
    await bob.says(talk, "by the way, it rains")
    answers = [await who.says(talk, text, thread=root) for who, text in ((bob, "out"), (ann, "in"))]
    page = (await ann.call("messages.thread", message=root))["messages"]
    assert [(each["text"], each["thread"]) for each in page] == [("out", root), ("in", root)]
    assert (await ann.call("messages.get", message=root))["message"]["replies"] == 2
    assert await ann.reads(talk) == ["where shall we go?", "by the way, it rains", "out", "in"]
    later = (await ann.call("messages.thread", message=root, after=3))["messages"]
    assert [each["text"] for each in later] == ["in"]
    with refused("invalid", "thread"):
        await ann.says(talk, "a thread in a thread", thread=answers[0])
    with refused("not_found", "thread"):
        await ann.says(await ann.group(), "from elsewhere", thread=root)
    await assert_sound(ann.node)


# ---- naming more than one


async def test_everyone_and_admins_are_named_together(node: Node, ann: User, bob: User, eve: User) -> None:
    room = await ann.group(bob, eve)
    await ann.call("conversations.members.role", conversation=room, member="bob", role="admin")

    async def counts() -> list[int]:
        return [(await who.entry(room))["mentions"] for who in (ann, bob, eve)]

    shown = await post(eve, room, text="@admins, please")
    assert (set(shown["mentions"]), await counts()) == ({ann.id, bob.id}, [1, 1, 0])
    shown = await post(ann, room, text="@everyone and @bob: come!")
    assert (shown["mentions"], await counts()) == (["everyone", bob.id], [0, 2, 1])
    shown = await post(bob, room, text="@all the same")
    assert (shown["mentions"], await counts()) == (["everyone"], [1, 0, 2])
    await assert_sound(node)


@with_limits(everyone_members=2)
async def test_in_a_larger_group_only_those_who_run_it_name_everyone(ann: User, bob: User, eve: User) -> None:
    room = await ann.group(bob, eve)
    assert "mentions" not in await post(bob, room, text="@everyone, buy my things")
    assert (await post(ann, room, text="@everyone, the fire alarm"))["mentions"] == ["everyone"]
    await eve.call("conversations.leave", conversation=room)
    assert (await post(bob, room, text="@everyone left?"))["mentions"] == ["everyone"]
