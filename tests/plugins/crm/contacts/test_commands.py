"""Creating, changing and deleting contacts, one at a time."""

from __future__ import annotations

import pytest

from chatnode.node import Node
from chatnode.testing import User, configured, refused
from tests.plugins.crm.contacts.keeping import ADA, Listener, contact, created


async def test_a_contact_is_created_shown_changed_and_deleted(mara: User, vic: User) -> None:
    ada = await created(mara, **ADA, description="Wrote the *first* program.", owner="vic")
    assert ada["owner"] == {"id": vic.id, "handle": "vic"}
    assert (ada["source"], ada["created_by"]["handle"]) == ("manual", "mara")
    assert await contact(vic, ada["id"]) == ada
    changed = (await mara.call("crm.contacts.update", contact=ada["id"], company="", city="London"))["contact"]
    assert changed["version"] > ada["version"]
    assert ("company" in changed, changed["city"]) == (False, "London")
    await mara.call("crm.contacts.delete", contact=ada["id"])
    with refused("not_found", "contact"):
        await contact(mara, ada["id"])


async def test_an_address_is_one_contacts_whatever_its_case(mara: User) -> None:
    ada = await created(mara, **ADA)
    with refused("conflict", "email"):
        await created(mara, email="ADA@Example.ORG")
    bob = await created(mara, email="bob@example.org")
    with refused("conflict", "email"):
        await mara.call("crm.contacts.update", contact=bob["id"], email="Ada@example.org")
    await mara.call("crm.contacts.update", contact=ada["id"], email="Ada@Example.org")  # her own
    assert (await contact(mara, ada["id"]))["email"] == "Ada@Example.org"


async def test_an_external_id_is_one_contacts(mara: User) -> None:
    await created(mara, external_id="crm-7")
    with refused("conflict", "external_id"):
        await created(mara, external_id="crm-7", email="x@example.org")


async def test_a_contact_can_be_reached_or_recognized(mara: User) -> None:
    with refused("invalid", "email"):
        await created(mara, first_name="Nobody")
    phone = await created(mara, phone="+33 6 12 34 56 78")
    with refused("invalid", "email"):
        await mara.call("crm.contacts.update", contact=phone["id"], phone="")
    await mara.call("crm.contacts.update", contact=phone["id"], phone="", external_id="7")


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"email": "not an address"}, "email"),
        ({"email": "a@example.org", "first_name": "x" * 256}, "first_name"),
        ({"email": "a@example.org", "owner": "ghost"}, "owner"),
        ({"email": "a@example.org", "custom": {"size": 1}}, "custom.size"),
        ({"email": "a@example.org", "nickname": "A"}, "nickname"),
    ],
)
async def test_what_cannot_be_is_refused_with_its_place(mara: User, fields: dict[str, object], path: str) -> None:
    with refused("invalid", path):
        await created(mara, **fields)


async def test_two_who_change_a_contact_at_once_do_not_undo_each_other(mara: User) -> None:
    ada = await created(mara, **ADA)
    await mara.call("crm.contacts.update", contact=ada["id"], version=ada["version"], city="London")
    with refused("conflict", "version"):
        await mara.call("crm.contacts.update", contact=ada["id"], version=ada["version"], city="Paris")
    assert (await contact(mara, ada["id"]))["city"] == "London"


async def test_saying_the_same_again_is_no_change(mara: User) -> None:
    ada = await created(mara, **ADA, opted_out=True)
    listener = await Listener.of(mara)
    again = (await mara.call("crm.contacts.update", contact=ada["id"], **ADA, opted_out=True))["contact"]
    assert again == ada
    assert await listener.hears() == []


async def test_opting_out_has_a_time(mara: User) -> None:
    ada = await created(mara, **ADA)
    out = (await mara.call("crm.contacts.update", contact=ada["id"], opted_out=True))["contact"]
    assert out["opted_out_at"] == out["updated_at"]
    back = (await mara.call("crm.contacts.update", contact=ada["id"], opted_out=False))["contact"]
    assert "opted_out_at" not in back


async def test_a_list_has_the_newest_first_page_by_page(mara: User) -> None:
    made = [(await created(mara, email=f"c{number}@example.org"))["id"] for number in range(5)]
    page = await mara.call("crm.contacts.list", limit=3)
    rest = await mara.call("crm.contacts.list", limit=3, after=page["next"])
    assert [each["id"] for each in (*page["contacts"], *rest["contacts"])] == made[::-1]
    assert "next" not in rest


async def test_the_id_of_a_deleted_contact_is_never_another_ones(node: Node, mara: User) -> None:
    first = await created(mara, **ADA)
    await mara.call("crm.contacts.delete", contact=first["id"])
    second = await created(mara, **ADA)
    assert second["id"] != first["id"]
    keys = await node.core.db.read(lambda reader: reader.execute("SELECT contact FROM crm_gone").fetchall())
    kept = await node.core.db.read(lambda reader: reader.execute("SELECT key FROM crm_contacts").fetchall())
    assert len({*keys, *kept}) == 2


@pytest.mark.parametrize("config", [configured(plugins={"crm": {"phone_region": "FR"}})], ids=["FR"])
async def test_numbers_are_those_of_the_country_in_the_settings(mara: User) -> None:
    ada = await created(mara, phone="06 12 34 56 78")
    assert "+33" in ada["phone"].replace(" ", "") or ada["phone"].startswith("0")
    (hit,) = (await mara.call("crm.contacts.search", query="+33612345678"))["contacts"]
    assert hit["id"] == ada["id"]
