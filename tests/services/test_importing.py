"""Bringing in conversations from elsewhere (docs/adr/0009): once, however often, with their authors and times."""

from __future__ import annotations

from typing import Any

import pytest

from chatnode.errors import Refusal
from chatnode.model.ids import keyed_hash
from chatnode.node import Node
from chatnode.services import TABLES
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.upkeep.exporting import lines
from chatnode.testing import LiveSession, User, refused

from .dialogue import assert_sound, with_limits

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


async def senders(who: User, room: str) -> list[str]:
    """The handles of those who wrote a conversation's messages."""
    shown = (await who.call("messages.list", conversation=room))["messages"]
    return [each["sender"]["handle"] for each in shown]


@pytest.fixture
async def garden(node: Node, ann: User) -> str:
    """A channel in which ann takes part."""
    return await channel(node)


async def test_messages_keep_their_authors_and_times(node: Node, ann: User, garden: str) -> None:
    done = await bring_in(node, garden, item(1), item(2, "Grace", metadata={"topic": "bugs"}), item(3))
    assert done == {"imported": 3, "present": 0, "failed": []}
    shown = (await ann.call("messages.list", conversation=garden))["messages"]
    assert [(each["seq"], each["sender"]["handle"], each["text"]) for each in shown] == [
        (1, "ada.l", "message 1"), (2, "grace", "message 2"), (3, "ada.l", "message 3"),
    ]  # fmt: skip
    assert [each["at"] for each in shown] == [f"1999-03-09T17:20:0{number}.000Z" for number in (1, 2, 3)]
    assert [each.get("metadata") for each in shown] == [None, {"topic": "bugs"}, None]
    assert (await ann.call("people.get", person="ada.l"))["person"]["name"] == "Ada L"
    assert await ann.members(garden) == {"ann": "owner"}
    await assert_sound(node)


async def test_importing_again_brings_nothing_back_of_who_was_erased(node: Node, ann: User, garden: str) -> None:
    items = (item(1, "Grace"), item(2), item(3, "Grace"))
    await bring_in(node, garden, *items)
    await node.call("people.erase", person="grace", handle="grace")
    assert b"Grace" not in b"".join(path.read_bytes() for path in node.directory.path.glob("chatnode.sqlite3*"))
    done = await bring_in(node, garden, *items, item(4, "Grace"), item(5))
    assert done == {
        "imported": 1, "present": 3, "failed": [{"cid": "irc:4", "reason": "its author was erased here"}],
    }  # fmt: skip
    assert await ann.reads(garden) == ["", "message 2", "", "message 5"]
    assert await ann.members(garden) == {"ann": "owner"}
    await assert_sound(node)


async def test_who_was_erased_is_known_by_any_of_their_names_alone(node: Node, ann: User, garden: str) -> None:
    await bring_in(node, garden, item(1, "Grace"))
    await node.call("people.erase", person="grace", handle="grace")
    for cid, fields in (("irc:2", {}), ("irc:3", {"author_key": "~grace"})):
        done = await bring_in(node, garden, item(int(cid[-1]), "Grace", **fields))
        assert done["failed"] == [{"cid": cid, "reason": "its author was erased here"}]
    assert await ann.reads(garden) == [""]


async def test_importing_again_adds_nothing(node: Node, ann: User, garden: str) -> None:
    await bring_in(node, garden, item(1), item(2))
    live = await LiveSession.of(node, ann)
    assert await channel(node) == garden
    assert await bring_in(node, garden, item(1), item(2)) == {"imported": 0, "present": 2, "failed": []}
    assert live.heard() == []
    assert await ann.reads(garden) == ["message 1", "message 2"]


async def test_a_message_is_known_by_any_of_its_ids(node: Node, ann: User, garden: str) -> None:
    """As when an importer has learnt to make better ones."""
    await bring_in(node, garden, item(1))
    done = await bring_in(node, garden, item(7, also=["irc:8", "irc:1"]), item(9, also=["irc:8"]))
    assert (done["imported"], done["present"]) == (1, 1)
    assert await ann.reads(garden) == ["message 1", "message 9"]


