"""Bringing in conversations from elsewhere (docs/adr/0009): once, however often, with their authors and times."""

from __future__ import annotations

from typing import Any

import pytest

from chatnode.node import Node
from tests.conftest import Somebody, make_person

from .dialogue import LiveSession, assert_sound, direct, entry, group, members, refused, said, say, with_limits

MARCH_1999 = 921_000_000_000


def item(number: int, author: str = "Ada L", text: str | None = None, **fields: Any) -> dict[str, Any]:
    """The message with this number elsewhere."""
    at = MARCH_1999 + number * 1_000
    return {"cid": f"irc:{number}", "author": author, "at": at, "text": text or f"message {number}", **fields}


async def bring_in(node: Node, room: str, *items: dict[str, Any], source: str = "irc") -> dict[str, Any]:
    return await node.call("import.messages", conversation=room, source=source, items=list(items))


async def channel(node: Node, key: str = "#garden", **fields: Any) -> str:
    given = await node.call("import.conversation", source="irc", key=key, title=key, **fields)
    return given["conversation"]


@pytest.fixture
async def garden(node: Node, ann: Somebody) -> str:
    """A channel in which ann takes part."""
    return await channel(node)


async def test_messages_keep_their_authors_and_times(node: Node, ann: Somebody, garden: str) -> None:
    done = await bring_in(node, garden, item(1), item(2, "Grace", metadata={"topic": "bugs"}), item(3))
    assert done == {"imported": 3, "present": 0, "failed": []}
    shown = (await ann.call("messages.list", conversation=garden))["messages"]
    assert [(each["seq"], each["sender"]["handle"], each["text"]) for each in shown] == [
        (1, "ada.l", "message 1"), (2, "grace", "message 2"), (3, "ada.l", "message 3"),
    ]  # fmt: skip
    assert [each["at"] for each in shown] == [f"1999-03-09T17:20:0{number}.000Z" for number in (1, 2, 3)]
    assert [each.get("metadata") for each in shown] == [None, {"topic": "bugs"}, None]
    assert (await ann.call("people.get", person="ada.l"))["person"]["name"] == "Ada L"
    assert await members(ann, garden) == {"ann": "member"}
    await assert_sound(node)


async def test_importing_again_brings_nothing_back_of_who_was_erased(node: Node, ann: Somebody, garden: str) -> None:
    items = (item(1, "Grace"), item(2), item(3, "Grace"))
    await bring_in(node, garden, *items)
    await node.call("people.erase", person="grace", handle="grace")
    assert b"Grace" not in b"".join(path.read_bytes() for path in node.directory.path.glob("chatnode.sqlite3*"))
    done = await bring_in(node, garden, *items, item(4, "Grace"), item(5))
    assert done == {
        "imported": 1, "present": 3, "failed": [{"cid": "irc:4", "reason": "its author was erased here"}],
    }  # fmt: skip
    assert await said(ann, garden) == ["", "message 2", "", "message 5"]
    assert await members(ann, garden) == {"ann": "member"}
    await assert_sound(node)


async def test_importing_again_adds_nothing(node: Node, ann: Somebody, garden: str) -> None:
    await bring_in(node, garden, item(1), item(2))
    live = await LiveSession.of(node, ann)
    assert await channel(node) == garden
    assert await bring_in(node, garden, item(1), item(2)) == {"imported": 0, "present": 2, "failed": []}
    assert live.heard() == []
    assert await said(ann, garden) == ["message 1", "message 2"]


async def test_an_archive_that_has_grown_adds_what_is_new(node: Node, ann: Somebody, garden: str) -> None:
    await bring_in(node, garden, item(1))
    await say(ann, garden, "here and now")
    assert await bring_in(node, garden, item(1), item(2)) == {"imported": 1, "present": 1, "failed": []}
    assert await said(ann, garden) == ["message 1", "here and now", "message 2"]
    await assert_sound(node)


async def test_the_same_line_twice_in_one_batch_is_one_message(node: Node, garden: str) -> None:
    assert await bring_in(node, garden, item(1), item(1)) == {"imported": 1, "present": 1, "failed": []}


@with_limits(message_chars=20)
async def test_a_message_that_is_too_long_stops_no_other(node: Node, ann: Somebody, garden: str) -> None:
    done = await bring_in(node, garden, item(1), item(2, text="x" * 21), item(3))
    assert (done["imported"], [failure["cid"] for failure in done["failed"]]) == (2, ["irc:2"])
    assert "20 characters" in done["failed"][0]["reason"]
    assert await said(ann, garden) == ["message 1", "message 3"]


async def test_an_item_that_is_none_is_named_and_nothing_is_brought_in(node: Node, ann: Somebody, garden: str) -> None:
    for fault, path in (
        ({"cid": "two words"}, "items.1.cid"),
        ({"author": ""}, "items.1.author"),
        ({"at": -1}, "items.1.at"),
        ({"at": "1999"}, "items.1.at"),
        ({"at": 253_402_300_800_000}, "items.1.at"),
        ({"text": ""}, "items.1.text"),
        ({"metadata": {"topic": 7}}, "items.1.metadata"),
        ({"surprise": 1}, "items.1.surprise"),
    ):
        with refused("invalid") as caught:
            await bring_in(node, garden, item(1), item(2) | fault)
        assert (caught.value.path or "").startswith(path), caught.value
    with refused("invalid", "items"):
        await bring_in(node, garden, *[item(1)] * 1_001)
    assert await said(ann, garden) == []


