"""Several files in one message: posted, shown, searched, edited, taken away."""

from __future__ import annotations

from typing import Any

import pytest

from chatnode.api import Transaction, access_message, change_files, person_by_key
from chatnode.node import Node
from chatnode.testing import LiveSession, User, refused

from .dialogue import assert_sound, new_cid, with_limits


def file(name: str, type: str = "image/png", **more: Any) -> dict[str, Any]:
    return {"file": f"https://files.example/{name}", "name": name, "type": type, "bytes": 900, **more}


CAT, DOG, PLAN = file("cat.png", width=9), file("dog.png"), file("plan.pdf", "application/pdf")


async def post(who: User, conversation: str, **fields: Any) -> dict[str, Any]:
    """Post, and look at it as somebody who opens the conversation."""
    posted = await who.call("messages.post", conversation=conversation, **({"cid": new_cid()} | fields))
    return (await who.call("messages.get", message=posted["message"]))["message"]


async def keep(who: User, message: str, *kept: int) -> None:
    """As a plugin does when it removes files, on behalf of a user."""

    def change(tx: Transaction) -> None:
        account = person_by_key(tx, who.key)
        place, found = access_message(tx, account, message)
        change_files(tx, place, found.seq, [(found.files or [])[each] for each in kept], account)

    await who.node.core.db.write(change)


async def test_a_message_has_several_files(node: Node, ann: User, bob: User) -> None:
    """Clients that know of one show the first."""
    talk = await ann.direct(bob)
    live = await LiveSession.of(node, bob)
    shown = await post(ann, talk, kind="image", files=[CAT, DOG], text="which one?")
    assert (shown["kind"], shown["files"], shown["media"], shown["text"]) == ("image", [CAT, DOG], CAT, "which one?")
    assert [push["message"] for push in live.heard("message.posted")] == [shown]
    assert (await bob.entry(talk))["last"] == shown
    assert await bob.sees(talk) == [shown]