async def test_an_archive_that_has_grown_adds_what_is_new(node: Node, ann: User, garden: str) -> None:
    await bring_in(node, garden, item(1))
    await ann.says(garden, "here and now")
    assert await bring_in(node, garden, item(1), item(2)) == {"imported": 1, "present": 1, "failed": []}
    assert await ann.reads(garden) == ["message 1", "here and now", "message 2"]
    await assert_sound(node)


async def test_the_same_line_twice_in_one_batch_is_one_message(node: Node, garden: str) -> None:
    assert await bring_in(node, garden, item(1), item(1)) == {"imported": 1, "present": 1, "failed": []}


@with_limits(message_chars=20)
async def test_a_message_that_is_too_long_stops_no_other(node: Node, ann: User, garden: str) -> None:
    done = await bring_in(node, garden, item(1), item(2, text="x" * 21), item(3, text="x" * 20))
    assert (done["imported"], [failure["cid"] for failure in done["failed"]]) == (2, ["irc:2"])
    assert "20 characters" in done["failed"][0]["reason"]
    assert await ann.reads(garden) == ["message 1", "x" * 20]


async def test_an_item_that_is_none_is_named_and_nothing_is_brought_in(node: Node, ann: User, garden: str) -> None:
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
    assert await ann.reads(garden) == []


async def test_replies_find_their_message_in_earlier_batches(node: Node, ann: User, garden: str) -> None:
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


async def test_a_reply_stays_in_its_conversation(node: Node, ann: User, garden: str) -> None:
    kitchen = await channel(node, "#kitchen")
    await bring_in(node, kitchen, item(1))
    await bring_in(node, garden, item(2, reply_to="irc:1"))
    assert "reply_to" not in (await ann.call("messages.list", conversation=garden))["messages"][0]

    def break_it(tx: Transaction) -> None:
        tx.execute("UPDATE messages SET reply_to = (SELECT id FROM messages WHERE cid = 'irc:1') WHERE cid = 'irc:2'")

    await node.core.db.write(break_it)
    wrong = [check["name"] for check in (await node.call("node.check"))["checks"] if check["problems"]]
    assert wrong == ["replies in their conversation"]


# ---- the source's own id makes a message the same


async def test_what_was_deleted_stays_deleted(node: Node, ann: User, garden: str) -> None:
    root = await User.new(node, "root", admin=True)
    await bring_in(node, garden, item(1), item(2))
    first = (await ann.call("messages.list", conversation=garden))["messages"][0]
    await root.call("messages.delete", message=first["message"], reason="spam")
    for author in ("Ada L", "Ada Lovelace"):  # also if she is called otherwise there now
        done = await bring_in(node, garden, item(1, author), item(2, author))
        assert done == {"imported": 0, "present": 2, "failed": []}
    assert await ann.reads(garden) == ["", "message 2"]


async def test_who_is_called_otherwise_there_now_is_the_same_person(node: Node, ann: User, garden: str) -> None:
    await bring_in(node, garden, item(1, "Grace"), item(2, "Ada"))
    done = await bring_in(node, garden, item(1, "Grace H"), item(2, "Ada"), item(3, "Grace H"))
    assert (done["imported"], done["present"]) == (1, 2)
    assert await senders(ann, garden) == ["grace", "ada", "grace"]
    await bring_in(node, garden, item(4, "Grace"))
    assert (await senders(ann, garden))[-1] == "grace"


async def test_a_new_name_is_nobodys_where_several_have_it(node: Node, ann: User, garden: str) -> None:
    """As when an archive calls everybody who left the same."""
    await bring_in(node, garden, item(1, "Grace"), item(2, "Ada"))
    await bring_in(node, garden, item(1, "Deleted user"), item(2, "Deleted user"), item(3, "Deleted user"))
    assert await senders(ann, garden) == ["grace", "ada", "deleted.user"]


async def test_who_was_erased_stays_so_under_another_name(node: Node, ann: User, garden: str) -> None:
    await bring_in(node, garden, item(1, "Grace"))
    await node.call("people.erase", person="grace", handle="grace")
    done = await bring_in(node, garden, item(1, "Grace Hopper"), item(2, "Grace Hopper"))
    assert done == {"imported": 0, "present": 1, "failed": [{"cid": "irc:2", "reason": "its author was erased here"}]}
    assert await ann.reads(garden) == [""]
    assert b"Grace" not in b"".join(path.read_bytes() for path in node.directory.path.glob("chatnode.sqlite3*"))


