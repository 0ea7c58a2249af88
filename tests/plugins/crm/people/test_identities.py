"""Where contacts are reached: what is only said never wins over what somebody made sure of."""

from __future__ import annotations

from chatnode.node import Node
from chatnode.testing import User, refused
from tests.plugins.crm.people.making import contact, count


async def test_a_contact_is_found_by_its_account(node: Node, mara: User, ann: User) -> None:
    ada = await contact(node, "ada@example.org", first_name="Ada")
    assert await mara.call("crm.contacts.by_person", person="ann") == {"verified": False}
    added = await mara.call("crm.identities.add", contact=ada, kind="chat", external_id="ann")
    identity = added["identity"]
    assert (identity["external_id"], "verified_at" in identity) == (ann.id, False)
    assert await mara.call("crm.contacts.by_person", person="ann") == {"contact": ada, "verified": False}

    await mara.call("crm.identities.verify", identity=identity["identity"])
    assert (await mara.call("crm.contacts.by_person", person=ann.id))["verified"] is True
    listed = (await mara.call("crm.identities.list", contact=ada))["identities"]
    assert [each["kind"] for each in listed] == ["chat"]

    await mara.call("crm.identities.remove", identity=identity["identity"])
    assert "contact" not in await mara.call("crm.contacts.by_person", person="ann")


async def test_an_unverified_claim_changes_nothing_and_suggests(node: Node, mara: User) -> None:
    ada, eva = await contact(node, "ada@example.org"), await contact(node, "eva@example.org")
    claim = {"kind": "telegram", "external_id": "@ada"}
    await mara.call("crm.identities.add", contact=ada, verified=True, **claim)
    for verified in (False, True):  # whom it was verified to be, it stays
        assert await mara.call("crm.identities.add", contact=eva, verified=verified, **claim) == {"suggested": ada}
    assert (await mara.call("crm.identities.list", contact=eva))["identities"] == []
    [pair] = (await mara.call("crm.duplicates.list", contact=eva))["duplicates"]
    assert ({pair["one"], pair["other"]}, pair["reason"], pair["score"]) == ({ada, eva}, "identity", 100)


async def test_a_verified_claim_takes_over_an_unverified_one(node: Node, mara: User) -> None:
    ada, eva = await contact(node, "ada@example.org"), await contact(node, "eva@example.org")
    claim = {"kind": "telegram", "external_id": "@ada"}
    await mara.call("crm.identities.add", contact=ada, **claim)
    assert (await mara.call("crm.identities.add", contact=eva, **claim)) == {"suggested": ada}
    taken = await mara.call("crm.identities.add", contact=eva, verified=True, **claim)
    assert "verified_at" in taken["identity"]
    assert (await mara.call("crm.identities.list", contact=ada))["identities"] == []
    assert len((await mara.call("crm.duplicates.list"))["duplicates"]) == 1


async def test_claiming_again_verifies_and_changes_nothing_else(node: Node, mara: User, ann: User) -> None:
    ada = await contact(node, "ada@example.org")
    first = await mara.call("crm.identities.add", contact=ada, kind="chat", external_id="ann")
    again = await mara.call("crm.identities.add", contact=ada, kind="chat", external_id=ann.id)
    assert again == first
    verified = await mara.call("crm.identities.add", contact=ada, kind="chat", external_id="ann", verified=True)
    assert verified["identity"]["identity"] == first["identity"]["identity"]
    later = await mara.call("crm.identities.add", contact=ada, kind="chat", external_id="ann")
    assert later == verified  # a weaker claim takes nothing back
    assert await count(node, "SELECT count(*) FROM crm_identities") == 1


async def test_what_cannot_be_an_identity(node: Node, mara: User, vic: User) -> None:
    ada = await contact(node, "ada@example.org")
    await node.call("people.create", handle="robot", bot=True)
    with refused("invalid", "external_id"):
        await mara.call("crm.identities.add", contact=ada, kind="chat", external_id="robot")
    with refused("not_found", "external_id"):
        await mara.call("crm.identities.add", contact=ada, kind="chat", external_id="nobody")
    with refused("not_found", "contact"):
        await mara.call("crm.identities.add", contact="0" * 32, kind="telegram", external_id="@ada")
    with refused("invalid", "kind"):
        await mara.call("crm.identities.add", contact=ada, kind="No such thing", external_id="@ada")
    with refused("forbidden"):
        await vic.call("crm.identities.add", contact=ada, kind="telegram", external_id="@ada")


async def test_who_asks_for_it_gets_no_more_broadcasts(node: Node, mara: User) -> None:
    ada = await contact(node, "ada@example.org")
    assert (await mara.call("crm.contacts.opt_out", contact=ada))["changed"] is True
    assert (await mara.call("crm.contacts.opt_out", contact=ada))["changed"] is False
    assert (await mara.call("crm.contacts.opt_in", contact=ada))["changed"] is True
    assert (await mara.call("crm.contacts.opt_in", contact=ada))["changed"] is False
