"""Who types: told at once, for a few seconds, and written nowhere."""

from __future__ import annotations

from typing import Any

import pytest

from chatnode.node import Node
from chatnode.testing import LiveSession, User, refused

from .dialogue import rows_written, with_limits


def heard(session: LiveSession) -> list[tuple[str, bool]]:
    """Who typed, and whether they do or stopped."""
    return [(push["person"]["handle"], "until" in push) for push in session.heard("typing")]


async def typists(who: User, conversation: str) -> list[str]:
    listed = (await who.call("typing.list", conversation=conversation))["typing"]
    return [each["person"]["handle"] for each in listed]


async def test_the_others_are_told_and_nothing_is_written(node: Node, ann: User, bob: User, eve: User) -> None:
    talk = await ann.direct(bob)
    anns, bobs, eves = [await LiveSession.of(node, who) for who in (ann, bob, eve)]
    before = await rows_written(node)
    said = await ann.call("typing", conversation=talk)
    assert bobs.heard() == [
        {
            "event": "typing",
            "conversation": talk,
            "person": {"id": ann.id, "handle": "ann"},
            "until": said["until"],
        }
    ]
    assert anns.heard() == eves.heard() == []
    assert await typists(bob, talk) == ["ann"]
    assert await typists(ann, talk) == []  # who types knows it
    assert await rows_written(node) == before


async def test_it_ends_by_itself(node: Node, ann: User, bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    talk = await ann.direct(bob)
    now = 1_000_000
    monkeypatch.setattr(node.presence.typing, "_clock", lambda: now)
    assert await ann.call("typing", conversation=talk) == {"until": "1970-01-01T00:16:45.000Z"}
    now += 4_999
    assert await typists(bob, talk) == ["ann"]
    now += 1
    assert await typists(bob, talk) == []
    node.presence.typing.sweep()
    assert len(node.presence.typing) == 0


async def test_saying_it_again_prolongs_it(node: Node, ann: User, bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    talk = await ann.direct(bob)
    now = 1_000_000
    monkeypatch.setattr(node.presence.typing, "_clock", lambda: now)
    for _ in range(3):
        await ann.call("typing", conversation=talk)
        now += 4_000
    assert await typists(bob, talk) == ["ann"]
    assert len(node.presence.typing) == 1


async def test_stopping_is_told_once(node: Node, ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    bobs = await LiveSession.of(node, bob)
    await ann.call("typing", conversation=talk, stop=True)  # she did not
    await ann.call("typing", conversation=talk)
    for _ in range(2):
        assert await ann.call("typing", conversation=talk, stop=True) == {}
    assert heard(bobs) == [("ann", True), ("ann", False)]
    assert await typists(bob, talk) == []


async def test_a_message_ends_it(node: Node, ann: User, bob: User) -> None:
    """The message says so itself."""
    talk, other = await ann.direct(bob), await ann.group(bob)
    bobs = await LiveSession.of(node, bob)
    for conversation in (talk, other):
        await ann.call("typing", conversation=conversation)
    await ann.says(talk, "so")
    assert (await typists(bob, talk), await typists(bob, other)) == ([], ["ann"])
    assert heard(bobs) == [("ann", True)] * 2


async def test_who_is_out_types_no_more(node: Node, ann: User, bob: User, eve: User) -> None:
    room = await ann.group(bob, eve)
    eves = await LiveSession.of(node, eve)
    await bob.call("typing", conversation=room)
    await ann.call("conversations.members.remove", conversation=room, member="bob")
    assert (heard(eves), await typists(eve, room)) == ([("bob", True), ("bob", False)], [])
    with refused("not_member"):
        await bob.call("typing", conversation=room)
    with refused("not_member"):
        await bob.call("typing.list", conversation=room)


async def test_strangers_do_not_learn_that_there_is_anything(ann: User, bob: User, eve: User) -> None:
    talk = await ann.direct(bob)
    for command in ("typing", "typing.list"):
        with refused("not_found", "conversation"):
            await eve.call(command, conversation=talk)


async def sql(node: Node, statement: str, *values: Any) -> None:
    await node.core.db.write(lambda tx: tx.execute(statement, values))


async def test_in_a_closed_conversation_nobody_types(node: Node, ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    await bob.call("typing", conversation=talk)
    await ann.call("conversations.close", conversation=talk)
    assert await typists(ann, talk) == []
    with refused("closed", "conversation"):
        await ann.call("typing", conversation=talk)


@pytest.mark.parametrize("blocker", ["ann", "bob"])
async def test_where_one_blocks_the_other_nobody_types(node: Node, ann: User, bob: User, blocker: str) -> None:
    talk = await ann.direct(bob)
    pair = (ann, bob) if blocker == "ann" else (bob, ann)
    await sql(node, "INSERT INTO blocks VALUES (?, ?, 1)", *(who.account.key for who in pair))
    with refused("forbidden", "conversation"):
        await ann.call("typing", conversation=talk)


async def test_in_a_group_who_is_blocked_sees_it_not(node: Node, ann: User, bob: User, eve: User) -> None:
    room = await ann.group(bob, eve)
    bobs, eves = await LiveSession.of(node, bob), await LiveSession.of(node, eve)
    await sql(node, "INSERT INTO blocks VALUES (?, ?, 1)", ann.account.key, bob.account.key)
    await ann.call("typing", conversation=room)
    assert (heard(bobs), heard(eves)) == ([], [("ann", True)])
    assert (await typists(bob, room), await typists(eve, room)) == ([], ["ann"])


async def test_who_hides_types_unseen(node: Node, ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    bobs = await LiveSession.of(node, bob)
    await ann.call("presence.visible", visible=False)
    assert "until" in await ann.call("typing", conversation=talk)
    assert (heard(bobs), await typists(bob, talk)) == ([], [])


@with_limits(typing_per_minute=2)
async def test_saying_it_is_limited(ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    for _ in range(2):
        await ann.call("typing", conversation=talk)
    with refused("rate_limited"):
        await ann.call("typing", conversation=talk)
    await ann.says(talk, "messages have their own limit")