async def test_what_is_missing_is_asked_before_anything_is_prepared(node: Node, ann: User, garden: str) -> None:
    await bring_in(node, garden, item(1, "Grace"))
    heads = [{"cid": f"irc:{number}", "author": "Grace H"} for number in (1, 2)]
    asked = await node.call("import.missing", source="irc", key="#garden", items=heads)
    assert asked == {"missing": ["irc:2"], "present": 1}
    await bring_in(node, garden, item(2, "Grace H"))  # whose other name was learnt when it was asked
    assert await senders(ann, garden) == ["grace", "grace"]
    nowhere = await node.call(
        "import.missing", source="irc", key="#nowhere", items=[heads[0], {**heads[0], "cid": "9"}]
    )
    assert (nowhere["missing"], [each["cid"] for each in nowhere["elsewhere"]]) == (["9"], ["irc:1"])


async def test_an_id_that_stands_in_two_conversations_stays_where_it_is(node: Node, ann: User, garden: str) -> None:
    kitchen = await channel(node, "#kitchen")
    await bring_in(node, garden, item(1))
    done = await bring_in(node, kitchen, item(1), item(2))
    assert (done["imported"], done["present"]) == (1, 1)
    assert done["elsewhere"] == [{"cid": "irc:1", "conversation": garden, "title": "#garden"}]
    assert (await ann.reads(garden), await ann.reads(kitchen)) == (["message 1"], ["message 2"])


async def test_or_ids_are_unique_in_a_conversation_only(node: Node, ann: User, garden: str) -> None:
    """Two lines of two logs may be alike: nick, text and second."""
    kitchen = await channel(node, "#kitchen")
    for room in (garden, kitchen, garden, kitchen):
        await node.call("import.messages", conversation=room, source="irc", items=[item(1)], unique="conversation")
    assert (await ann.reads(garden), await ann.reads(kitchen)) == (["message 1"], ["message 1"])


async def test_ids_are_kept_as_hashes_that_tell_nothing(node: Node, garden: str) -> None:
    await bring_in(node, garden, item(1))

    def read(reader: Reader) -> list[Any]:
        return reader.execute("SELECT hash, key.value FROM imported, node key WHERE key.key = 'import_key'").fetchall()

    ((found, secret),) = await node.core.db.read(read)
    assert len(secret) == 64
    assert found == keyed_hash(secret, "irc", "irc:1") != keyed_hash("0" * 64, "irc", "irc:1")
    exported = b"".join(await node.core.db.read(lambda reader: list(lines(reader, TABLES))))
    assert secret.encode() not in exported
    assert found.hex().encode() not in exported


async def test_who_left_learns_nothing_of_what_is_imported_later(node: Node, ann: User, garden: str) -> None:
    await bring_in(node, garden, item(1))
    await ann.call("conversations.leave", conversation=garden)
    await bring_in(node, garden, item(2), item(3))
    page = await ann.call("people.export", after="membership:0")
    (membership,) = [each["data"] for each in page["entries"]]
    assert (membership["has_left"], membership["read_seq"], "title" in membership) == (True, 1, False)


# ---- one room under several names


async def room_of(node: Node, source: str, *sample: str) -> tuple[str, str]:
    given = await node.call(
        "import.conversation", source=source, key="#linux", title="#linux", unique="conversation", sample=list(sample)
    )
    return given["conversation"], given["source"]


async def lines_of(node: Node, source: str, *numbers: int) -> dict[str, Any]:
    """Import these messages as the command line does."""
    keys = [f"irc:{number}" for number in numbers]
    fields = {"source": source, "key": "#linux", "unique": "conversation", "sample": keys}
    asked = await node.call("import.missing", **fields, items=[{"cid": key, "author": "Ada"} for key in keys])
    room, known_as = await room_of(node, source, *keys)
    items = [item(number, "Ada") for number in numbers if f"irc:{number}" in asked["missing"]]
    done = await node.call("import.messages", conversation=room, source=known_as, unique="conversation", items=items)
    return {"room": room, "source": known_as, "imported": done["imported"]}


