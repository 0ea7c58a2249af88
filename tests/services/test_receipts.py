"""Delivered and read: per reader, with times, only ever forward."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from chatnode.node import Node
from chatnode.testing import LiveSession, User, refused


@pytest.fixture
async def talk(ann: User, bob: User) -> str:
    """Three messages from ann to bob."""
    talk = await ann.direct(bob)
    for text in ("one", "two", "three"):
        await ann.says(talk, text)
    return talk


async def receipts(who: User, conversation: str, seq: int) -> dict[str, dict[str, str]]:
    """Handle → times, of the message at `seq`."""
    (message,) = (await who.call("messages.list", conversation=conversation, after=seq - 1, limit=1))["messages"]
    listed = (await who.call("receipts.list", message=message["message"]))["receipts"]
    return {each.pop("person")["handle"]: each for each in listed}


async def marks(who: User, conversation: str) -> dict[str, tuple[int, int]]:
    """Handle → delivered and read up to."""
    page = await who.call("conversations.members.list", conversation=conversation)
    return {each["person"]["handle"]: (each["delivered_seq"], each["read_seq"]) for each in page["members"]}


async def test_reading_is_told_to_the_others_with_its_time(node: Node, ann: User, bob: User, talk: str) -> None:
    live = await LiveSession.of(node, ann)
    assert await bob.call("receipts.read", conversation=talk, seq=2) == {"seq": 2, "unread": 1}
    (push,) = live.heard()
    assert (push["event"], push["person"]["handle"], push["seq"]) == ("receipt.read", "bob", 2)
    read_at = push["at"]
    times = {"delivered_at": read_at, "read_at": read_at}  # what was read had been delivered
    assert await receipts(ann, talk, 1) == await receipts(ann, talk, 2) == {"bob": times}
    assert await receipts(ann, talk, 3) == {}


async def test_each_message_keeps_the_time_at_which_it_was_read(node: Node, ann: User, bob: User, talk: str) -> None:
    live = await LiveSession.of(node, ann)
    for seq in (1, 3):
        await bob.call("receipts.read", conversation=talk, seq=seq)
        await trio.sleep(0.003)
    first, second = [push["at"] for push in live.heard("receipt.read")]
    assert first < second
    assert [(await receipts(ann, talk, seq))["bob"]["read_at"] for seq in (1, 2, 3)] == [first, second, second]


async def test_delivered_is_not_read(node: Node, ann: User, bob: User, talk: str) -> None:
    live = await LiveSession.of(node, ann)
    assert await bob.call("receipts.delivered", conversation=talk, seq=3) == {"seq": 3, "unread": 3}
    assert (await receipts(ann, talk, 3))["bob"].keys() == {"delivered_at"}
    await trio.sleep(0.003)
    await bob.call("receipts.read", conversation=talk, seq=3)
    times = (await receipts(ann, talk, 3))["bob"]
    assert times["delivered_at"] < times["read_at"]
    assert [push["event"] for push in live.heard()] == ["receipt.delivered", "receipt.read"]


async def test_a_mark_never_goes_back(node: Node, ann: User, bob: User, talk: str) -> None:
    await bob.call("receipts.read", conversation=talk, seq=3)
    live = await LiveSession.of(node, ann)
    for command in ("receipts.read", "receipts.delivered"):
        for seq in (0, 1, 3):
            assert await bob.call(command, conversation=talk, seq=seq) == {"seq": 3, "unread": 0}
    assert live.heard() == []
    assert (await marks(ann, talk))["bob"] == (3, 3)


async def test_nobody_reads_what_is_not_there_yet(ann: User, bob: User, talk: str) -> None:
    for command in ("receipts.read", "receipts.delivered"):
        with refused("invalid", "seq"):
            await bob.call(command, conversation=talk, seq=4)
    assert (await marks(ann, talk))["bob"] == (0, 0)


async def test_who_posts_has_read_what_came_before(node: Node, ann: User, bob: User, talk: str) -> None:
    live = await LiveSession.of(node, ann)
    await bob.says(talk, "all right")
    assert await marks(ann, talk) == {"ann": (3, 3), "bob": (4, 4)}
    assert [push["event"] for push in live.heard()] == ["message.posted"]  # which says it
    posted_at = live.heard()[0]["message"]["at"]
    times = {"delivered_at": posted_at, "read_at": posted_at}
    assert [(await receipts(ann, talk, seq)) for seq in (1, 3, 4)] == [{"bob": times}, {"bob": times}, {}]


async def test_the_sender_is_no_reader_of_their_own(ann: User, bob: User, talk: str) -> None:
    assert (await ann.entry(talk))["unread"] == 0
    await ann.call("receipts.read", conversation=talk, seq=3)
    assert await receipts(bob, talk, 3) == {}


async def test_the_lists_say_the_same(ann: User, bob: User, talk: str) -> None:
    """`message_reads` and `chat_participants` of the filter language, after each step of bob's."""
    messages = (await ann.call("messages.list", conversation=talk))["messages"]

    async def statuses() -> list[str]:
        rows = (await ann.call("items.query", collection="message_reads", sort="seq"))["data"]
        assert [row["reader_id"] for row in rows] == [bob.id] * 3
        assert [row["created_at"] for row in rows] == [message["at"] for message in messages]
        for row in rows:
            times = (await receipts(ann, talk, row["seq"])).get("bob", {})
            assert (row["delivered_at"], row["read_at"]) == (times.get("delivered_at"), times.get("read_at"))
        return [row["status"] for row in rows]

    async def last_read() -> tuple[str | None, str | None]:
        asked = {"user_id": {"_eq": "bob"}}
        [row] = (await ann.call("items.query", collection="chat_participants", filter=asked))["data"]
        return row["last_read_message_id"], row["last_read_at"]

    assert (await statuses(), await last_read()) == (["SENT", "SENT", "SENT"], (None, None))
    await bob.call("receipts.delivered", conversation=talk, seq=2)
    assert (await statuses(), await last_read()) == (["DELIVERED", "DELIVERED", "SENT"], (None, None))
    await bob.call("receipts.read", conversation=talk, seq=1)
    assert await statuses() == ["READ", "DELIVERED", "SENT"]
    assert await last_read() == (messages[0]["message"], (await receipts(ann, talk, 1))["bob"]["read_at"])


