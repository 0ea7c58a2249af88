"""Asking to be a contact, and answering."""

from __future__ import annotations

import pytest

from chatnode.config import Config, Limits
from chatnode.node import Node
from chatnode.testing import User, refused
from tests.plugins.contacts.keeping import become_contacts, contact, listed, requests, set_back, with_settings
from tests.services.dialogue import assert_sound, outcome


async def test_who_accepts_is_in_the_list_and_has_them_in_theirs(node: Node, ann: User, bob: User) -> None:
    await ann.call("contacts.request", person="bob", note="  We met in Turku.\n")
    assert (await requests(bob, "incoming"), await requests(ann, "outgoing")) == (["ann"], ["bob"])
    (asked,) = (await bob.call("contacts.requests"))["requests"]
    assert (asked["from"]["name"], asked["to"]["name"], asked["note"]) == ("ann", "bob", "We met in Turku.")
    assert await listed(ann) == await listed(bob) == []

    accepted = await bob.call("contacts.accept", person="ann")
    assert accepted["contact"]["person"]["handle"] == "ann"
    assert (await listed(ann), await listed(bob)) == (["bob"], ["ann"])
    assert (await requests(bob, "incoming"), await requests(ann, "outgoing")) == ([], [])
    await assert_sound(node)


async def test_contacts_see_each_others_presence(node: Node, bob: User) -> None:
    """By the core's own rule: they have a conversation, in which nothing need be said."""
    cay = await User.new(node, "cay")  # who is not connected
    await bob.call("presence.status", text="in the garden")
    assert (await cay.call("presence.get", people=["bob"]))["people"] == []
    conversation = await become_contacts(cay, bob)
    assert conversation == await cay.direct(bob)
    badge = (await contact(cay, bob))["presence"]
    assert (badge["online"], badge["text"], "last_active_at" in badge) == (True, "in the garden", True)
    assert (await contact(bob, cay))["presence"]["online"] is False
    (told,) = (await cay.call("presence.get", people=["bob"]))["people"]
    assert {**badge, "person": {"id": bob.id, "handle": "bob"}} == told


@with_settings(open_direct=0)
async def test_where_no_conversation_is_opened_there_is_no_presence(ann: User, bob: User) -> None:
    await ann.call("contacts.request", person="bob")
    assert "conversation" not in await bob.call("contacts.accept", person="ann")
    assert "presence" not in await contact(ann, bob)
    assert (await ann.call("inbox.list"))["conversations"] == []


async def test_asking_who_has_asked_accepts(ann: User, bob: User) -> None:
    await ann.call("contacts.request", person="bob")
    assert await bob.call("contacts.request", person="ann") == {"state": "accepted"}
    assert (await listed(ann), await listed(bob), await requests(ann, "outgoing")) == (["bob"], ["ann"], [])


async def test_asking_twice_is_asking_once(ann: User, bob: User) -> None:
    for _ in range(2):
        assert await ann.call("contacts.request", person="bob") == {"state": "requested"}
    assert await requests(bob, "incoming") == ["ann"]


async def test_who_are_contacts_need_not_ask(ann: User, bob: User) -> None:
    await become_contacts(ann, bob)
    with refused("conflict", "person"):
        await ann.call("contacts.request", person="bob")
    await bob.call("contacts.remove", person="ann")  # who took the other out of their list is asked again
    assert await ann.call("contacts.request", person="bob") == {"state": "requested"}


async def test_a_request_is_withdrawn(ann: User, bob: User) -> None:
    await ann.call("contacts.request", person="bob")
    await ann.call("contacts.cancel", person="bob")
    assert await requests(bob, "incoming") == []
    with refused("not_found", "person"):
        await bob.call("contacts.accept", person="ann")
    with refused("not_found", "person"):
        await ann.call("contacts.cancel", person="bob")
    assert await ann.call("contacts.request", person="bob") == {"state": "requested"}