async def test_two_networks_have_a_room_and_an_author_of_one_name_each(node: Node, ann: User) -> None:
    libera, oftc = await lines_of(node, "irc.libera", 1, 2), await lines_of(node, "irc.oftc", 1, 3)
    assert (libera["imported"], oftc["imported"]) == (2, 2)
    assert libera["room"] != oftc["room"]
    assert (await senders(ann, libera["room"]), await senders(ann, oftc["room"])) == (["ada"] * 2, ["ada-2"] * 2)


async def test_a_network_that_becomes_known_later_names_the_same_room(node: Node, ann: User) -> None:
    before = await lines_of(node, "irc", 1, 2)
    after = await lines_of(node, "irc.libera", 2, 3)
    assert after == {"room": before["room"], "source": "irc.libera", "imported": 1}
    assert await senders(ann, after["room"]) == ["ada"] * 3
    again = await lines_of(node, "irc", 1, 2, 3)  # and when it is forgotten again
    assert again == {"room": before["room"], "source": "irc.libera", "imported": 0}
    other = await lines_of(node, "irc.oftc", 7)
    assert other["room"] != before["room"]
    assert (await lines_of(node, "irc", 99))["room"] not in (other["room"], before["room"])  # nothing in common


async def test_of_those_who_were_erased_nothing_tells_that_they_had_one_name(node: Node, ann: User) -> None:
    for source in ("irc.libera", "irc.oftc"):
        await lines_of(node, source, 1)
    for handle in ("ada", "ada-2"):
        await node.call("people.erase", person=handle, handle=handle)
    sql = "SELECT DISTINCT hash FROM import_erased_authors"
    assert len(await node.core.db.read(lambda reader: reader.execute(sql).fetchall())) == 2


# ---- who takes part


async def test_everybody_takes_part_whenever_they_came(node: Node, ann: User, garden: str) -> None:
    await bring_in(node, garden, item(1))
    zoe = await User.new(node, "zoe")
    for who in (ann, zoe):
        mine = await who.entry(garden)
        assert (mine["unread"], mine["first"], mine["last"]["text"]) == (0, 1, "message 1")
        assert await who.reads(garden) == ["message 1"]
    await assert_sound(node)


async def test_or_nobody_does_until_they_join(node: Node, ann: User) -> None:
    quiet = await channel(node, "#quiet", join=False)
    await bring_in(node, quiet, item(1))
    zoe = await User.new(node, "zoe")
    for who in (ann, zoe):
        assert (await who.call("inbox.list"))["conversations"] == []
        assert (await who.call("conversations.public"))["conversations"][0]["title"] == "#quiet"
        await who.call("conversations.join", conversation=quiet)
        assert await who.reads(quiet) == ["message 1"]


async def test_who_had_read_everything_has_read_what_is_brought_in(node: Node, ann: User, bob: User) -> None:
    garden = await channel(node)
    await ann.says(garden, "@bob, shall I import?")
    assert (await bob.entry(garden))["unread"] == 1
    await bring_in(node, garden, item(1), item(2))
    assert ((await ann.entry(garden))["unread"], (await bob.entry(garden))["unread"]) == (0, 3)
    await bob.call("receipts.read", conversation=garden, seq=3)
    assert (await bob.entry(garden))["unread"] == 0


async def test_an_import_is_one_event_and_not_one_per_message(node: Node, ann: User, garden: str) -> None:
    live = await LiveSession.of(node, ann)
    await bring_in(node, garden, item(1), item(2), item(3))
    assert [(push["event"], push["head"]) for push in live.heard()] == [("conversation.imported", 3)]


async def test_who_is_connected_is_told_of_a_channel_they_are_put_into(node: Node, ann: User) -> None:
    live = await LiveSession.of(node, ann)
    garden = await channel(node)
    assert [push["conversation"] for push in live.heard("member.joined")] == [garden]


# ---- authors


async def test_authors_are_nobody_who_can_sign_in_and_take_nobodys_place(node: Node, ann: User) -> None:
    garden = await channel(node)
    await bring_in(node, garden, item(1, "Ann"), item(2, "ann"), item(3, "李"), item(4, "!"), item(5, "x" * 200))
    shown = (await ann.call("messages.list", conversation=garden))["messages"]
    senders = [each["sender"] for each in shown]
    assert ann.id not in [sender["id"] for sender in senders]
    assert len({sender["id"] for sender in senders}) == 5
    assert [sender["handle"] for sender in senders[:2]] == ["ann-2", "ann-3"]
    assert all(sender["handle"].startswith("person-") for sender in senders[2:4])