async def test_readers_are_those_who_take_part(ann: User, bob: User, eve: User) -> None:
    room = await ann.group(bob, eve)
    await ann.says(room, "hello")
    for who in (bob, eve):
        await who.call("receipts.read", conversation=room, seq=1)
    assert list(await receipts(ann, room, 1)) == ["bob", "eve"]
    await eve.call("conversations.leave", conversation=room)
    assert list(await receipts(ann, room, 1)) == ["bob"]
    assert list(await ann.members(room)) == ["ann", "bob"]


async def test_everything_is_marked_as_read_at_once(node: Node, ann: User, bob: User, eve: User) -> None:
    """In all conversations, or in those that are named; what was read already is left as it is."""
    talk, room, done = await ann.direct(bob), await ann.group(bob, eve), await ann.group(bob, eve)
    for conversation in (talk, room, done):
        for text in ("one", "two @bob"):
            await ann.says(conversation, text)
    await bob.call("receipts.read", conversation=done, seq=2)
    live = await LiveSession.of(node, ann)
    marked = (await bob.call("receipts.read_all", conversations=[room, done]))["conversations"]
    assert marked == [{"conversation": room, "seq": 2}]
    assert (await bob.entry(talk))["unread"] == 2
    marked = (await bob.call("receipts.read_all"))["conversations"]
    assert marked == [{"conversation": talk, "seq": 2}]
    assert [(push["conversation"], push["seq"]) for push in live.heard("receipt.read")] == [(room, 2), (talk, 2)]
    inbox = (await bob.call("inbox.list"))["conversations"]
    assert {(each["unread"], each["mentions"]) for each in inbox} == {(0, 0)}
    assert (await eve.entry(room))["unread"] == 2
    with refused("not_found", "conversations"):
        await eve.call("receipts.read_all", conversations=[room, talk])
    assert (await eve.entry(room))["unread"] == 2, "then nothing is marked"


async def test_receipts_are_for_those_who_take_part(ann: User, eve: User, talk: str) -> None:
    (message, *_) = (await ann.call("messages.list", conversation=talk))["messages"]
    attempts: list[tuple[str, dict[str, Any]]] = [
        ("receipts.read", {"conversation": talk, "seq": 1}),
        ("receipts.delivered", {"conversation": talk, "seq": 1}),
        ("receipts.list", {"message": message["message"]}),
    ]
    for command, fields in attempts:
        with refused("not_found"):
            await eve.call(command, **fields)