async def test_replies_find_their_message_in_earlier_batches(node: Node, ann: Somebody, garden: str) -> None:
    await bring_in(node, garden, item(1))
    await bring_in(
        node, garden,
        item(2, "Grace", reply_to="irc:1", reply_to_author="Ada L"),
        item(3, reply_to="irc:2", reply_to_author="Grace"),
        item(4, reply_to="irc:99", reply_to_author="Ada L"),  # was never there
        item(5, reply_to="irc:1", reply_to_author="Ada Lovelace"),  # is called otherwise there now
        item(6, reply_to="irc:1"),
    )  # fmt: skip
    shown = (await ann.call("messages.list", conversation=garden))["messages"]
    by_seq = {each["message"]: each["seq"] for each in shown}
    assert [by_seq.get(each.get("reply_to")) for each in shown] == [None, 1, 2, None, 1, 1]


# ---- who takes part


async def test_everybody_takes_part_whenever_they_came(node: Node, ann: Somebody, garden: str) -> None:
    await bring_in(node, garden, item(1))
    zoe = await make_person(node, "zoe")
    for who in (ann, zoe):
        mine = await entry(who, garden)
        assert (mine["unread"], mine["first"], mine["last"]["text"]) == (0, 1, "message 1")
        assert await said(who, garden) == ["message 1"]
    await assert_sound(node)


async def test_or_nobody_does_until_they_join(node: Node, ann: Somebody) -> None:
    quiet = await channel(node, "#quiet", join=False)
    await bring_in(node, quiet, item(1))
    zoe = await make_person(node, "zoe")
    for who in (ann, zoe):
        assert (await who.call("inbox.list"))["conversations"] == []
        assert (await who.call("conversations.public"))["conversations"][0]["title"] == "#quiet"
        await who.call("conversations.join", conversation=quiet)
        assert await said(who, quiet) == ["message 1"]


async def test_who_had_read_everything_has_read_what_is_brought_in(node: Node, ann: Somebody, bob: Somebody) -> None:
    garden = await channel(node)
    await say(ann, garden, "@bob, shall I import?")
    assert (await entry(bob, garden))["unread"] == 1
    await bring_in(node, garden, item(1), item(2))
    assert ((await entry(ann, garden))["unread"], (await entry(bob, garden))["unread"]) == (0, 3)
    await bob.call("receipts.read", conversation=garden, seq=3)
    assert (await entry(bob, garden))["unread"] == 0


async def test_an_import_is_one_event_and_not_one_per_message(node: Node, ann: Somebody, garden: str) -> None:
    live = await LiveSession.of(node, ann)
    await bring_in(node, garden, item(1), item(2), item(3))
    assert [(push["event"], push["head"]) for push in live.heard()] == [("conversation.imported", 3)]


async def test_who_is_connected_is_told_of_a_channel_they_are_put_into(node: Node, ann: Somebody) -> None:
    live = await LiveSession.of(node, ann)
    garden = await channel(node)
    assert [push["conversation"] for push in live.heard("member.joined")] == [garden]


# ---- authors


async def test_authors_are_nobody_who_can_sign_in_and_take_nobodys_place(node: Node, ann: Somebody) -> None:
    garden = await channel(node)
    await bring_in(node, garden, item(1, "Ann"), item(2, "ann"), item(3, "李"), item(4, "!"), item(5, "x" * 200))
    shown = (await ann.call("messages.list", conversation=garden))["messages"]
    senders = [each["sender"] for each in shown]
    assert ann.id not in [sender["id"] for sender in senders]
    assert len({sender["id"] for sender in senders}) == 5
    assert [sender["handle"] for sender in senders[:2]] == ["ann-2", "ann-3"]
    assert all(sender["handle"].startswith("person-") for sender in senders[2:4])


async def test_an_author_is_one_person_in_all_channels_of_a_source(node: Node, ann: Somebody) -> None:
    garden, kitchen = await channel(node), await channel(node, "#kitchen")
    await bring_in(node, garden, item(1, "Grace"))
    await bring_in(node, kitchen, item(2, "Grace"))
    zulip = (await node.call("import.conversation", source="zulip", key="7", title="garden"))["conversation"]
    await bring_in(node, zulip, item(1, "Grace"), source="zulip")
    senders = [(await ann.call("messages.list", conversation=each))["messages"][0]["sender"]["id"]
               for each in (garden, kitchen, zulip)]  # fmt: skip
    assert senders[0] == senders[1] != senders[2]


# ---- what is not brought in


async def test_nothing_is_brought_into_a_conversation_of_people(node: Node, ann: Somebody, bob: Somebody) -> None:
    for room in (await group(ann), await direct(ann, bob), "f" * 32):
        with refused("not_found", "conversation"):
            await bring_in(node, room, item(1))
    with refused("not_found", "conversation"):
        await bring_in(node, await channel(node), item(1), source="zulip")


async def test_members_do_not_import_and_administrators_do(node: Node, ann: Somebody) -> None:
    root = await make_person(node, "root", admin=True)
    fields: dict[str, Any] = {"source": "irc", "key": "#garden", "title": "#garden"}
    with refused("forbidden"):
        await ann.call("import.conversation", **fields)
    garden = (await root.call("import.conversation", **fields))["conversation"]
    items: dict[str, Any] = {"conversation": garden, "source": "irc", "items": [item(1)]}
    with refused("forbidden"):
        await ann.call("import.messages", **items)
    assert (await root.call("import.messages", **items))["imported"] == 1