async def test_the_handle_of_an_author_is_what_one_would_type(node: Node, ann: User) -> None:
    garden = await channel(node)
    authors = ("Łukasz Søren", "Ægir Þórsson", "ＫＥＩ", "Zoe\u0308 O’Hara", "me", "Here", "5EED" * 8)
    await bring_in(node, garden, *(item(number, name) for number, name in enumerate(authors)))
    shown = [each["sender"]["handle"] for each in (await ann.call("messages.list", conversation=garden))["messages"]]
    assert shown[:4] == ["lukasz.soren", "aegir.thorsson", "kei", "zoe.o.hara"]
    assert all(handle.startswith("person-") for handle in shown[4:])


async def test_an_author_is_one_person_in_all_channels_of_a_source(node: Node, ann: User) -> None:
    garden, kitchen = await channel(node), await channel(node, "#kitchen")
    await bring_in(node, garden, item(1, "Grace"))
    await bring_in(node, kitchen, item(2, "Grace"))
    zulip = (await node.call("import.conversation", source="zulip", key="7", title="garden"))["conversation"]
    await bring_in(node, zulip, item(1, "Grace"), source="zulip")
    senders = [(await ann.call("messages.list", conversation=each))["messages"][0]["sender"]["id"]
               for each in (garden, kitchen, zulip)]  # fmt: skip
    assert senders[0] == senders[1] != senders[2]


async def test_authors_are_marked_and_take_part_in_nothing(node: Node, ann: User, garden: str) -> None:
    await bring_in(node, garden, item(1))
    ada = (await ann.call("people.get", person="ada.l"))["person"]
    assert ada["imported"] is True
    listed = (await ann.call("people.list"))["people"]
    assert [(each["handle"], each.get("imported")) for each in listed] == [("ada.l", True), ("ann", None)]
    found = (await ann.call("items.query", collection="people", filter={"is_imported": {"_eq": True}}))["data"]
    assert [each["handle"] for each in found] == ["ada.l"]
    mine = await ann.entry(garden)
    assert mine["members"] == 1
    assert (await ann.call("conversations.get", conversation=garden))["conversation"]["members"] == 1


async def test_nobody_is_refused_because_of_an_author_without_being_told(node: Node, garden: str) -> None:
    root = await User.new(node, "root", admin=True)
    await bring_in(node, garden, item(1, "Grace"))
    room = await root.group()
    for command, fields in (
        ("people.create", {"handle": "grace"}),
        ("conversations.direct", {"with": "grace"}),
        ("conversations.members.add", {"conversation": room, "member": "grace"}),
        ("people.password", {"person": "grace", "new": "correct horse battery"}),
        ("people.reset_link", {"person": "grace"}),
        ("tokens.create", {"person": "grace"}),
    ):
        with pytest.raises(Refusal, match="chatnode user adopt grace"):
            await root.call(command, **fields)


async def test_spellings_of_one_name_are_one_author(node: Node, ann: User, garden: str) -> None:
    await bring_in(node, garden, item(1, "Ada", author_key="ada"), item(2, "ADA", author_key="ada"))
    await bring_in(node, garden, item(3, "aDa", author_key="ada"))
    assert await senders(ann, garden) == ["ada"] * 3


# ---- what is not brought in


async def test_nothing_is_brought_into_a_conversation_of_people(node: Node, ann: User, bob: User) -> None:
    for room in (await ann.group(), await ann.direct(bob), "f" * 32):
        with refused("not_found", "conversation"):
            await bring_in(node, room, item(1))
    with refused("not_found", "conversation"):
        await bring_in(node, await channel(node), item(1), source="zulip")


async def test_members_do_not_import_and_administrators_do(node: Node, ann: User) -> None:
    root = await User.new(node, "root", admin=True)
    fields: dict[str, Any] = {"source": "irc", "key": "#garden", "title": "#garden"}
    with refused("forbidden"):
        await ann.call("import.conversation", **fields)
    garden = (await root.call("import.conversation", **fields))["conversation"]
    items: dict[str, Any] = {"conversation": garden, "source": "irc", "items": [item(1)]}
    with refused("forbidden"):
        await ann.call("import.messages", **items)
    assert (await root.call("import.messages", **items))["imported"] == 1
