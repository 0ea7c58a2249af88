"""What becomes of messages: edits with their history, deletion for all, pins."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio

from chatnode.node import Node
from chatnode.testing import LiveSession, User, refused

from .dialogue import assert_sound, outcome, with_limits


async def got(who: User, message: str) -> dict[str, Any]:
    return (await who.call("messages.get", message=message))["message"]


async def versions(who: User, message: str) -> list[str]:
    return [each["text"] for each in (await who.call("messages.history", message=message))["editions"]]


async def move_back(node: Node, minutes: int) -> None:
    """Everything was said so much earlier."""
    await node.core.db.write(lambda tx: tx.execute("UPDATE messages SET at = at - ?", (minutes * 60_000,)))


# ---- edits


async def test_an_edit_is_told_and_counted_and_keeps_what_was_said(node: Node, ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    message = await ann.says(talk, "at sevn")
    live = await LiveSession.of(node, bob)
    await ann.call("messages.edit", message=message, text="at seven")
    edited = (await ann.call("messages.edit", message=message, text="at eight"))["message"]
    assert (edited["text"], edited["edits"], edited["seq"]) == ("at eight", 2, 1)
    assert edited["at"] <= edited["edited_at"]
    assert [push["message"]["text"] for push in live.heard("message.edited")] == ["at seven", "at eight"]
    assert live.heard()[-1]["message"] == edited == await got(bob, message)
    editions = (await bob.call("messages.history", message=message))["editions"]
    assert [(each["version"], each["text"]) for each in editions] == [(1, "at sevn"), (2, "at seven"), (3, "at eight")]
    assert (editions[0]["at"], editions[-1]["at"]) == (edited["at"], edited["edited_at"])
    assert (await bob.entry(talk))["last"] == edited
    await assert_sound(node)


async def test_the_same_text_is_no_edit(node: Node, ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    message = await ann.says(talk, "hello")
    live = await LiveSession.of(node, bob)
    assert "edits" not in (await ann.call("messages.edit", message=message, text="hello"))["message"]
    assert (live.heard(), await versions(bob, message)) == ([], ["hello"])


async def test_only_the_sender_edits_what_is_there(node: Node, ann: User, bob: User, eve: User) -> None:
    root = await User.new(node, "root", admin=True)
    room = await root.group(ann, bob)
    message = await ann.says(room, "hello")
    for who in (bob, root):
        with refused("forbidden", "message"):
            await who.call("messages.edit", message=message, text="goodbye")
    with refused("not_found", "message"):
        await eve.call("messages.edit", message=message, text="goodbye")
    with refused("invalid", "text"):
        await ann.call("messages.edit", message=message, text="")
    await ann.call("messages.delete", message=message)
    with refused("gone", "message"):
        await ann.call("messages.edit", message=message, text="hello again")


async def test_an_edit_mentions_nobody_anew(ann: User, bob: User, eve: User) -> None:
    room = await ann.group(bob, eve)
    message = await ann.says(room, "@bob, come")
    edited = (await ann.call("messages.edit", message=message, text="@eve, come"))["message"]
    assert edited["mentions"] == [bob.id]
    assert [(await who.entry(room))["mentions"] for who in (bob, eve)] == [1, 0]


@with_limits(edits=2, edit_minutes=15)
async def test_edits_are_bounded_in_number_and_time(node: Node, ann: User) -> None:
    notes = await ann.direct(ann)
    often, late = [await ann.says(notes, text) for text in ("one", "two")]
    for text in ("won", "once"):
        await ann.call("messages.edit", message=often, text=text)
    with refused("too_large", "message"):
        await ann.call("messages.edit", message=often, text="wonder")
    await move_back(node, 14)
    await ann.call("messages.edit", message=late, text="too")
    await move_back(node, 2)
    with refused("forbidden", "message"):
        await ann.call("messages.edit", message=late, text="to")
    assert await ann.reads(notes) == ["once", "too"]
    for message, same in ((often, "once"), (late, "too")):  # as when a client asks again
        assert (await ann.call("messages.edit", message=message, text=same))["message"]["text"] == same


async def test_what_was_edited_is_found_latest_edit_first(ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    first, second, _ = [await ann.says(talk, text) for text in ("one", "two", "three")]
    await ann.call("messages.edit", message=second, text="too")
    await trio.sleep(0.003)
    await ann.call("messages.edit", message=first, text="won")
    rows = (await bob.call(
        "items.query", collection="messages", filter={"edit_count": {"_gt": 0}}, sort="-edited_at",
        fields="message_text,edit_count",
    ))["data"]  # fmt: skip
    assert [(row["message_text"], row["edit_count"]) for row in rows] == [("won", 1), ("too", 1)]
    rows = (await bob.call("items.query", collection="message_edits", sort="said_at,message_id"))["data"]
    assert sorted((row["message_text"], row["version"]) for row in rows) == [("one", 1), ("two", 1)]


# ---- deletion for all


async def test_what_is_deleted_is_gone_and_its_place_stays(node: Node, ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    message = await ann.says(talk, "the secret", metadata={"a": "b"})
    await ann.call("messages.edit", message=message, text="the other secret")
    await bob.says(talk, "pardon?", reply_to=message)
    live = await LiveSession.of(node, bob)
    gone = (await ann.call("messages.delete", message=message))["message"]
    assert (gone["text"], gone["deleted_reason"], gone["deleted_by"]["handle"]) == ("", "user_request", "ann")
    assert gone["deleted_at"] >= gone["at"]
    assert not {"edits", "edited_at", "metadata", "mentions"} & gone.keys()
    (push,) = live.heard("message.deleted")
    assert push["message"] == gone == await got(bob, message)
    assert await bob.reads(talk) == ["", "pardon?"]
    assert await versions(bob, message) == [""]
    rows = (await bob.call("items.query", collection="messages", filter={"is_deleted": {"_eq": False}}))["data"]
    assert [row["message_text"] for row in rows] == ["pardon?"]
    [row] = (await bob.call("items.query", collection="messages", filter={"is_deleted": {"_eq": True}}))["data"]
    assert (row["deleted_reason"], row["deleted_by_id"], row["message_text"]) == ("user_request", ann.id, None)
    assert (await bob.call("items.query", collection="message_edits"))["data"] == []
    tables = await node.core.db.read(lambda reader: list(reader.execute("SELECT text FROM messages")))
    assert tables == [("",), ("pardon?",)]
    await assert_sound(node)


async def test_deleting_twice_changes_nothing(node: Node, ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    message = await ann.says(talk, "oh")
    gone = await ann.call("messages.delete", message=message)
    live = await LiveSession.of(node, bob)
    assert await ann.call("messages.delete", message=message) == gone
    assert live.heard() == []


async def test_deleted_messages_are_not_counted(ann: User, bob: User) -> None:
    room = await ann.group(bob)
    messages = [await ann.says(room, f"@bob {number}") for number in range(3)]
    await ann.call("messages.delete", message=messages[1])
    [row] = (await bob.call("items.query", collection="conversations"))["data"]
    assert (row["total_message_count"], row["head"], row["mention_count"]) == (2, 3, 2)
    assert (await bob.entry(room))["mentions"] == 2


#: Who deletes what whom wrote, where, with which reason → what happens.
DELETIONS = [
    ("member", "member", "user_request", "ok"),
    ("member", "member", "spam", "invalid"),
    ("member", "other", "spam", "forbidden"),
    ("member", "admin", "spam", "forbidden"),
    ("admin", "member", "user_request", "invalid"),
    ("admin", "member", "moderation", "ok"),
    ("admin", "second", "abuse", "forbidden"),
    ("owner", "admin", "abuse", "ok"),
    ("moderator", "owner", "spam", "ok"),
    ("outsider", "member", "spam", "not_found"),
]


@pytest.mark.parametrize(("who", "author", "reason", "expected"), DELETIONS)
async def test_who_may_delete_and_says_why(node: Node, who: str, author: str, reason: str, expected: str) -> None:
    names = ("owner", "admin", "second", "member", "other", "moderator")
    people = {name: await User.new(node, name) for name in (*names, "outsider")}
    await node.call("people.role", person="moderator", role="moderator")
    room = await people["owner"].group(*(people[name] for name in names[1:]))
    for name in ("admin", "second"):
        await people["owner"].call("conversations.members.role", conversation=room, member=name, role="admin")
    message = await people[author].says(room, "hello")
    asked = people[who].call("messages.delete", message=message, reason=reason)
    assert await outcome(asked) == expected
    shown = await got(people["owner"], message)
    assert shown.get("deleted_reason") == (reason if expected == "ok" else None)
    audit = (await node.call("audit.list", action="messages.delete"))["entries"]
    assert [entry["details"]["reason"] for entry in audit] == ([reason] if expected == "ok" and who != author else [])


# ---- pins


async def test_pins_are_for_everybody_and_the_last_comes_first(node: Node, ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    messages = [await ann.says(talk, text) for text in ("one", "two", "three")]
    live = await LiveSession.of(node, ann)
    for message in (messages[2], messages[0]):
        await bob.call("messages.pin", message=message)

    async def pinned() -> list[str]:
        return [each["text"] for each in (await ann.call("messages.pinned", conversation=talk))["messages"]]

    assert sorted(await pinned()) == ["one", "three"]
    assert ["pinned_at" in push["message"] for push in live.heard("message.pinned")] == [True, True]
    await ann.call("messages.unpin", message=messages[2])
    assert await pinned() == ["one"]
    assert "pinned_at" not in live.heard("message.pinned")[-1]["message"]
    await ann.call("messages.delete", message=messages[0])
    assert await pinned() == []
    with refused("gone", "message"):
        await ann.call("messages.pin", message=messages[0])


@with_limits(pins=1)
async def test_a_group_is_pinned_by_those_who_run_it_and_so_often(ann: User, bob: User) -> None:
    room = await ann.group(bob)
    first, second = [await bob.says(room, text) for text in ("one", "two")]
    with refused("forbidden", "conversation"):
        await bob.call("messages.pin", message=first)
    await ann.call("messages.pin", message=first)
    await ann.call("messages.pin", message=first)
    with refused("too_large", "message"):
        await ann.call("messages.pin", message=second)


# ---- all of it, later


@pytest.mark.parametrize("change", ["edit", "delete", "pin"])
async def test_nothing_changes_in_a_closed_conversation_but_that_words_are_taken_back(
    ann: User, bob: User, change: str
) -> None:
    talk = await ann.direct(bob)
    message = await ann.says(talk, "hello")
    await bob.call("conversations.close", conversation=talk)
    changes: dict[str, Callable[[], Awaitable[Any]]] = {
        "edit": lambda: ann.call("messages.edit", message=message, text="bye"),
        "delete": lambda: ann.call("messages.delete", message=message),
        "pin": lambda: ann.call("messages.pin", message=message),
    }
    assert await outcome(changes[change]()) == ("ok" if change == "delete" else "closed")
