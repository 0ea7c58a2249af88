"""What somebody who is blocked still learns of who blocked them: in the conversation of the two, and in groups."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from chatnode.node import Node
from chatnode.storage.log import log
from chatnode.testing import LiveSession, User


@pytest.fixture(params=["group", "direct"])
async def place(request: pytest.FixtureRequest, node: Node, ann: User, bob: User, eve: User) -> str:
    """Four messages of bob's, of which ann got three and read two, before she blocked him."""
    where = await (bob.group(ann, eve) if request.param == "group" else bob.direct(ann))
    for text in ("one", "two", "three", "four"):
        await bob.says(where, text)
    await ann.call("receipts.delivered", conversation=where, seq=3)
    await ann.call("receipts.read", conversation=where, seq=2)
    await trio.sleep(0.002)
    await ann.call("people.block", person="bob")
    await trio.sleep(0.002)
    return where


def equal(**fields: str) -> dict[str, Any]:
    """The filter for rows with these."""
    return {name: {"_eq": value} for name, value in fields.items()}


async def signs(who: User, place: str) -> dict[str, Any]:
    """Everything that `who` can ask for of how far ann got."""
    listed = (await who.call("conversations.members.list", conversation=place))["members"]
    (ann,) = [each for each in listed if each["person"]["handle"] == "ann"]
    messages = (await who.call("messages.list", conversation=place))["messages"]
    receipts: list[list[str]] = []
    for message in messages:
        given = (await who.call("receipts.list", message=message["message"]))["receipts"]
        times = [each for each in given if each["person"]["handle"] == "ann"]
        receipts.append(sorted(name for name in times[0] if name != "person") if times else [])
    filter = equal(conversation_id=place, reader_handle="ann")
    asked = await who.call("items.query", collection="message_reads", filter=filter, sort="seq")
    reads = [(row["status"], bool(row["delivered_at"]), bool(row["read_at"])) for row in asked["data"]]
    by_status: dict[str, list[int]] = {}
    for status in ("SENT", "DELIVERED", "READ"):
        some = await who.call(
            "items.query", collection="message_reads", filter=filter | equal(status=status), sort="seq"
        )
        by_status[status] = [row["seq"] for row in some["data"]]
    asked = await who.call(
        "items.query", collection="chat_participants", filter=equal(conversation_id=place, handle="ann")
    )
    (part,) = asked["data"]
    return {
        "marks": (ann["delivered_seq"], ann["read_seq"]),
        "receipts": receipts,
        "message_reads": reads,
        "by status": by_status,
        "chat_participants": (part["delivered_seq"], part["last_read_seq"], part["last_read_message_id"]),
    }


GOT_AND_READ, GOT, NOTHING = ["delivered_at", "read_at"], ["delivered_at"], []


async def test_who_is_blocked_learns_how_far_the_other_had_got_and_no_more(ann: User, bob: User, place: str) -> None:
    before = await signs(bob, place)
    assert before["marks"] == (3, 2)
    assert before["receipts"] == [GOT_AND_READ, GOT_AND_READ, GOT, NOTHING]
    assert before["message_reads"] == [("READ", True, True)] * 2 + [("DELIVERED", True, False), ("SENT", False, False)]
    assert before["by status"] == {"READ": [1, 2], "DELIVERED": [3], "SENT": [4]}
    heard, latest = await LiveSession.of(ann.node, bob), await ann.node.core.db.read(log.head)
    await ann.call("receipts.delivered", conversation=place, seq=4)
    await ann.call("receipts.read", conversation=place, seq=3)
    await ann.call("receipts.read_all")
    assert await signs(bob, place) == before
    assert heard.heard("receipt.read") == heard.heard("receipt.delivered") == []
    assert await missed(bob, latest) == []
    assert (await signs(ann, place))["marks"] == (4, 4)


async def missed(who: User, since: int) -> list[str]:
    """The receipts that somebody gets who was away since then."""

    def read(reader: Any) -> list[str]:
        gids = log.gids_since(reader, who.account, since, 1_000) or []
        return [event.name for _, event in log.events_of(reader, who.account, gids) if "receipt" in event.name]

    return await who.node.core.db.read(read)


