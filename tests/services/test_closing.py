"""Closing and opening conversations again, support, and what a conversation is about."""

from __future__ import annotations

from typing import Any

import pytest

from chatnode.model.times import DAY_MS
from chatnode.node import Node
from chatnode.storage.engine.transaction import Transaction
from chatnode.testing import LiveSession, User, refused

from .dialogue import assert_sound, outcome


async def details(who: User, conversation: str) -> dict[str, Any]:
    return (await who.call("conversations.get", conversation=conversation))["conversation"]


async def days_pass(node: Node, days: int) -> None:
    """Everything that was opened, said or closed is so much older."""

    def write(tx: Transaction) -> None:
        tx.execute("UPDATE messages SET at = at - ?", (days * DAY_MS,))
        tx.execute(
            "UPDATE conversations SET created_at = created_at - :ms, last_at = last_at - :ms, "
            "opened_at = opened_at - :ms, closed_at = closed_at - :ms",
            {"ms": days * DAY_MS},
        )

    await node.core.db.write(write)


async def close_idle(node: Node) -> str:
    return (await node.call("jobs.run", job="close idle"))["job"]["result"]


# ---- by hand


@pytest.mark.parametrize("reason", ["manual", "completed"])
async def test_a_closed_conversation_is_read_and_not_written(node: Node, ann: User, bob: User, reason: str) -> None:
    talk = await ann.direct(bob)
    await ann.says(talk, "that is all")
    live = await LiveSession.of(node, bob)
    await ann.call("conversations.close", conversation=talk, reason=reason)
    (push,) = live.heard("conversation.updated")
    assert push["details"] == await details(bob, talk)
    assert push["details"]["closed_reason"] == reason
    assert (await bob.entry(talk))["closed_at"] == push["details"]["closed_at"]
    for who in (ann, bob):
        with refused("closed", "conversation"):
            await who.says(talk, "one more thing")
    with refused("closed", "conversation"):
        await bob.call("conversations.close", conversation=talk)
    assert await bob.reads(talk) == ["that is all"]
    await bob.call("receipts.read", conversation=talk, seq=1)
    [row] = (await ann.call("items.query", collection="conversations", filter={"is_closed": {"_eq": True}}))["data"]
    assert (row["closed_reason"], row["is_active"]) == (reason, True)

    await bob.call("conversations.reopen", conversation=talk)
    await bob.call("conversations.reopen", conversation=talk)  # is open
    assert not {"closed_at", "closed_reason"} & (await details(ann, talk)).keys()
    assert len(live.heard("conversation.updated")) == 2
    await ann.says(talk, "one more thing")


@pytest.mark.parametrize("reason", ["blocked", "inactive"])
async def test_some_reasons_are_the_nodes_own(ann: User, bob: User, reason: str) -> None:
    with refused("invalid", "reason"):
        await ann.call("conversations.close", conversation=await ann.direct(bob), reason=reason)


async def test_a_group_is_closed_by_those_who_run_it(ann: User, bob: User) -> None:
    room = await ann.group(bob)
    for command in ("conversations.close", "conversations.reopen"):
        with refused("forbidden", "conversation"):
            await bob.call(command, conversation=room)
        await ann.call(command, conversation=room)


# ---- by itself