async def test_one_named_as_media_is_a_list_of_one(ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    shown = await post(ann, talk, kind="file", media=PLAN, cid="plan")
    assert (shown["files"], shown["media"]) == ([PLAN], PLAN)
    assert (await ann.call("messages.post", conversation=talk, cid="plan", kind="file", files=[PLAN]))["dup"]


async def test_a_recording_says_how_long_and_how_loud(ann: User) -> None:
    said = file("note.ogg", "audio/ogg", voice=True, duration_ms=4_200, waveform=[0, 31, 7])
    assert (await post(ann, await ann.direct(ann), kind="file", files=[said]))["files"] == [said]


TEXT, IMAGE = {"kind": "text", "text": "hello"}, {"kind": "image"}


@pytest.mark.parametrize(
    ("fields", "code", "path"),
    [
        (TEXT | {"files": [CAT]}, "invalid", "files"),
        (TEXT | {"files": []}, "invalid", "files"),
        (IMAGE | {"files": []}, "invalid", "files"),
        (IMAGE | {"files": [CAT], "media": CAT}, "invalid", "media"),
        (IMAGE | {"files": [CAT, DOG, CAT]}, "invalid", "files.2"),
        (IMAGE | {"files": [CAT, {"file": "0" * 32}]}, "invalid", "files.1.name"),
        (IMAGE | {"files": [{"file": "0" * 32, "name": "a", "type": "image/png"}]}, "invalid", "files.0.bytes"),
        (IMAGE | {"media": {"file": "0" * 32}}, "invalid", "media.name"),
        (IMAGE | {"files": [CAT, DOG | {"type": "picture"}]}, "invalid", "files.1.type"),
        (IMAGE | {"files": [CAT | {"scan": "safe"}]}, "invalid", "files.0.scan"),
        (IMAGE | {"files": [CAT | {"waveform": [32]}]}, "invalid", "files.0.waveform.0"),
        (IMAGE | {"files": [file(str(each)) for each in range(11)]}, "too_large", "files"),
        ({"kind": "location", "location": {"latitude": 0, "longitude": 0}, "files": [CAT]}, "invalid", "files"),
    ],
)
async def test_what_is_wrong_with_files_is_named(ann: User, fields: dict[str, Any], code: str, path: str) -> None:
    notes = await ann.direct(ann)
    with refused(code, path):
        await post(ann, notes, **fields)
    assert await ann.sees(notes) == []


@with_limits(files_per_message=0)
async def test_the_number_of_files_need_not_be_limited(ann: User) -> None:
    files = [file(str(each)) for each in range(50)]
    assert (await post(ann, await ann.direct(ann), kind="image", files=files))["files"] == files


async def test_a_repeat_names_the_same_files(ann: User, bob: User) -> None:
    """Whatever else a client knows of them, and whatever became of the message."""
    talk = await ann.direct(bob)
    sent = {"conversation": talk, "cid": "one", "kind": "image", "files": [CAT, DOG], "text": "look"}
    message = (await ann.call("messages.post", **sent))["message"]
    again = sent | {"files": [CAT | {"bytes": 7}, DOG | {"width": 3}]}
    assert (await ann.call("messages.post", **again))["dup"]
    for fields in ({"files": [CAT]}, {"files": [DOG, CAT]}, {"kind": "file"}, {"text": "see"}, {"reply_to": message}):
        with refused("conflict", "cid"):
            await ann.call("messages.post", **(sent | fields))
    with refused("conflict", "cid"):
        await ann.call("messages.post", conversation=talk, cid="one", text="look")
    await ann.call("messages.edit", message=message, text="look here")
    assert (await ann.call("messages.post", **sent))["dup"]
    await keep(ann, message)
    assert (await ann.call("messages.post", **sent))["dup"]
    with refused("conflict", "cid"):
        await ann.call("messages.post", conversation=talk, cid="one", text="look here")
    await ann.call("messages.delete", message=message)
    assert (await ann.call("messages.post", **sent))["dup"]
    await assert_sound(ann.node)


async def test_an_edit_keeps_the_files_and_a_deletion_does_not(ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    shown = await post(ann, talk, kind="image", files=[CAT, DOG], text="loook")
    edited = (await ann.call("messages.edit", message=shown["message"], text="look"))["message"]
    assert (edited["text"], edited["files"]) == ("look", [CAT, DOG])
    await ann.call("messages.delete", message=shown["message"])
    [left] = await bob.sees(talk)
    assert not {"files", "media"} & left.keys()
    stored = await ann.node.core.db.read(lambda reader: reader.execute("SELECT content, sent FROM messages").fetchall())
    assert stored == [(None, None)]


# ---- taking files away


async def test_members_are_told_that_a_file_was_removed(node: Node, ann: User, bob: User, eve: User) -> None:
    """It is no edit of the text: that has the same versions as before."""
    room = await ann.group(bob, history="since_joining")
    shown = await post(ann, room, kind="image", files=[CAT, DOG], text="look")
    await ann.call("conversations.members.add", conversation=room, member="eve")
    lives = [await LiveSession.of(node, who) for who in (bob, eve)]
    await keep(ann, shown["message"], 1)
    now = {**shown, "files": [DOG], "media": DOG}
    assert [[push["message"] for push in live.heard("message.edited")] for live in lives] == [[now], []]
    assert await bob.sees(room) == [now]
    await keep(ann, shown["message"])
    text = {name: value for name, value in shown.items() if name not in ("files", "media", "kind")} | {"kind": "text"}
    assert await bob.sees(room) == [text]
    assert len((await bob.call("messages.history", message=shown["message"]))["editions"]) == 1
    await assert_sound(node)


async def test_what_has_nothing_to_lose_loses_nothing(ann: User) -> None:
    notes = await ann.direct(ann)
    bare = await post(ann, notes, kind="file", files=[PLAN])
    with refused("invalid", "message"):
        await keep(ann, bare["message"])
    words = await post(ann, notes, text="hello")
    with refused("invalid", "message"):
        await keep(ann, words["message"])
    await ann.call("messages.delete", message=bare["message"])
    with refused("gone", "message"):
        await keep(ann, bare["message"])


# ---- finding


async def test_each_file_is_found_by_its_name_while_it_is_there(ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    shown = await post(ann, talk, kind="file", files=[PLAN, file("garden-shed.txt", "text/plain")], text="see these")

    async def finds(*queries: str) -> list[int]:
        return [len((await bob.call("search.messages", query=query))["results"]) for query in queries]

    assert await finds("plan", "shed", "these has:file", "plan shed") == [1, 1, 1, 1]
    await keep(ann, shown["message"], 0)
    assert await finds("plan", "shed", "these") == [1, 0, 1]


async def test_messages_are_queried_by_their_files(ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    two = await post(ann, talk, kind="image", files=[CAT, DOG])
    one = await post(ann, talk, kind="file", files=[PLAN])
    await post(ann, talk, text="hello")
    await post(ann, talk, kind="location", location={"latitude": 0, "longitude": 0})
    gone = await post(ann, talk, kind="image", files=[CAT])
    await ann.call("messages.delete", message=gone["message"])

    async def query(**fields: Any) -> list[dict[str, Any]]:
        return (await bob.call("items.query", collection="messages", sort="seq", **fields))["data"]

    has = await query(filter={"has_attachments": {"_eq": True}}, fields="message_id,attachment_count")
    assert has == [
        {"message_id": two["message"], "attachment_count": 2}, {"message_id": one["message"], "attachment_count": 1},
    ]  # fmt: skip
    counts = await query(fields="has_attachments,attachment_count")
    assert [each["attachment_count"] for each in counts] == [2, 1, 0, 0, 0]
    assert [each["has_attachments"] for each in counts] == [True, True, False, False, False]
    [many] = await query(filter={"attachment_count": {"_gt": 1}}, fields="content")
    assert many["content"] == {"files": [CAT, DOG]}
