"""Who is on a list, since when, and what is told of it."""

from __future__ import annotations

from chatnode.node import Node
from chatnode.testing import User, refused
from tests.plugins.crm.making import delete_contacts, events, make_contacts, members, set_back
from tests.services.dialogue import assert_sound

NO_CONTACT = "0" * 32


async def test_contacts_are_added_once(node: Node, kim: User) -> None:
    ids = await make_contacts(node, "ada", "bob", "cay")
    made = (await kim.does("crm.lists.create", name="Newsletter"))["list"]
    both = [ids["ada"], ids["bob"]]
    assert await kim.does("crm.lists.add", list="Newsletter", contacts=both) == {"changed": 2, "missing": []}
    since = (await kim.does("crm.lists.members", list="Newsletter"))["members"]
    done = await kim.does("crm.lists.add", list="newsletter", contacts=[*both, *both, NO_CONTACT, ids["cay"]])
    assert done == {"changed": 1, "missing": [NO_CONTACT]}
    now = (await kim.does("crm.lists.members", list="Newsletter"))["members"]
    assert now[1:] == since
    told = await events(node, "crm.contact.added_to_list")
    assert [(kind, data["contact_id"], data["list_id"], data["list_name"]) for kind, data in told] == [
        ("contact.added_to_list", ids[name], made["id"], "Newsletter") for name in ("ada", "bob", "cay")
    ]
    assert told[0][1]["added_at"] == since[0]["added_at"]


async def test_contacts_are_removed_once(node: Node, kim: User) -> None:
    ids = await make_contacts(node, "ada", "bob")
    await kim.does("crm.lists.create", name="Newsletter")
    await kim.does("crm.lists.add", list="Newsletter", contacts=list(ids.values()))
    assert (await kim.does("crm.lists.remove", list="Newsletter", contacts=[ids["ada"]]))["changed"] == 1
    assert (await kim.does("crm.lists.remove", list="Newsletter", contacts=[ids["ada"]]))["changed"] == 0
    assert await members(kim, "Newsletter") == ["bob"]
    ((kind, data),) = await events(node, "crm.contact.removed_from_list")
    assert (kind, data["contact_id"]) == ("contact.removed_from_list", ids["ada"])
    assert data["removed_at"]
    await assert_sound(node)


async def test_members_come_in_the_order_of_joining(node: Node, kim: User) -> None:
    ids = await make_contacts(node, "ada", "bob", "cay", "dan")
    await kim.does("crm.lists.create", name="all")
    for name in ("cay", "ada", "dan", "bob"):
        await kim.does("crm.lists.add", list="all", contacts=[ids[name]])
        await set_back(node, "crm_members", "added_at", 1)
    assert await members(kim, "all") == ["bob", "dan", "ada", "cay"]
    assert await members(kim, "all", days=3) == ["bob", "dan"]
    page = await kim.does("crm.lists.members", list="all", limit=3)
    assert [each["contact"]["first_name"] for each in page["members"]] == ["bob", "dan", "ada"]
    rest = await kim.does("crm.lists.members", list="all", limit=3, after=page["next"])
    assert [each["contact"]["first_name"] for each in rest["members"]] == ["cay"]
    assert "next" not in rest


async def test_those_added_at_once_are_paged_without_gaps(node: Node, kim: User) -> None:
    ids = await make_contacts(node, *"abcdefg")
    await kim.does("crm.lists.create", name="all")
    await kim.does("crm.lists.add", list="all", contacts=list(ids.values()))
    found, after = [], None
    while True:
        page = await kim.does("crm.lists.members", list="all", limit=2, **({"after": after} if after else {}))
        found += [each["contact"]["first_name"] for each in page["members"]]
        if (after := page.get("next")) is None:
            break
    assert found == list("gfedcba")


async def test_recently_added_to_any_list(node: Node, kim: User) -> None:
    ids = await make_contacts(node, "ada", "bob")
    for name in ("one", "two"):
        await kim.does("crm.lists.create", name=name)
    await kim.does("crm.lists.add", list="one", contacts=[ids["ada"]])
    await set_back(node, "crm_members", "added_at", 8)
    await kim.does("crm.lists.add", list="two", contacts=list(ids.values()))
    page = await kim.does("crm.lists.members", days=7)
    assert [(each["contact"]["first_name"], each["list_name"]) for each in page["members"]] == [
        ("bob", "two"), ("ada", "two"),
    ]  # fmt: skip
    first = await kim.does("crm.lists.members", limit=2)
    rest = await kim.does("crm.lists.members", limit=2, after=first["next"])
    assert [(each["contact"]["first_name"], each["list_name"]) for each in rest["members"]] == [("ada", "one")]


async def test_the_lists_of_a_contact(node: Node, kim: User) -> None:
    ids = await make_contacts(node, "ada", "bob")
    for name in ("b", "a", "old"):
        await kim.does("crm.lists.create", name=name)
        await kim.does("crm.lists.add", list=name, contacts=[ids["ada"]])
    await kim.does("crm.lists.archive", list="old")
    of = await kim.does("crm.lists.of", contact=ids["ada"])
    assert [each["list"]["name"] for each in of["lists"]] == ["a", "b"]
    assert of["lists"][0]["added_at"]
    of = await kim.does("crm.lists.of", contact=ids["ada"], archived=True)
    assert [each["list"]["name"] for each in of["lists"]] == ["a", "b", "old"]
    assert (await kim.does("crm.lists.of", contact=ids["bob"]))["lists"] == []
    with refused("not_found", "contact"):
        await kim.does("crm.lists.of", contact=NO_CONTACT)


async def test_contacts_or_a_selection(node: Node, kim: User) -> None:
    await kim.does("crm.lists.create", name="all")
    for fields in ({}, {"contacts": [], "select": {"all": True}}):
        with refused("invalid", "contacts"):
            await kim.does("crm.lists.add", list="all", **fields)


async def test_events_say_what_is_left(node: Node, kim: User) -> None:
    ids = await make_contacts(node, "ada")
    await kim.does("crm.lists.create", name="all")
    await kim.does("crm.lists.add", list="all", contacts=[ids["ada"]])
    await kim.does("crm.lists.delete", list="all")
    ((_, data),) = await events(node, "crm.contact.added_to_list")
    assert data["contact_id"] == ids["ada"]
    assert data["list_id"]
    assert "list_name" not in data
    await delete_contacts(node, ids["ada"])
    ((_, data),) = await events(node, "crm.contact.added_to_list")
    assert data["contact_id"] == ids["ada"]
