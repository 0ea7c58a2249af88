"""Posting and reading, as dialogues between people."""

from __future__ import annotations

import re
from typing import Any

import pytest
import trio

from chatnode.dispatch import acting
from chatnode.dispatch.caller import Caller
from chatnode.model.ids import message_id
from chatnode.node import Node
from chatnode.protocol import codec
from chatnode.protocol.envelopes import Encoded
from chatnode.testing import LiveSession, User, refused

from .dialogue import assert_sound, new_cid, outcome, with_limits

# ---- posting


async def test_a_message_reaches_everybody_in_the_conversation(node: Node, ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    live = await LiveSession.of(node, bob)
    posted = await ann.call("messages.post", conversation=talk, cid="one", text="hello\nbob")
    message = {
        "message": message_id(ann.id, "one"), "conversation": talk, "seq": 1, "gid": posted["gid"],
        "sender": {"id": ann.id, "handle": "ann"}, "cid": "one", "text": "hello\nbob", "kind": "text",
    }  # fmt: skip
    assert posted == {"gid": posted["gid"], "seq": 1, "message": message["message"], "dup": False}
    (push,) = live.heard("message.posted")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", push["message"]["at"])
    message["at"] = push["message"]["at"]
    assert push == {"gid": posted["gid"], "event": "message.posted", "conversation": talk, "message": message}
    assert (await bob.call("messages.list", conversation=talk))["messages"] == [message]
    assert (await bob.call("messages.get", message=message["message"]))["message"] == message
    assert (await bob.entry(talk))["last"] == message


async def test_messages_are_numbered_without_a_gap(ann: User, bob: User) -> None:
    talk, other = await ann.direct(bob), await ann.group(bob)
    for number in range(1, 4):
        assert (await ann.posts(talk, "here"))["seq"] == (await bob.posts(other, "there"))["seq"] == number


async def test_a_repeated_cid_returns_the_first_answer(node: Node, ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    live = await LiveSession.of(node, bob)
    first = await ann.call("messages.post", conversation=talk, cid="one", text="hello")
    await bob.says(talk, "in between")
    again = await ann.call("messages.post", conversation=talk, cid="one", text="hello")
    assert again == first | {"dup": True}
    assert await bob.reads(talk) == ["hello", "in between"]
    assert len(live.heard("message.posted")) == 2


async def test_the_same_cid_at_the_same_time_is_one_message(node: Node, ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    answers: list[dict[str, Any]] = []

    async def post() -> None:
        answers.append(await ann.call("messages.post", conversation=talk, cid="one", text="hello"))

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(post)
    assert sorted(answer.pop("dup") for answer in answers) == [False] + [True] * 9
    assert all(answer == answers[0] for answer in answers)
    assert await bob.reads(talk) == ["hello"]


async def test_a_cid_used_for_something_else_is_a_conflict(ann: User, bob: User) -> None:
    talk, other = await ann.direct(bob), await ann.group()
    first = await ann.call("messages.post", conversation=talk, cid="one", text="hello")
    for fields in (
        {"conversation": talk, "text": "good bye"},
        {"conversation": other, "text": "hello"},
        {"conversation": talk, "text": "hello", "reply_to": first["message"]},
    ):
        with refused("conflict", "cid"):
            await ann.call("messages.post", cid="one", **fields)


def test_ids_are_in_the_order_of_their_time() -> None:
    """That of a UUIDv7, which is what a client makes; any other text will do too."""
    cids = [f"01900000-{time:04x}-7000-8000-{99 - time:012x}" for time in range(20)]
    ids = [message_id("a" * 32, cid) for cid in cids]
    assert ids == sorted(ids)
    assert all(re.fullmatch("[0-9a-f]{32}", id) for id in (*ids, message_id("a" * 32, "one")))
    assert message_id("a" * 32, cids[0]) != message_id("b" * 32, cids[0])


async def test_everybody_has_their_own_cids(ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    for who in (ann, bob):
        assert not (await who.call("messages.post", conversation=talk, cid="one", text="hello"))["dup"]
    assert await ann.reads(talk) == ["hello", "hello"]


async def test_who_was_put_out_may_still_ask_whether_their_message_arrived(ann: User, bob: User) -> None:
    room = await ann.group(bob)
    first = await bob.call("messages.post", conversation=room, cid="one", text="hello")
    await ann.call("conversations.members.remove", conversation=room, member="bob")
    again = await bob.call("messages.post", conversation=room, cid="one", text="hello")
    assert again == first | {"dup": True}
    with refused("not_member", "conversation"):
        await bob.call("messages.post", conversation=room, cid="two", text="let me in")


@with_limits(message_chars=5)
async def test_a_text_is_as_long_as_the_setting_and_no_longer(ann: User) -> None:
    notes = await ann.direct(ann)
    for text in ("1", "12345", "€€€€€", "👩‍🚀ab", " \n\t "):
        await ann.says(notes, text)
    with refused("too_large", "text"):
        await ann.says(notes, "123456")


@with_limits(message_chars=0)
async def test_no_limit_on_a_text_is_none(ann: User) -> None:
    notes = await ann.direct(ann)
    await ann.says(notes, "x" * 100_000)
    assert [len(text) for text in await ann.reads(notes)] == [100_000]


async def test_what_is_no_text_is_refused(ann: User) -> None:
    notes = await ann.direct(ann)
    for text in ("", "nul\0", None, 7, ["hello"]):
        with refused("invalid", "text"):
            await ann.call("messages.post", conversation=notes, cid=new_cid(), text=text)
    for cid in ("", "x" * 65, "one two", "ünï", None):
        with refused("invalid", "cid"):
            await ann.call("messages.post", conversation=notes, cid=cid, text="hello")


@with_limits(posts_per_minute=3)
async def test_who_posts_too_much_is_told_when_to_go_on(ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    for _ in range(3):
        await ann.says(talk, "hello?")
    with refused("rate_limited") as caught:
        await ann.says(talk, "hello?")
    assert caught.value.retry_after is not None
    assert 0 < caught.value.retry_after <= 20
    assert caught.value.as_json()["temporary"] is True
    await bob.says(talk, "yes yes")
    assert await ann.reads(talk) == ["hello?", "hello?", "hello?", "yes yes"]


@with_limits(requests_per_minute=2)
async def test_who_asks_too_much_too(ann: User, bob: User) -> None:
    await ann.call("inbox.list")
    await ann.call("people.me")
    with refused("rate_limited"):
        await ann.call("inbox.list")
    await bob.call("inbox.list")


# ---- mentions


async def test_a_text_mentions_participants_and_nobody_else(node: Node, ann: User, bob: User) -> None:
    lee = await User.new(node, "ann.lee")
    await User.new(node, "eve")
    room = await ann.group(bob, lee)
    names = {bob.id: "bob", lee.id: "ann.lee", ann.id: "ann"}
    expected: dict[str, list[str]] = {
        "@bob": ["bob"],
        "thanks @bob.": ["bob"],
        "(@bob)": ["bob"],
        "@bob's turn": ["bob"],
        "@bob, @BOB and @bob": ["bob"],
        "@bob and @ann.lee": ["bob", "ann.lee"],
        "hello @ann.lee.": ["ann.lee"],
        "@ann is who writes": ["ann"],
        "first\n@bob": ["bob"],
        "@eve is elsewhere": [],
        "@nobody": [],
        "mail bob@bob.org or bob@example.org": [],
        "a.b-@bob": [],
        "@@bob": [],
        "@ bob": [],
        "@": [],
    }
    found = {}
    for text in expected:
        message = await ann.says(room, text)
        mentions = (await bob.call("messages.get", message=message))["message"].get("mentions", [])
        found[text] = [names[each] for each in mentions]
    assert found == expected
    await assert_sound(node)


async def test_a_handle_that_ends_in_a_sign_is_no_other_persons(node: Node, ann: User, bob: User) -> None:
    """Such a handle is refused, or its person is the one who is mentioned."""
    if await outcome(node.call("people.create", handle="bob_")) == "invalid":
        return
    room = await ann.group(bob)
    await ann.call("conversations.members.add", conversation=room, member="bob_")
    message = await ann.says(room, "@bob_ and nobody else")
    other = (await ann.call("people.get", person="bob_"))["person"]["id"]
    assert (await ann.call("messages.get", message=message))["message"]["mentions"] == [other]


async def test_mentions_are_counted_until_they_are_read(ann: User, bob: User) -> None:
    room = await ann.group(bob)

    async def counts(who: User) -> tuple[int, int]:
        mine = await who.entry(room)
        return mine["unread"], mine["mentions"]

    for text in ("@bob?", "hm", "@bob @bob!", "@ann, to myself"):
        await ann.says(room, text)
    assert (await counts(bob), await counts(ann)) == ((4, 2), (0, 0))
    await bob.call("receipts.read", conversation=room, seq=1)
    assert await counts(bob) == (3, 1)
    await bob.call("receipts.delivered", conversation=room, seq=4)
    assert await counts(bob) == (3, 1)
    await bob.says(room, "here I am")
    assert await counts(bob) == (0, 0)


async def test_who_is_not_there_any_more_is_not_mentioned(ann: User, bob: User) -> None:
    room = await ann.group(bob)
    await bob.call("conversations.leave", conversation=room)
    message = await ann.says(room, "where is @bob?")
    assert "mentions" not in (await ann.call("messages.get", message=message))["message"]


# ---- replies


async def test_a_reply_names_a_message_of_the_same_conversation(ann: User, bob: User) -> None:
    talk, other = await ann.direct(bob), await ann.group(bob)
    question = await ann.posts(talk, "coming?")
    answer = await bob.posts(talk, "yes", reply_to=question["message"])
    shown = (await ann.call("messages.get", message=answer["message"]))["message"]
    assert shown["reply_to"] == question["message"]
    for elsewhere in (await ann.says(other, "hm"), "f" * 32):
        with refused("not_found", "reply_to"):
            await bob.says(talk, "no", reply_to=elsewhere)
    with refused("invalid", "reply_to"):
        await bob.says(talk, "no", reply_to="the first one")


# ---- reading


async def test_history_is_read_in_pages_of_ascending_order(ann: User) -> None:
    notes = await ann.direct(ann)
    for number in range(1, 11):
        await ann.says(notes, str(number))

    async def page(**fields: int) -> str:
        return " ".join(await ann.reads(notes, **fields))

    assert await page() == "1 2 3 4 5 6 7 8 9 10"
    assert await page(limit=3) == "8 9 10"
    assert await page(before=4) == "1 2 3"
    assert await page(before=4, limit=2) == "2 3"
    assert await page(before=1) == await page(before=0) == ""
    assert await page(before=99, limit=1) == "10"
    assert await page(after=8) == "9 10"
    assert await page(after=0, limit=3) == "1 2 3"
    assert await page(after=10) == await page(after=99) == ""
    assert await page(after=2, before=6) == "3 4 5"
    assert await page(after=2, before=6, limit=2) == "3 4"
    assert await page(after=6, before=6) == await page(after=5, before=6) == await page(after=9, before=3) == ""
    assert await page(limit=2**53 - 1) == "1 2 3 4 5 6 7 8 9 10"
    for fields in ({"limit": 0}, {"limit": -1}, {"before": -1}, {"after": -1}, {"after": 2**53}, {"limit": "3"}):
        with refused("invalid", next(iter(fields))):
            await ann.call("messages.list", conversation=notes, **fields)


@with_limits(page_items=2)
async def test_a_page_is_never_larger_than_the_setting(ann: User) -> None:
    notes = await ann.direct(ann)
    for number in range(1, 6):
        await ann.says(notes, str(number))
    assert await ann.reads(notes) == await ann.reads(notes, limit=100) == ["4", "5"]
    assert await ann.reads(notes, after=1, limit=100) == ["2", "3"]


async def test_only_those_who_take_part_read(ann: User, bob: User, eve: User) -> None:
    room = await ann.group(bob, eve)
    message = await ann.says(room, "hello")
    await eve.call("conversations.leave", conversation=room)
    assert await outcome(eve.call("messages.list", conversation=room)) == "not_member"
    assert await outcome(eve.call("messages.get", message=message)) == "not_member"
    assert await outcome(eve.call("messages.get", message="f" * 32)) == "not_found"


# ---- requests that do not fit


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({}, "conversation"),
        ({"conversation": "x"}, "conversation"),
        ({"conversation": "F" * 32}, "conversation"),
        ({"conversation": 7}, "conversation"),
        ({"conversation": "f" * 32, "limit": 1.5}, "limit"),
        ({"conversation": "f" * 32, "limit": True}, "limit"),
        ({"conversation": "f" * 32, "surprise": 1}, "surprise"),
    ],
)
async def test_a_request_that_does_not_fit_is_refused_at_its_fault(
    ann: User, fields: dict[str, Any], path: str
) -> None:
    with refused("invalid", path):
        await ann.call("messages.list", **fields)


async def test_a_fault_within_a_list_has_its_place(ann: User) -> None:
    with refused("invalid", "members.1"):
        await ann.call("conversations.create", title="picnic", members=["ann", 7])
    with refused("invalid", "members"):
        await ann.call("conversations.create", title="picnic", members="ann")
    with refused("invalid", "members"):
        await ann.call("conversations.create", title="picnic", members=["ann"] * 1_001)
    with refused("unknown_command", "op"):
        await ann.call("messages.burn")


async def test_a_client_gets_a_page_as_json_and_a_command_that_asks_for_it_as_values(node: Node, ann: User) -> None:
    place = await ann.group()
    for text in ("one", "two"):
        await ann.says(place, text)
    client = Caller(node.core, ann.account, address="192.0.2.1", takes_json=True)
    reply = await node.table.run(client, "messages.list", {"conversation": place})
    assert isinstance(reply, Encoded)
    page = await acting.call(client, "messages.list", conversation=place)
    assert [message["text"] for message in page["messages"]] == ["one", "two"]
    assert reply.json == codec.encode(page)