async def test_everybody_else_learns_it_and_the_blocked_one_again_when_the_block_ends(
    node: Node, ann: User, bob: User, eve: User
) -> None:
    room = await bob.group(ann, eve)
    await bob.says(room, "one")
    await ann.call("people.block", person="bob")
    others, since = await LiveSession.of(node, eve), await node.core.db.read(log.head)
    await ann.call("receipts.read", conversation=room, seq=1)
    assert [push["person"]["handle"] for push in others.heard("receipt.read")] == ["ann"]
    assert await missed(eve, since) == ["receipt.read"]
    assert (await signs(eve, room))["receipts"] == [GOT_AND_READ]
    assert (await signs(bob, room))["receipts"] == [NOTHING]
    await ann.call("people.unblock", person="bob")
    assert (await signs(bob, room))["receipts"] == [GOT_AND_READ]
    heard = await LiveSession.of(node, bob)
    await bob.says(room, "two")
    await ann.call("receipts.read", conversation=room, seq=2)
    assert [push["seq"] for push in heard.heard("receipt.read")] == [2]


async def test_it_goes_one_way(node: Node, ann: User, bob: User, place: str) -> None:
    """Whom I blocked hides nothing from me; they may block me too."""
    heard = await LiveSession.of(node, ann)
    since = await node.core.db.read(log.head)
    for text in ("five", "six"):
        await node.core.db.write(lambda tx: tx.execute("UPDATE conversations SET closed_reason = NULL").rowcount)
        await ann.says(place, text)
    await bob.call("receipts.read", conversation=place, seq=5)
    assert [push["seq"] for push in heard.heard("receipt.read")] == [5]
    assert await missed(ann, since) == ["receipt.read"]


async def test_what_is_said_in_a_group_is_said_to_all_and_shows_that_its_sender_had_read_so_far(
    node: Node, ann: User, bob: User, eve: User
) -> None:
    room = await bob.group(ann, eve)
    await ann.says(room, "one")
    await ann.call("people.block", person="bob")
    await bob.says(room, "two")
    await ann.says(room, "three")
    assert await bob.reads(room) == ["one", "two", "three"]
    assert (await signs(bob, room))["marks"] == (3, 3)  # as a client concludes from the message itself
    assert (await signs(eve, room))["marks"] == (3, 3)
    await bob.says(room, "four")
    await ann.call("receipts.read", conversation=room, seq=4)
    assert (await signs(bob, room))["marks"] == (3, 3)
    assert (await signs(eve, room))["marks"] == (4, 4)


async def test_in_a_conversation_that_both_are_in_only_since_then_there_is_no_mark(
    node: Node, ann: User, bob: User, eve: User
) -> None:
    await ann.call("people.block", person="bob")
    room = await eve.group(ann, visibility="public", history="since_joining")
    await eve.says(room, "one")
    await bob.call("conversations.join", conversation=room)
    await bob.says(room, "two")
    await ann.call("receipts.read", conversation=room, seq=2)
    assert (await signs(bob, room))["marks"] == (0, 0)
    assert (await signs(bob, room))["receipts"] == [NOTHING]


async def test_what_was_there_when_somebody_joined_is_behind_them_also_for_the_blocked(
    ann: User, bob: User, eve: User
) -> None:
    await ann.call("people.block", person="bob")
    room = await eve.group(bob, visibility="public", history="since_joining")
    for text in ("one", "two"):
        await eve.says(room, text)
    await ann.call("conversations.join", conversation=room)
    await eve.says(room, "three")
    await ann.call("receipts.read", conversation=room, seq=3)
    assert (await signs(bob, room))["marks"] == (2, 2)
    assert (await signs(eve, room))["marks"] == (3, 3)


async def test_an_erasure_takes_the_marks_of_its_blocks_with_it(node: Node, ann: User, bob: User) -> None:
    await bob.group(ann)
    await ann.call("people.block", person="bob")
    await node.call("people.erase", person="bob", handle="bob")
    rows = await node.core.db.read(lambda reader: reader.execute("SELECT count(*) FROM block_marks").fetchone())
    assert rows == (0,)
