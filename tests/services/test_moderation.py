"""Blocking somebody, and reporting what they wrote."""

from __future__ import annotations

from typing import Any

import pytest

from chatnode.node import Node
from chatnode.testing import LiveSession, User, refused

from .dialogue import assert_sound, outcome, with_limits

# ---- blocks


async def closed_reason(who: User, conversation: str) -> str | None:
    return (await who.call("conversations.get", conversation=conversation))["conversation"].get("closed_reason")


async def test_a_block_closes_the_conversation_of_the_two(node: Node, ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    mine, theirs = await LiveSession.of(node, ann), await LiveSession.of(node, bob)
    for _ in range(2):
        await ann.call("people.block", person="bob")
    (push,) = mine.heard("person.blocked")
    assert (push["person"]["handle"], push["blocked"]) == ("bob", True)
    assert theirs.heard("person.blocked") == [], "bob is not told that he is blocked"
    assert [each["handle"] for each in (await ann.call("people.blocked"))["people"]] == ["bob"]
    assert (await bob.call("people.blocked"))["people"] == []
    assert await closed_reason(ann, talk) == "blocked"
    for who in (ann, bob):
        assert await outcome(who.says(talk, "hello?")) == "closed"
        assert await outcome(who.call("conversations.reopen", conversation=talk)) == "closed"
    await ann.call("people.unblock", person="bob")
    assert mine.heard("person.blocked")[-1]["blocked"] is False
    assert await closed_reason(bob, talk) is None
    await bob.says(talk, "there you are")
    await assert_sound(node)


async def test_when_both_block_both_must_let_go(ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    await ann.call("people.block", person="bob")
    await bob.call("people.block", person="ann")
    await ann.call("people.unblock", person="bob")
    assert await closed_reason(ann, talk) == "blocked"
    await bob.call("people.unblock", person="ann")
    assert await closed_reason(ann, talk) is None


async def test_who_is_blocked_neither_begins_anew_nor_brings_one_into_a_group(ann: User, bob: User) -> None:
    await ann.call("people.block", person="bob")
    assert await outcome(bob.call("conversations.direct", **{"with": "ann"})) == "forbidden"
    assert await outcome(ann.call("conversations.direct", **{"with": "bob"})) == "forbidden"
    assert await outcome(bob.group(ann)) == "forbidden"
    room = await bob.group()
    with refused("forbidden", "member"):
        await bob.call("conversations.members.add", conversation=room, member="ann")


async def test_in_groups_they_are_both_in_they_go_on(ann: User, bob: User) -> None:
    """The block is shown to who blocked, with its time, so that their client can fold what was said."""
    room = await ann.group(bob)
    await ann.call("people.block", person="bob")
    await bob.says(room, "hello all")
    assert await ann.reads(room) == ["hello all"]

    async def part(who: User, of: str) -> dict[str, Any]:
        asked = {"conversation_id": {"_eq": room}, "user_id": {"_eq": of}}
        return (await who.call("items.query", collection="chat_participants", filter=asked))["data"][0]

    shown = await part(ann, "bob")
    assert (shown["is_blocked"], shown["status"]) == (True, "BLOCKED")
    (block,) = (await ann.call("items.query", collection="blocks"))["data"]
    assert (block["blocked_id"], block["blocked_at"]) == (bob.id, shown["blocked_at"])
    shown = await part(bob, "ann")
    assert (shown["is_blocked"], shown["status"]) == (False, "ACTIVE")


async def test_one_blocks_others_who_exist(ann: User) -> None:
    for person, code in (("ann", "invalid"), ("nobody", "not_found")):
        with refused(code):
            await ann.call("people.block", person=person)


# ---- reports


@pytest.fixture
async def mod(node: Node) -> User:
    """A moderator of the node, who is in nobody's conversations."""
    return await User.new(node, "mod", role="moderator")


async def test_what_is_reported_is_read_and_deleted_by_moderators(node: Node, ann: User, bob: User, mod: User) -> None:
    talk = await ann.direct(bob)
    kept, bad = [await ann.says(talk, text) for text in ("between us", "buy my things")]
    await ann.call("messages.edit", message=bad, text="never mind")
    assert await outcome(mod.call("messages.history", message=bad)) == "not_found"
    report = (await bob.call("messages.report", message=bad, reason="spam", note="again"))["report"]
    (listed,) = (await mod.call("reports.list"))["reports"]
    assert (listed["report"], listed["message"]["text"], listed["reporter"]["handle"]) == (report, "never mind", "bob")
    assert (listed["reason"], listed["note"]) == ("spam", "again")
    editions = (await mod.call("messages.history", message=bad))["editions"]
    assert [each["text"] for each in editions] == ["buy my things", "never mind"]
    for message in (kept, bad):
        expected = "ok" if message == bad else "not_found"
        assert await outcome(mod.call("messages.delete", message=message, reason="spam")) == expected
    assert await bob.reads(talk) == ["between us", ""]
    await mod.call("reports.resolve", report=report, resolution="deleted")
    assert (await mod.call("reports.list"))["reports"] == []
    (done,) = (await mod.call("reports.list", resolved=True))["reports"]
    assert (done["resolution"], done["resolved_by"]["handle"]) == ("deleted", "mod")
    with refused("gone", "report"):
        await mod.call("reports.resolve", report=report, resolution="again")
    actions = [entry["action"] for entry in (await node.call("audit.list"))["entries"]]
    assert {"messages.delete", "reports.resolve"} <= set(actions)


async def test_a_second_report_of_the_same_opens_the_first_again(ann: User, bob: User, mod: User) -> None:
    message = await ann.says(await ann.direct(bob), "hm")
    first = await bob.call("messages.report", message=message, reason="spam")
    await mod.call("reports.resolve", report=first["report"], resolution="it is not")
    assert await bob.call("messages.report", message=message, reason="abuse") == first
    (listed,) = (await mod.call("reports.list"))["reports"]
    assert (listed["reason"], "resolved_at" in listed) == ("abuse", False)


async def test_what_was_reported_is_kept_until_the_report_is_resolved(ann: User, bob: User, mod: User) -> None:
    room = await ann.group(bob)
    message = await ann.says(room, "a threat")
    report = (await bob.call("messages.report", message=message, reason="abuse"))["report"]
    await ann.call("messages.edit", message=message, text="a joke")
    await ann.call("messages.delete", message=message)
    await bob.call("messages.report", message=message, reason="abuse", note="it was deleted")
    (listed,) = (await mod.call("reports.list"))["reports"]
    assert (listed["message"]["text"], listed["text"]) == ("", "a threat")
    await mod.call("reports.resolve", report=report, resolution="warned")
    (listed,) = (await mod.call("reports.list", resolved=True))["reports"]
    assert "text" not in listed


async def test_what_was_reported_goes_with_its_author(node: Node, ann: User, bob: User, mod: User) -> None:
    message = await ann.says(await ann.direct(bob), "zebrafinch")
    await bob.call("messages.report", message=message, reason="abuse")
    await ann.call("messages.delete", message=message)
    done = await node.call("people.erase", person="ann", handle="ann")
    assert done["removed"]["reports"] == 1
    await bob.call("messages.report", message=message, reason="abuse")
    (listed,) = (await mod.call("reports.list"))["reports"]
    assert "text" not in listed
    await assert_sound(node)


@with_limits(reports_per_minute=1)
async def test_reports_are_for_those_who_read_and_limited(ann: User, bob: User, eve: User) -> None:
    talk = await ann.direct(bob)
    messages = [await ann.says(talk, text) for text in ("one", "two")]
    with refused("not_found", "message"):
        await eve.call("messages.report", message=messages[0], reason="spam")
    await bob.call("messages.report", message=messages[0], reason="spam")
    with refused("rate_limited"):
        await bob.call("messages.report", message=messages[1], reason="spam")
    for who in (ann, bob):
        with refused("forbidden"):
            await who.call("reports.list")