@pytest.mark.parametrize("kind", ["direct", "group"])
async def test_what_nobody_spoke_in_for_30_days_is_closed_where_that_was_asked_for(
    node: Node, ann: User, bob: User, kind: str
) -> None:
    room = await ann.direct(bob) if kind == "direct" else await ann.group(bob)
    await ann.call("conversations.update", conversation=room, idle_days=30)
    other = await ann.group(bob)
    for conversation in (room, other):
        await ann.says(conversation, "is anybody there?")
    await days_pass(node, 29)
    assert await close_idle(node) == "0 conversations closed"
    await days_pass(node, 2)
    live = await LiveSession.of(node, bob)
    assert await close_idle(node) == "1 conversation closed"
    assert [push["details"]["closed_reason"] for push in live.heard("conversation.updated")] == ["inactive"]
    assert (await details(bob, room))["closed_reason"] == "inactive"
    assert "closed_at" not in await details(bob, other)
    assert await outcome(bob.says(room, "yes!")) == "closed"

    await ann.call("conversations.reopen", conversation=room)
    assert await close_idle(node) == "0 conversations closed", "the days count from when it was opened again"
    await bob.says(room, "yes!")
    await ann.call("conversations.update", conversation=room, idle_days=0)
    await days_pass(node, 31)
    assert await close_idle(node) == "0 conversations closed"
    await assert_sound(node)


async def test_of_two_people_either_says_when_their_conversation_closes_and_nothing_else(ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    await bob.call("conversations.update", conversation=talk, idle_days=7)
    assert (await details(ann, talk))["idle_days"] == 7
    for fields in ({"retention_days": 1}, {"idle_days": 8, "title": "ours"}, {"description": "x"}):
        with refused("forbidden"):
            await ann.call("conversations.update", conversation=talk, **fields)
    assert (await details(ann, talk))["idle_days"] == 7


# ---- support, and what it is about


async def test_support_is_a_conversation_with_all_who_answer_it(node: Node, ann: User, bob: User) -> None:
    with refused("not_found"):
        await ann.call("conversations.support", title="help")
    for handle, role in (("agent", "moderator"), ("boss", "admin")):
        await User.new(node, handle)
        await node.call("people.role", person=handle, role=role)
    about = {"type": "order", "id": "7"}
    case = (await ann.call("conversations.support", title="help", context=about))["conversation"]
    assert await ann.members(case) == {"agent": "admin", "ann": "owner", "boss": "admin"}
    opened = await details(ann, case)
    assert (opened["purpose"], opened["context"], opened["visibility"]) == ("support", about, "private")
    [row] = (await ann.call(
        "items.query", collection="conversations", filter={"conversation_type": {"_eq": "SUPPORT"}},
    ))["data"]  # fmt: skip
    assert (row["conversation_id"], row["initiator_id"]) == (case, ann.id)
    with refused("not_found", "conversation"):
        await bob.call("conversations.get", conversation=case)


async def test_who_may_not_chat_answers_no_support(node: Node, ann: User) -> None:
    await node.call("roles.set", role="ticketing", permissions=["support"])
    agent = await User.new(node, "agent")
    await node.call("people.role", person=agent.handle, role="ticketing")
    with refused("not_found"):
        await ann.call("conversations.support", title="help")
    await node.call("roles.set", role="ticketing", permissions=["support", "chat"])
    case = (await ann.call("conversations.support", title="help"))["conversation"]
    assert set(await ann.members(case)) == {"agent", "ann"}


async def test_conversations_about_a_thing_are_found_by_it(ann: User, bob: User, eve: User) -> None:
    def about(number: int) -> dict[str, str]:
        return {"type": "order", "id": str(number)}

    seven = sorted([await ann.group(bob, title=f"{number}", context=about(7)) for number in range(3)])
    eight = await ann.group(eve, context=about(8))
    assert (await details(bob, seven[0]))["context"] == about(7)

    async def found(who: User, number: int, **fields: Any) -> list[str]:
        page = await who.call("conversations.context", type="order", context_id=str(number), **fields)
        return [each["conversation"] for each in page["conversations"]]

    assert (await found(bob, 7), await found(bob, 8), await found(eve, 7)) == (seven, [], [])
    assert await found(ann, 8) == [eight]
    assert await found(ann, 7, limit=2) + await found(ann, 7, after=seven[1]) == seven
    over_http = await bob.call("conversations.context", **about(7))
    assert [each["conversation"] for each in over_http["conversations"]] == seven
    with refused("invalid", "context_id"):
        await bob.call("conversations.context", type="order")