async def test_who_was_declined_may_ask_again_after_a_while(node: Node, ann: User, bob: User) -> None:
    await ann.call("contacts.request", person="bob", note="please")
    await bob.call("contacts.decline", person="ann")
    assert (await requests(ann, "outgoing"), await requests(bob, "incoming")) == ([], [])
    with refused("rate_limited", "person") as caught:
        await ann.call("contacts.request", person="bob")
    assert 29 * 86_400 < (caught.value.retry_after or 0) <= 30 * 86_400
    with refused("not_found", "person"):
        await bob.call("contacts.decline", person="ann")

    await set_back(node, "contacts_requests", "declined_at", 30)
    await ann.call("contacts.request", person="bob")
    assert await requests(bob, "incoming") == ["ann"]


async def test_who_has_declined_may_ask_themself(ann: User, bob: User) -> None:
    await ann.call("contacts.request", person="bob")
    await bob.call("contacts.decline", person="ann")
    assert await bob.call("contacts.request", person="ann") == {"state": "requested"}
    await ann.call("contacts.accept", person="bob")
    assert (await listed(ann), await listed(bob)) == (["bob"], ["ann"])


async def test_what_was_declined_long_ago_is_forgotten(node: Node, ann: User, bob: User, eve: User) -> None:
    for asker in (ann, eve):
        await asker.call("contacts.request", person="bob")
        await bob.call("contacts.decline", person=asker.handle)
        await set_back(node, "contacts_requests", "declined_at", 20)
    await node.call("jobs.run", job="contacts.forget")
    rows = await node.core.db.read(lambda reader: reader.execute("SELECT sender FROM contacts_requests").fetchall())
    assert rows == [(eve.account.key,)]


async def test_nobody_asks_themself_or_nobody(ann: User) -> None:
    with refused("invalid", "person"):
        await ann.call("contacts.request", person="ann")
    for command in ("request", "accept", "decline", "cancel"):
        with refused("not_found", "person"):
            await ann.call(f"contacts.{command}", person="nobody")


async def test_who_is_deactivated_is_not_asked(node: Node, ann: User, bob: User, eve: User) -> None:
    await eve.call("contacts.request", person="bob")
    await node.call("people.deactivate", person="eve")
    with refused("forbidden"):
        await ann.call("contacts.request", person="eve")
    with refused("forbidden"):
        await bob.call("contacts.accept", person="eve")


async def test_requests_are_listed_page_by_page_newest_first(node: Node, ann: User) -> None:
    for number in range(5):
        await (await User.new(node, f"fan{number}")).call("contacts.request", person="ann")
    found: list[str] = []
    page = await ann.call("contacts.requests", limit=2)
    while True:
        found += [each["from"]["handle"] for each in page["requests"]]
        if "next" not in page:
            break
        page = await ann.call("contacts.requests", limit=2, after=page["next"])
    assert found == ["fan4", "fan3", "fan2", "fan1", "fan0"]


@with_settings(pending_requests=2)
async def test_requests_without_an_answer_are_bounded(node: Node, ann: User, bob: User, eve: User) -> None:
    for number in range(3):
        await User.new(node, f"star{number}")
    assert [await outcome(ann.call("contacts.request", person=f"star{number}")) for number in range(3)] == [
        "ok", "ok", "too_large",
    ]  # fmt: skip
    await ann.call("contacts.cancel", person="star1")
    await ann.call("contacts.request", person="star2")
    await bob.call("contacts.request", person="star0")
    with refused("too_large", "person"):
        await eve.call("contacts.request", person="star0")  # whom two have asked


@with_settings(requests_per_minute=2)
async def test_how_often_one_asks_is_limited(ann: User, bob: User) -> None:
    for _ in range(2):
        await ann.call("contacts.request", person="bob")
    with refused("rate_limited"):
        await ann.call("contacts.request", person="bob")


@with_settings(entries=1)
async def test_a_full_list_takes_nobody_in(ann: User, bob: User, eve: User) -> None:
    await become_contacts(ann, bob)
    await eve.call("contacts.request", person="ann")
    with refused("too_large", "person"):
        await ann.call("contacts.accept", person="eve")
    assert (await listed(eve), await requests(ann, "incoming")) == ([], ["eve"])  # nothing of it was done


@pytest.mark.parametrize("config", [Config(limits=Limits(page_items=3))])
async def test_pages_are_no_larger_than_the_node_allows(node: Node, ann: User) -> None:
    for number in range(4):
        await (await User.new(node, f"fan{number}")).call("contacts.request", person="ann")
    assert len((await ann.call("contacts.requests", limit=100))["requests"]) == 3
