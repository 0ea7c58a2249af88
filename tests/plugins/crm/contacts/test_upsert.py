"""Another system sends many contacts at a time."""

from __future__ import annotations

from chatnode.node import Node
from chatnode.testing import User, refused
from tests.plugins.crm.contacts.keeping import ADA, Listener, contact, created, found, upserted


async def test_sending_the_same_again_changes_nothing(mara: User) -> None:
    rows = [ADA, {"external_id": "7", "first_name": "Grace"}]
    assert await upserted(mara, *rows) == ["created", "created"]
    listener = await Listener.of(mara)
    assert await upserted(mara, *rows) == ["unchanged", "unchanged"]
    assert await listener.hears() == []


async def test_a_bad_row_is_told_with_its_place_and_harms_no_other(mara: User) -> None:
    reply = await mara.call(
        "crm.contacts.upsert",
        contacts=[
            {"email": "a@example.org"}, {"email": "nonsense"}, {"first_name": "No name to go by"},
            {"email": "b@example.org", "colour": "red"}, {"email": "c@example.org", "owner": "ghost"},
            {"email": "d@example.org", "custom": {"size": "M"}}, {"email": "e@example.org", "custom": 7},
            {"email": "f@example.org", "opted_out": "perhaps"}, {"email": ["g"]}, {"email": "z@example.org"},
        ],
    )  # fmt: skip
    assert [each["verdict"] for each in reply["rows"]] == ["created", *["invalid"] * 8, "created"]
    assert [each["row"] for each in reply["rows"]] == list(range(10))
    places = [each["faults"][0]["field"] for each in reply["rows"] if each["verdict"] == "invalid"]
    assert places == ["email", "email", "colour", "owner", "custom.size", "custom", "opted_out", "email"]
    assert len(await found(mara, "example.org")) == 2


async def test_rows_about_one_contact_are_taken_in_order(mara: User) -> None:
    assert await upserted(
        mara,
        {"email": "a@example.org", "city": "Rome"},
        {"email": "A@example.org", "city": "Paris"},
        {"email": "a@example.org", "city": "Paris", "external_id": "1"},
        {"external_id": "1", "city": "Oslo"},
    ) == ["created", "updated", "updated", "updated"]
    (only,) = (await mara.call("crm.contacts.search", query="a@example.org"))["contacts"]
    assert (only["city"], only["external_id"]) == ("Oslo", "1")


async def test_two_names_of_one_contact_in_one_call(mara: User) -> None:
    ada = await created(mara, **ADA, external_id="1")
    verdicts = await upserted(mara, {"email": "ada@example.org", "city": "Rome"}, {"external_id": "1", "city": "Oslo"})
    assert verdicts == ["updated", "updated"]
    assert (await contact(mara, ada["id"]))["city"] == "Oslo"


async def test_the_external_id_goes_first_and_never_takes_over(mara: User) -> None:
    ada = await created(mara, **ADA, external_id="1")
    await created(mara, email="bob@example.org", external_id="2")
    assert await upserted(
        mara,
        {"external_id": "1", "email": "bob@example.org"},  # two contacts
        {"email": "bob@example.org", "external_id": "3"},  # has another already
        {"external_id": "1", "email": "ada@engines.example"},  # she has a new address
    ) == ["invalid", "invalid", "updated"]
    assert (await contact(mara, ada["id"]))["email"] == "ada@engines.example"


async def test_what_is_left_out_stays_and_what_is_empty_goes(mara: User) -> None:
    ada = await created(mara, **ADA, city="London")
    assert await upserted(mara, {"email": "ada@example.org", "company": "", "city": None}) == ["updated"]
    kept = await contact(mara, ada["id"])
    assert kept.keys() & {"company", "city", "first_name"} == {"first_name"}


async def test_one_with_only_a_phone_number_is_found_by_it_and_the_name(mara: User) -> None:
    """As in an import: people may share a number, and an upsert merges nobody."""
    mum, dad = ({"first_name": name, "phone": "+33 6 12 34 56 78"} for name in ("Mum", "Dad"))
    assert await upserted(mara, mum, dad) == ["created", "created"]
    assert await upserted(mara, mum, {**dad, "first_name": "DAD", "phone": "+33612345678"}) == ["unchanged", "updated"]
    assert await upserted(mara, {**mum, "city": "Lyon"}, {**mum, "city": "Nice"}) == ["updated", "updated"]
    assert await upserted(mara, {"first_name": "Eve", "phone": "612345678"}) == ["invalid"]
    there = (await mara.call("crm.contacts.list"))["contacts"]
    assert [(each["first_name"], each.get("city")) for each in there] == [("DAD", None), ("Mum", "Nice")]


async def test_a_contact_with_an_address_is_not_found_by_its_number(mara: User) -> None:
    bob = {"first_name": "Bob", "phone": "+33612345678"}
    rows = [{**bob, "email": "bob@example.org"}, bob, {"phone": "+33612345678"}]
    for verdict in ("created", "unchanged"):
        reply = await mara.call("crm.contacts.upsert", contacts=rows)
        assert [each["verdict"] for each in reply["rows"]] == [verdict, "invalid", "invalid"]
        [named], [unnamed] = (each["faults"] for each in reply["rows"][1:])
        assert named["message"] == (
            "a contact with this phone number exists; the row needs its email address or external id"
        )
        assert (unnamed["field"], unnamed["code"]) == ("phone", "exists")
    moved = {"email": "bob@example.org", "phone": "+33611111111"}
    assert await upserted(mara, moved, bob) == ["updated", "created"]


async def test_a_thousand_at_a_time_and_no_more(mara: User) -> None:
    rows = [{"email": f"c{number}@example.org"} for number in range(1_000)]
    assert await upserted(mara, *rows) == ["created"] * 1_000
    with refused("invalid", "contacts"):
        await upserted(mara, *rows, ADA)


async def test_it_takes_both_permissions(node: Node) -> None:
    await node.call("roles.set", role="adder", permissions=["chat", "crm.contacts.create"])
    adder = await User.new(node, "adder", role="adder")
    with refused("forbidden"):
        await upserted(adder, ADA)


async def test_another_system_that_does_not_know_of_it_does_not_undo_opting_out(mara: User) -> None:
    ada = await created(mara, **ADA)
    assert await upserted(mara, {"email": "ada@example.org", "opted_out": True}) == ["updated"]
    stale = {"email": "ada@example.org", "opted_out": False, "city": "Rome"}
    assert await upserted(mara, stale) == ["updated"]
    assert "opted_out_at" in await contact(mara, ada["id"])
    await mara.call("crm.contacts.upsert", contacts=[stale], consent="overwrite")
    assert "opted_out_at" not in await contact(mara, ada["id"])


async def test_a_nightly_sync_brings_no_erased_contact_back(mara: User) -> None:
    ada = await created(mara, **ADA)
    await mara.call("crm.contacts.erase", contact=ada["id"], confirm=ada["id"])
    await created(mara, external_id="1")
    rows = [{"email": "Ada@Example.org"}, {"email": "ada@example.org", "external_id": "1"}, {"email": "b@example.org"}]
    reply = (await mara.call("crm.contacts.upsert", contacts=rows))["rows"]
    assert [each["verdict"] for each in reply] == ["invalid", "invalid", "created"]
    assert reply[0]["faults"][0]["code"] == "suppressed"
    await created(mara, **ADA)  # by hand
    assert await upserted(mara, {"email": "ada@example.org", "city": "Rome"}) == ["updated"]
