"""Whom one has blocked, and who has blocked one."""

from __future__ import annotations

from typing import Any

import pytest

from chatnode.node import Node
from chatnode.testing import LiveSession, User, refused
from tests.plugins.contacts.keeping import become_contacts, kept, listed, requests
from tests.services.dialogue import assert_sound


@pytest.mark.parametrize("blocker", ["ann", "bob"])
async def test_neither_sees_the_other_until_it_is_taken_back(node: Node, ann: User, bob: User, blocker: str) -> None:
    await become_contacts(ann, bob)
    await ann.call("contacts.update", person="bob", nickname="Bobby", groups=["Work"], favourite=True)
    before = await kept(ann, bob)
    one, other = (ann, bob) if blocker == "ann" else (bob, ann)
    ears = {who.handle: await LiveSession.of(node, who) for who in (ann, bob)}

    await one.call("people.block", person=other.handle)
    for who, whom in ((ann, bob), (bob, ann)):
        assert (await listed(who), await listed(who, group="Work"), await listed(who, query="b")) == ([], [], [])
        assert (await who.call("contacts.labels.list"))["labels"] == []
        for collection in ("contacts", "contact_labels"):
            assert (await who.call("items.query", collection=collection))["data"] == []
        for command in ("get", "update"):
            with refused("not_found", "person"):
                await who.call(f"contacts.{command}", person=whom.handle)
        assert [push["person"]["handle"] for push in ears[who.handle].heard("contacts.removed")] == [whom.handle]

    await one.call("people.unblock", person=other.handle)
    assert await kept(ann, bob) == before
    assert (await listed(bob), await listed(ann)) == (["ann"], ["bob"])
    for who, whom in ((ann, bob), (bob, ann)):
        (told,) = ears[who.handle].heard("contacts.added")
        assert told["contact"]["person"]["handle"] == whom.handle
    await assert_sound(node)


async def test_where_both_block_the_second_to_take_it_back_counts(node: Node, ann: User, bob: User) -> None:
    await become_contacts(ann, bob)
    ears = await LiveSession.of(node, ann)
    for who, whom in ((ann, "bob"), (bob, "ann")):
        await who.call("people.block", person=whom)
    await ann.call("people.unblock", person="bob")
    assert await listed(ann) == []
    await bob.call("people.unblock", person="ann")
    assert await listed(ann) == ["bob"]
    assert len(ears.heard("contacts.removed")) == len(ears.heard("contacts.added")) == 1


async def test_who_has_blocked_or_is_blocked_does_not_ask_or_add(ann: User, bob: User) -> None:
    """In the words that opening a conversation is refused with: nothing more is to be learned here."""
    await bob.call("people.block", person="ann")
    said: list[Any] = []
    for who, whom in ((ann, "bob"), (bob, "ann")):
        for command in ("contacts.request", "contacts.add"):
            with refused("forbidden", "person") as caught:
                await who.call(command, person=whom)
            said.append(caught.value.message)
        with refused("forbidden", "with") as caught:
            await who.call("conversations.direct", **{"with": whom})
        said.append(caught.value.message)
    assert len(set(said[:3])) == len(set(said[3:])) == 1


@pytest.mark.parametrize("blocker", ["ann", "bob"])
async def test_a_request_goes_when_one_blocks_the_other(node: Node, ann: User, bob: User, blocker: str) -> None:
    await ann.call("contacts.request", person="bob")
    ears = {who.handle: await LiveSession.of(node, who) for who in (ann, bob)}
    one, other = (ann, "bob") if blocker == "ann" else (bob, "ann")
    await one.call("people.block", person=other)
    assert (await requests(ann, "outgoing"), await requests(bob, "incoming")) == ([], [])
    for each in ears.values():
        (told,) = each.heard("contacts.request_cancelled")
        assert (told["from"]["handle"], told["to"]["handle"]) == ("ann", "bob")
    await one.call("people.unblock", person=other)
    assert await requests(bob, "incoming") == []
    await ann.call("contacts.request", person="bob")


async def test_what_was_blocked_while_contacts_did_not_run_is_not_shown(
    node: Node, ann: User, bob: User, eve: User
) -> None:
    """Nothing stands on having heard of it."""
    await become_contacts(ann, bob)
    await eve.call("contacts.request", person="ann")

    def block(tx: Any) -> None:
        for other in (bob, eve):
            tx.execute("INSERT INTO blocks VALUES (?, ?, 1)", (ann.account.key, other.account.key))

    await node.core.db.write(block)
    assert (await listed(ann), await listed(bob), await requests(ann, "incoming")) == ([], [], [])
    assert (await eve.call("items.query", collection="contact_requests"))["data"] == []
    with refused("forbidden", "person"):
        await ann.call("contacts.accept", person="eve")


async def test_who_is_not_shown_can_be_removed(ann: User, bob: User) -> None:
    await become_contacts(ann, bob)
    await ann.call("people.block", person="bob")
    await ann.call("contacts.remove", person="bob")
    await ann.call("people.unblock", person="bob")
    assert (await listed(ann), await listed(bob)) == ([], ["ann"])
