"""A permission is asked for when something is changed, as when it was made; and again when the write has its turn."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import trio

from chatnode.errors import Refusal
from chatnode.node import Node
from chatnode.storage.people import sessions
from chatnode.testing import User, refused
from tests.transport.clients import wait_for

from .dialogue import outcome, token_of

NOTICE = {"kind": "system", "system": {"type": "delivery"}}


@pytest.fixture
async def herald(node: Node) -> User:
    """Somebody who may post system messages."""
    await node.call("roles.set", role="herald", permissions=["chat", "groups.create", "notices.post"])
    return await User.new(node, "herald", role="herald")


async def test_a_system_message_is_edited_by_those_alone_who_may_post_one(node: Node, herald: User, ann: User) -> None:
    room = await herald.group(ann)
    notice = await herald.says(room, "it is on its way", **NOTICE)
    plain = await herald.says(room, "good morning")
    chatting = await token_of(herald, scopes=["chat"])
    with refused("forbidden", "message") as caught:
        await chatting.call("messages.edit", message=notice, text="pay here")
    assert "notices.post" in caught.value.message
    with refused("forbidden", "message"):  # not even to what it says: one answer for all texts
        await chatting.call("messages.edit", message=notice, text="it is on its way")
    await chatting.call("messages.edit", message=plain, text="good evening")
    await herald.call("messages.edit", message=notice, text="it is there")
    await node.call("people.role", person="herald", role="member")
    with refused("forbidden", "message"):
        await herald.call("messages.edit", message=notice, text="pay here")
    assert await ann.reads(room) == ["it is there", "good evening"]
    noticing = await token_of(herald, scopes=["chat", "notices.post"])  # a scope is no more than the role
    assert await outcome(noticing.call("messages.edit", message=notice, text="pay here")) == "forbidden"
    await herald.call("messages.delete", message=notice)  # which says nothing


async def test_a_token_of_one_scope_edits_notices_no_more_than_it_posts_them(herald: User, ann: User) -> None:
    room = await herald.group(ann)
    notice = await herald.says(room, "it is on its way", **NOTICE)
    both = await token_of(herald, scopes=["chat", "notices.post"])
    await both.call("messages.edit", message=notice, text="it is there")
    assert await ann.reads(room) == ["it is there"]
    reading = await token_of(herald, scopes=["chat", "notices.post:read"])
    assert await outcome(reading.call("messages.edit", message=notice, text="no")) == "forbidden"
    assert await outcome(reading.call("messages.post", conversation=room, cid="no", text="no", **NOTICE)) == "forbidden"


# ---- between asking and writing


@pytest.mark.parametrize(
    ("end", "command", "fields"),
    [
        ("revoked", "messages.post", {"cid": "late", "text": "too late"}),
        ("revoked", "conversations.update", {"title": "too late"}),
        ("revoked", "conversations.leave", {}),
        ("revoked", "receipts.read", {"seq": 1}),
        ("expired", "messages.post", {"cid": "late", "text": "too late"}),
    ],
)
async def test_a_session_that_ended_before_its_write_had_its_turn_writes_nothing(
    node: Node, ann: User, bob: User, end: str, command: str, fields: dict[str, Any]
) -> None:
    room = await ann.group(bob)
    await bob.says(room, "hello")
    device = await token_of(ann)
    session = await device.session()
    begun, gate = threading.Event(), threading.Event()

    def end_it(tx: Any) -> None:
        begun.set()
        gate.wait(10)
        if end == "revoked":
            sessions.revoke(tx, ann.key, session)
        else:
            sessions.end_by(tx, session, tx.now)

    before = await node.core.db.read(state)
    answers: list[str] = []

    async def ask() -> None:
        answers.append(await outcome(device.call(command, conversation=room, **fields)))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.core.db.write, end_it)
        await wait_for(begun.is_set)
        nursery.start_soon(ask)  # its token is good, and its write waits behind
        await wait_for(lambda: bool(answers) or node.core.db.writes_waiting > 0)
        gate.set()
    assert answers == ["unauthenticated"]
    assert await node.core.db.read(state) == before


def state(reader: Any) -> list[tuple[Any, ...]]:
    """Everything that one of these commands would have changed."""
    return [
        *reader.execute("SELECT id, text FROM messages ORDER BY key").fetchall(),
        *reader.execute("SELECT title FROM conversations").fetchall(),
        *reader.execute("SELECT person, left_gid, read_seq FROM members").fetchall(),
    ]


# ---- who has left


async def test_who_has_left_gets_one_answer_of_what_they_could_see_and_of_all_else_what_anybody_gets(
    ann: User, bob: User, eve: User
) -> None:
    room = await ann.group()
    early = await ann.says(room, "before bob")
    await ann.call("conversations.members.add", conversation=room, member="bob")
    seen = await ann.says(room, "with bob")
    await bob.call("conversations.leave", conversation=room)
    late = await ann.says(room, "after bob")

    async def answer(who: User, message: str) -> dict[str, Any]:
        with pytest.raises(Refusal) as caught:
            await who.call("messages.get", message=message)
        return caught.value.as_json()

    assert (await answer(bob, seen))["code"] == "not_member"
    unknown = await answer(bob, "0" * 32)
    assert unknown["code"] == "not_found"
    assert await answer(bob, early) == await answer(bob, late) == unknown
    for message in (early, seen, late):
        assert await answer(eve, message) == unknown
    for command, fields in (("messages.list", {"conversation": room}), ("messages.history", {"message": seen})):
        assert await outcome(bob.call(command, **fields)) == "not_member"
        assert await outcome(eve.call(command, **fields)) == "not_found"
