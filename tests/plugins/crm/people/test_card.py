"""The card beside a conversation: for its members who may see contacts, and for nobody else."""

from __future__ import annotations

from chatnode.node import Node
from chatnode.testing import User, refused
from tests.plugins.crm.people.making import contact, of_account


async def test_what_is_known_of_the_other(node: Node, mara: User, ann: User) -> None:
    ada = await of_account(node, ann, mara, first_name="Ada", company="Engines")
    await mara.call("crm.notes.add", contact=ada, text="likes tea")
    talk = await mara.direct(ann)
    await ann.says(talk, "hello")
    await mara.says(talk, "good morning")
    by_talk = await mara.call("crm.contacts.card", conversation=talk)
    assert by_talk == await mara.call("crm.contacts.card", person="ann")
    [card] = by_talk["cards"]
    assert (card["person"]["handle"], card["contact"]["company"]) == ("ann", "Engines")
    assert [(note["text"], note["author"]["handle"]) for note in card["notes"]] == [("likes tea", "mara")]
    assert card["last_message_at"] <= by_talk["last_message_at"]


async def test_nothing_for_others(node: Node, mara: User, vic: User, ann: User, bob: User) -> None:
    await of_account(node, ann, mara)
    await mara.direct(ann)
    talk = await ann.direct(bob)
    for who in (mara, vic):  # they may see contacts, and do not take part
        with refused("not_found"):
            await who.call("crm.contacts.card", conversation=talk)
    with refused("not_found"):
        await vic.call("crm.contacts.card", person="ann")
    for who in (ann, bob):  # they take part, and may not see contacts
        with refused("forbidden"):
            await who.call("crm.contacts.card", conversation=talk)
    with refused("forbidden"):
        await node.call("crm.contacts.card", conversation=talk)


async def test_a_group_and_who_left_it(node: Node, mara: User, vic: User, ann: User, bob: User) -> None:
    await of_account(node, bob, mara)
    group = await ann.group(vic, mara, bob)
    assert [
        card["person"]["handle"] for card in (await vic.call("crm.contacts.card", conversation=group))["cards"]
    ] == ["bob"]
    await bob.call("conversations.leave", conversation=group)
    assert (await vic.call("crm.contacts.card", conversation=group))["cards"] == []
    await vic.call("conversations.leave", conversation=group)
    with refused("not_member"):
        await vic.call("crm.contacts.card", conversation=group)


async def test_an_unverified_identity_shows_nothing(node: Node, mara: User, ann: User) -> None:
    ada = await contact(node, "ada@example.org")
    await mara.call("crm.identities.add", contact=ada, kind="chat", external_id="ann")
    await mara.direct(ann)
    assert (await mara.call("crm.contacts.card", person="ann"))["cards"] == []
    for wrong in ({}, {"person": "ann", "conversation": "0" * 32}):
        with refused("invalid", "conversation"):
            await mara.call("crm.contacts.card", **wrong)
