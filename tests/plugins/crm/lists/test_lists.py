"""Lists are created, changed, archived, restored, deleted and listed."""

from __future__ import annotations

from typing import Any

from chatnode.node import Node
from chatnode.testing import User, refused
from tests.plugins.crm.making import delete_contacts, events, make_contacts, members
from tests.services.dialogue import assert_sound


async def create(who: User, name: str, **fields: Any) -> dict[str, Any]:
    return (await who.does("crm.lists.create", name=name, **fields))["list"]


async def names(who: User, **fields: Any) -> list[str]:
    return [each["name"] for each in (await who.does("crm.lists.list", **fields))["lists"]]


async def test_a_list_has_a_name_a_description_and_an_owner(kim: User, vic: User) -> None:
    made = await create(kim, "  VIP   Customers ", description="**High** value")
    assert made["name"] == "VIP Customers"
    assert (made["kind"], made["is_active"], made["contact_count"]) == ("static", True, 0)
    assert (made["description"], made["owner"]["handle"]) == ("**High** value", "kim")
    assert (await vic.does("crm.lists.get", list="vip customers"))["list"] == made
    assert (await vic.does("crm.lists.get", list=made["id"]))["list"] == made
    with refused("not_found", "list"):
        await vic.does("crm.lists.get", list="nobody")


async def test_names_are_unique_in_any_writing(kim: User) -> None:
    await create(kim, "Café")
    with refused("conflict", "name"):
        await create(kim, " CAFE")
    other = await create(kim, "Bar")
    with refused("conflict", "name"):
        await kim.does("crm.lists.update", list=other["id"], name="cafe")
    renamed = await kim.does("crm.lists.update", list="Café", name="CAFÉ")
    assert renamed["list"]["name"] == "CAFÉ"
    with refused("invalid", "name"):
        await create(kim, " \u200b ")


async def test_it_is_updated_field_by_field(node: Node, kim: User, mara: User) -> None:
    made = await create(kim, "Partners", description="old")
    changed = (await mara.does("crm.lists.update", list="Partners", owner="mara"))["list"]
    assert changed == made | {key: changed[key] for key in ("owner", "updated_at", "last_activity_at")}
    assert changed["owner"]["handle"] == "mara"
    changed = (await mara.does("crm.lists.update", list="Partners", description=""))["list"]
    assert "description" not in changed
    before = changed["updated_at"]
    assert (await mara.does("crm.lists.update", list="Partners", name="Partners"))["list"]["updated_at"] == before
    with refused("not_found", "owner"):
        await mara.does("crm.lists.update", list="Partners", owner="nobody")


async def test_an_archived_list_stays_as_it_is_until_it_is_restored(node: Node, kim: User) -> None:
    ada = (await make_contacts(node, "ada"))["ada"]
    await create(kim, "Webinar")
    await kim.does("crm.lists.add", list="Webinar", contacts=[ada])
    archived = (await kim.does("crm.lists.archive", list="Webinar"))["list"]
    assert archived["is_active"] is False
    assert archived["archived_at"]
    assert (await kim.does("crm.lists.archive", list="Webinar"))["list"] == archived
    for command in ("crm.lists.add", "crm.lists.remove"):
        with refused("conflict", "list"):
            await kim.does(command, list="Webinar", contacts=[ada])
    assert await members(kim, "Webinar") == ["ada"]
    restored = (await kim.does("crm.lists.restore", list="Webinar"))["list"]
    assert restored["is_active"] is True
    assert "archived_at" not in restored
    assert (await kim.does("crm.lists.remove", list="Webinar", contacts=[ada]))["changed"] == 1


async def test_deleting_a_list_leaves_its_contacts(node: Node, kim: User) -> None:
    ids = await make_contacts(node, "ada", "bob")
    made = await create(kim, "Beta")
    await kim.does("crm.lists.add", list="Beta", contacts=list(ids.values()))
    await kim.does("crm.lists.delete", list="Beta")
    with refused("not_found"):
        await kim.does("crm.lists.get", list="Beta")
    assert (await kim.does("crm.lists.of", contact=ids["ada"]))["lists"] == []
    told = await events(node, "crm.list.deleted", "crm.contact.removed_from_list", "crm.contact.added_to_list")
    assert [(kind, data["list_id"]) for kind, data in told] == [
        ("contact.added_to_list", made["id"]),
        ("contact.added_to_list", made["id"]),
        ("list.deleted", made["id"]),
    ]
    again = await create(kim, "Beta")
    assert await members(kim, "Beta") == []
    assert again["id"] != made["id"]
    assert (await node.call("audit.list", limit=10, action="crm.list_deleted"))["entries"][0]["target"] == made["id"]
    await assert_sound(node)


async def test_lists_are_listed_by_name(kim: User, vic: User) -> None:
    for name in ("b", "Ä", "a2", "a1"):
        await create(kim, name)
    await create(kim, "z", kind="campaign")
    await kim.does("crm.lists.archive", list="a1")
    assert await names(vic) == ["Ä", "a1", "a2", "b", "z"]
    assert await names(vic, active=True) == ["Ä", "a2", "b", "z"]
    assert await names(vic, active=False) == ["a1"]
    assert await names(vic, kind="campaign") == ["z"]
    assert await names(vic, query="A") == ["Ä", "a1", "a2"]
    page = await vic.does("crm.lists.list", limit=2)
    assert [each["name"] for each in page["lists"]] == ["Ä", "a1"]
    page = await vic.does("crm.lists.list", limit=3, after=page["next"])
    assert [each["name"] for each in page["lists"]] == ["a2", "b", "z"]
    assert "next" not in page
    with refused("invalid", "after"):
        await vic.does("crm.lists.list", after="nonsense")


async def test_the_collection_filters_and_sorts(node: Node, kim: User, vic: User) -> None:
    ids = await make_contacts(node, "ada", "bob", "cay")
    for name, count in (("one", 1), ("three", 3), ("none", 0)):
        await create(kim, name)
        await kim.does("crm.lists.add", list=name, contacts=list(ids.values())[:count])
    found = await vic.does("items.query", collection="contact_lists", sort="-contact_count")
    assert [(each["name"], each["contact_count"]) for each in found["data"]] == [("three", 3), ("one", 1), ("none", 0)]
    asked = {"filter": {"last_added_at": {"_null": False}, "is_active": {"_eq": True}}, "sort": "name"}
    found = await vic.does("items.query", collection="contact_lists", fields="name", **asked)
    assert found["data"] == [{"name": "one"}, {"name": "three"}]


async def test_a_deleted_contact_is_on_no_list(node: Node, kim: User) -> None:
    ids = await make_contacts(node, "ada", "bob")
    await create(kim, "all")
    await kim.does("crm.lists.add", list="all", contacts=list(ids.values()))
    await delete_contacts(node, ids["ada"])
    assert await members(kim, "all") == ["bob"]
    assert (await kim.does("crm.lists.get", list="all"))["list"]["contact_count"] == 1
    assert await events(node, "crm.contact.removed_from_list") == []
    await assert_sound(node)


async def test_looking_and_managing_are_two_permissions(vic: User, ann: User) -> None:
    with refused("forbidden"):
        await vic.does("crm.lists.create", name="mine")
    with refused("forbidden"):
        await ann.does("crm.lists.list")
    with refused("forbidden"):
        await ann.does("items.query", collection="contact_lists")
