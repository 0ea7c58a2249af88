"""Questions that the pages of a contacts service ask, each as one command or one query."""

from __future__ import annotations

import re
from typing import Any

import pytest

from chatnode.node import Node
from chatnode.testing import User, catch_up, refused
from chatnode.transport import metrics
from tests.plugins.crm.contacts.keeping import Listener
from tests.plugins.crm.exports.making import export, rows_of
from tests.plugins.crm.imports.importing import begun, finished
from tests.plugins.crm.making import events, members, set_back, with_settings

CONTACTS: list[dict[str, Any]] = [
    {"first_name": "John", "last_name": "Doe", "company": "Acme Corp", "country": "France", "city": "Paris"},
    {"first_name": "Jane", "last_name": "Smith", "company": "Tech Inc", "country": "France", "city": "Lyon"},
    {"first_name": "Zoe", "last_name": "Adler", "company": "Acme Corp", "country": "Italy", "city": "Rome"},
    {"first_name": "Max", "last_name": "Moritz", "country": "France", "city": "Paris"},
]


@pytest.fixture
async def ids(node: Node, mara: User) -> dict[str, str]:
    """The ids of the contacts by first name. Max has been there for 40 days."""
    rows = [{**each, "email": f"{each['first_name'].lower()}@firm.org"} for each in CONTACTS]
    verdicts = (await mara.call("crm.contacts.upsert", contacts=rows))["rows"]
    await set_back(node, "crm_contacts", "created_at", 40, "first_name = 'Max'")
    return {each["first_name"]: verdict["contact"] for each, verdict in zip(CONTACTS, verdicts, strict=True)}


@pytest.fixture
async def tagged(kim: User, ids: dict[str, str]) -> None:
    """John is a VIP and active, Jane is active, Zoe reads the newsletter; Max has no tag."""
    for name, of in (("VIP", ["John"]), ("Active", ["John", "Jane"]), ("Newsletter", ["Zoe"])):
        await kim.call("crm.tags.create", name=name)
        await kim.call("crm.tags.apply", tags=[name], contacts=[ids[each] for each in of])


async def make_list(who: User, name: str, ids: list[str], **fields: Any) -> str:
    made = (await who.call("crm.lists.create", name=name, **fields))["list"]
    if ids:
        await who.call("crm.lists.add", list=name, contacts=ids)
    return made["id"]


async def query(who: User, collection: str, column: str, **asked: Any) -> list[Any]:
    rows = (await who.call("items.query", collection=collection, fields=column, **asked))["data"]
    return [row.get(column) for row in rows]


async def matching(who: User, filter: dict[str, Any], sort: str = "first_name") -> list[str]:
    return await query(who, "crm_contacts", "first_name", filter=filter, sort=sort)


# ---- contacts


async def test_get_a_contact_by_its_address(vic: User, ids: dict[str, str]) -> None:
    assert await matching(vic, {"email": {"_eq": "john@firm.org"}}) == ["John"]
    found = await vic.call("crm.contacts.search", query="JOHN@firm.org")
    assert [each["id"] for each in found["contacts"]] == [ids["John"]]


async def test_get_contacts_of_a_country_and_a_city(vic: User, ids: dict[str, str]) -> None:
    assert await matching(vic, {"country": {"_eq": "France"}}) == ["Jane", "John", "Max"]
    assert await matching(vic, {"city": {"_eq": "Paris"}}) == ["John", "Max"]
    assert await matching(vic, {"country": {"_eq": "France"}, "city": {"_eq": "Paris"}}) == ["John", "Max"]


async def test_get_contacts_with_a_company_by_company_and_last_name(vic: User, ids: dict[str, str]) -> None:
    assert await matching(vic, {"company": {"_null": False}}, sort="company,last_name") == ["Zoe", "John", "Jane"]


async def test_get_contacts_of_the_last_30_days_newest_first(node: Node, vic: User, ids: dict[str, str]) -> None:
    await set_back(node, "crm_contacts", "created_at", 29, "first_name = 'Jane'")
    await set_back(node, "crm_contacts", "created_at", 3, "first_name = 'Zoe'")
    recent = {"created_at": {"_in_last": "30 days"}}
    assert await matching(vic, recent, sort="-created_at") == ["John", "Zoe", "Jane"]


async def test_find_contacts_by_either_name(vic: User, ids: dict[str, str]) -> None:
    for text, expected in (("doe", ["John"]), ("Jo", ["John"]), ("acme", ["Zoe", "John"]), ("nobody", [])):
        found = await vic.call("crm.contacts.search", query=text)
        assert [each["first_name"] for each in found["contacts"]] == expected, text


# ---- lists


async def test_get_active_lists_by_name(kim: User, vic: User) -> None:
    for name in ("VIP Customers", "Beta testers", "Old campaign"):
        await make_list(kim, name, [])
    await kim.call("crm.lists.archive", list="Old campaign")
    active = {"filter": {"is_active": {"_eq": True}}, "sort": "name"}
    assert await query(vic, "contact_lists", "name", **active) == ["Beta testers", "VIP Customers"]
    listed = await vic.call("crm.lists.list", active=True)
    assert [each["name"] for each in listed["lists"]] == ["Beta testers", "VIP Customers"]


async def test_get_lists_of_the_last_90_days_newest_first(node: Node, kim: User, vic: User) -> None:
    for name, days in (("new", 0), ("older", 89), ("oldest", 91)):
        await make_list(kim, name, [])
        await set_back(node, "crm_lists", "created_at", days, f"name = '{name}'")
    asked = {"filter": {"created_at": {"_in_last": "90 days"}}, "sort": "-created_at"}
    assert await query(vic, "contact_lists", "name", **asked) == ["new", "older"]


async def test_get_the_contacts_of_a_list_with_their_date_latest_first(
    node: Node, kim: User, vic: User, ids: dict[str, str]
) -> None:
    await make_list(kim, "VIP Customers", [ids["John"]])
    await set_back(node, "crm_members", "added_at", 8)
    await kim.call("crm.lists.add", list="VIP Customers", contacts=[ids["Zoe"]])
    page = await vic.call("crm.lists.members", list="VIP Customers")
    assert [each["contact"]["first_name"] for each in page["members"]] == ["Zoe", "John"]
    assert page["members"][0]["added_at"] > page["members"][1]["added_at"]


async def test_get_those_added_to_a_list_in_the_last_7_days(
    node: Node, kim: User, vic: User, ids: dict[str, str]
) -> None:
    await make_list(kim, "VIP Customers", [ids["John"]])
    await set_back(node, "crm_members", "added_at", 8)
    await kim.call("crm.lists.add", list="VIP Customers", contacts=[ids["Zoe"], ids["Jane"]])
    assert sorted(await members(vic, "VIP Customers", days=7)) == ["Jane", "Zoe"]


async def test_get_those_added_to_any_list_in_the_last_7_days(
    node: Node, kim: User, vic: User, ids: dict[str, str]
) -> None:
    await make_list(kim, "Beta testers", [ids["John"]])
    await set_back(node, "crm_members", "added_at", 8)
    await make_list(kim, "Partners", [ids["John"]])
    page = await vic.call("crm.lists.members", days=7)
    assert [(each["contact"]["first_name"], each["list_name"]) for each in page["members"]] == [("John", "Partners")]


async def test_get_the_active_lists_of_a_contact(kim: User, vic: User, ids: dict[str, str]) -> None:
    for name in ("Partners", "Beta testers", "Old campaign"):
        await make_list(kim, name, [ids["John"]])
    await kim.call("crm.lists.archive", list="Old campaign")
    joined = await vic.call("crm.lists.of", contact=ids["John"])
    assert [each["list"]["name"] for each in joined["lists"]] == ["Beta testers", "Partners"]


async def test_add_several_contacts_to_a_new_list(kim: User, ids: dict[str, str]) -> None:
    await make_list(kim, "VIP Customers", [], description="High-value customer segment")
    done = await kim.call("crm.lists.add", list="VIP Customers", contacts=list(ids.values()))
    assert done == {"changed": 4, "missing": []}
    done = await kim.call("crm.lists.remove", list="VIP Customers", contacts=[ids["John"], ids["Jane"]])
    assert done == {"changed": 2, "missing": []}
    assert sorted(await members(kim, "VIP Customers")) == ["Max", "Zoe"]


async def test_fill_a_list_by_a_stored_filter(node: Node, kim: User, ids: dict[str, str], tagged: None) -> None:
    """Country, city, created after a day, and one of some tags; and it follows them."""
    filter = {
        "country": {"_eq": "France"},
        "city": {"_eq": "Paris"},
        "created_at": {"_gte": "2024-01-01T00:00:00Z"},
        "tags": {"_has_any": ["VIP"]},
    }
    await kim.call("crm.segments.create", name="Parisian VIPs", filter=filter)
    assert await members(kim, "Parisian VIPs") == ["John"]
    await kim.call("crm.tags.apply", tags=["VIP"], contacts=[ids["Max"], ids["Jane"]])
    assert sorted(await members(kim, "Parisian VIPs")) == ["John", "Max"]


async def test_copy_a_list_with_all_its_contacts(kim: User, ids: dict[str, str]) -> None:
    await make_list(kim, "Partners", [ids["John"], ids["Zoe"]], description="who sells for us")
    made = await kim.call("crm.lists.copy", list="Partners")
    shown = {name: made["list"][name] for name in ("name", "description", "is_active")}
    assert shown == {"name": "Partners (Copy)", "description": "who sells for us", "is_active": True}
    assert sorted(await members(kim, "Partners (Copy)")) == ["John", "Zoe"]


async def test_merge_lists_into_one(node: Node, kim: User, ids: dict[str, str]) -> None:
    await make_list(kim, "All Customers", [ids["John"]])
    await make_list(kim, "North", [ids["John"], ids["Jane"]])
    await make_list(kim, "South", [ids["Zoe"], ids["Jane"]])
    merged = await kim.call("crm.lists.merge", sources=["North", "South"], into="All Customers")
    assert (merged["changed"], merged["list"]["contact_count"]) == (2, 3)
    assert sorted(await members(kim, "All Customers")) == ["Jane", "John", "Zoe"]
    assert sorted(await members(kim, "North")) == ["Jane", "John"]
    told = await events(node, "crm.contact.added_to_list")
    assert [data["list_name"] for _, data in told][-2:] == ["All Customers", "All Customers"]


async def test_find_contacts_that_are_on_at_least_2_of_3_lists(kim: User, vic: User, ids: dict[str, str]) -> None:
    for name, of in (("one", ["John", "Jane"]), ("two", ["John", "Zoe"]), ("three", ["John", "Zoe", "Max"])):
        await make_list(kim, name, [ids[each] for each in of])
    lists = ["one", "two", "three"]
    page = await vic.call("crm.lists.overlap", lists=lists, at_least=2)
    assert sorted(each["first_name"] for each in page["contacts"]) == ["John", "Zoe"]
    page = await vic.call("crm.lists.overlap", lists=lists)
    assert [each["first_name"] for each in page["contacts"]] == ["John"]


# ---- tags


async def test_get_contacts_with_a_tag(vic: User, tagged: None) -> None:
    assert await matching(vic, {"tags": {"_has_any": ["VIP"]}}) == ["John"]


async def test_get_contacts_with_any_of_some_tags(vic: User, tagged: None) -> None:
    asked = ["VIP", "Active", "Newsletter"]
    assert await matching(vic, {"tags": {"_has_any": asked}}) == ["Jane", "John", "Zoe"]
    page = await vic.call("crm.tags.contacts", any=asked)
    assert page["count"] == 3


async def test_get_contacts_with_all_of_some_tags(vic: User, tagged: None) -> None:
    assert await matching(vic, {"tags": {"_has_all": ["VIP", "Active"]}}) == ["John"]
    page = await vic.call("crm.tags.contacts", all=["VIP", "Active"])
    assert [each["first_name"] for each in page["contacts"]] == ["John"]


async def test_tag_several_contacts_and_take_the_tag_from_all(
    kim: User, vic: User, ids: dict[str, str], tagged: None
) -> None:
    """Who has it already is not tagged again."""
    done = await kim.call("crm.tags.apply", tags=["VIP"], contacts=list(ids.values()))
    assert done == {"changed": 3, "missing": []}
    assert (await kim.call("crm.tags.clear", tag="VIP"))["changed"] == 4
    assert await matching(vic, {"tags": {"_has_any": ["VIP"]}}) == []


async def test_take_one_tag_or_all_from_a_contact(kim: User, vic: User, ids: dict[str, str], tagged: None) -> None:
    await kim.call("crm.tags.remove", tags=["VIP"], contacts=[ids["John"]])
    given = await vic.call("crm.tags.of", contact=ids["John"])
    assert [each["tag"]["name"] for each in given["tags"]] == ["Active"]
    await kim.call("crm.tags.apply", tags=["VIP", "Newsletter"], contacts=[ids["John"]])
    await kim.call("crm.tags.remove", contacts=[ids["John"]])
    assert (await vic.call("crm.tags.of", contact=ids["John"]))["tags"] == []


# ---- files

FILE = """email,first_name,last_name,company,phone,country,city
JOHN@firm.org,John,Doe,New Company Inc,,,
jane@firm.org,Jane,Smith,Tech Inc,,France,Lyon
ann@firm.org,Ann,Lee,,+33698765432,France,Paris
,No,Address,,,,
"""


async def test_import_a_file_into_a_list(node: Node, mara: User, ids: dict[str, str]) -> None:
    """Of each contact it is told what really happened: one is new, one has changed, one is as it was and on the list
    already."""
    await make_list(mara, "Newsletter Subscribers", [ids["Jane"]])
    since = (await mara.call("crm.lists.members", list="Newsletter Subscribers"))["members"]
    listener = await Listener.of(mara)
    id = await begun(mara, FILE, list="Newsletter Subscribers")
    counts = (await finished(node, mara, "start", id))["counts"]
    assert {name: counts[name] for name in ("created", "updated", "unchanged", "invalid", "listed")} == {
        "created": 1, "updated": 1, "unchanged": 1, "invalid": 1, "listed": 2,
    }  # fmt: skip
    told = sorted((each["event_type"], each["data"]["contact_id"]) for each in await listener.hears())
    [ann] = await query(mara, "crm_contacts", "contact_id", filter={"first_name": {"_eq": "Ann"}})
    assert told == sorted([
        ("contact.created", ann), ("contact.updated", ids["John"]),
        ("contact.added_to_list", ann), ("contact.added_to_list", ids["John"]),
    ])  # fmt: skip
    assert sorted(await members(mara, "Newsletter Subscribers")) == ["Ann", "Jane", "John"]
    assert since[0] in (await mara.call("crm.lists.members", list="Newsletter Subscribers"))["members"]


@with_settings(import_rows=3)
async def test_a_file_has_at_most_so_many_rows(node: Node, mara: User) -> None:
    with refused("invalid", "file") as caught:
        await begun(mara, FILE)
    assert "row 4, line 5: more rows than the maximum of 3" in caught.value.message
    await begun(mara, "".join(FILE.splitlines(keepends=True)[:4]))


async def test_export_contacts_of_a_list_and_a_country_with_any_of_some_tags(
    node: Node, kim: User, ids: dict[str, str], tagged: None
) -> None:
    await make_list(kim, "Newsletter Subscribers", [ids["John"], ids["Zoe"], ids["Max"]])
    asked = {
        "lists": {"_has_any": ["Newsletter Subscribers"]},
        "country": {"_eq": "France"},
        "tags": {"_has_any": ["VIP", "Newsletter"]},
    }
    [row] = await rows_of(node, await export(node, kim, contacts={"filter": asked}))
    at = (await kim.call("crm.contacts.get", contact=ids["John"]))["contact"]["created_at"]
    assert row == {
        "Email": "john@firm.org", "First Name": "John", "Last Name": "Doe", "Company": "Acme Corp", "Phone": "",
        "Country": "France", "City": "Paris", "Created At": f"{at[:10]} {at[11:19]}",
    }  # fmt: skip


# ---- figures and upkeep


async def test_get_new_contacts_per_day_with_the_running_total(node: Node, vic: User, ids: dict[str, str]) -> None:
    await catch_up(node)
    days = (await vic.call("crm.statistics.growth", days=30))["days"]
    assert len(days) == 30
    assert (days[0]["new_contacts"], days[0]["running_total"], days[0]["total_contacts"]) == (4, 4, 4)
    assert (days[1]["new_contacts"], days[1]["running_total"]) == (0, 0)
    assert days[0]["date"] > days[1]["date"]


async def test_get_lists_by_size_with_their_latest_contact(kim: User, vic: User, ids: dict[str, str]) -> None:
    await make_list(kim, "empty", [])
    await make_list(kim, "small", [ids["John"]])
    await make_list(kim, "large", list(ids.values()))
    lists = (await vic.call("crm.statistics.lists"))["lists"]
    assert [(each["name"], each["contact_count"]) for each in lists] == [("large", 4), ("small", 1), ("empty", 0)]
    assert ["last_contact_added" in each for each in lists] == [True, True, False]


async def test_get_the_20_most_popular_tags(kim: User, vic: User, tagged: None) -> None:
    await kim.call("crm.tags.create", name="Lead", color="#3B82F6")
    tags = (await vic.call("crm.statistics.tags", limit=20))["tags"]
    assert [(each["name"], each["contact_count"]) for each in tags] == [
        ("Active", 2), ("Newsletter", 1), ("VIP", 1), ("Lead", 0),
    ]  # fmt: skip
    assert [each["color"] for each in tags][2:] == ["#6B7280", "#3B82F6"]


async def test_get_the_distribution_by_country(vic: User, ids: dict[str, str]) -> None:
    places = (await vic.call("crm.statistics.geography", limit=20))["places"]
    assert places == [
        {"country": "France", "contact_count": 3, "percentage": 75.0},
        {"country": "Italy", "contact_count": 1, "percentage": 25.0},
    ]
    grouped = await vic.call("items.query", collection="crm_contacts", group_by="country")
    assert {row["country"]: row["count"] for row in grouped["data"]} == {"France": 3, "Italy": 1}


async def test_find_addresses_that_can_hardly_be_right(mara: User, vic: User, ids: dict[str, str]) -> None:
    await mara.call("crm.contacts.create", email="ann@gmial.com")
    page = await vic.call("crm.contacts.implausible", limit=100)
    assert [each["contact"]["email"] for each in page["contacts"]] == ["ann@gmial.com"]


async def test_archive_lists_without_a_change_for_a_year(node: Node, kim: User, vic: User) -> None:
    for name, days in (("idle", 366), ("in use", 364)):
        await make_list(kim, name, [])
        for column in ("created_at", "updated_at", "active_at"):
            await set_back(node, "crm_lists", column, days, f"name = '{name}'")
    await node.call("jobs.run", job="crm.lists_archive")
    assert await query(vic, "contact_lists", "name", filter={"is_active": {"_eq": False}}) == ["idle"]


async def test_get_the_numbers_of_contacts_and_active_lists(node: Node, kim: User, tagged: None) -> None:
    for name in ("Partners", "Old campaign"):
        await make_list(kim, name, [])
    await kim.call("crm.lists.archive", list="Old campaign")
    ok, parts = await node.health()
    assert (ok, parts["plugin.crm"]) == (
        True, {"status": "ok", "contacts": 4, "lists": 1, "works_waiting": 0, "works_failed": 0},
    )  # fmt: skip
    text = await metrics.page(node.core, node.sessions, parts)
    for name, value in (("contacts", 4), ("lists_active", 1), ("tags", 3), ("works_waiting", 0), ("works_failed", 0)):
        assert re.search(rf"^chatnode_crm_{name} {value}(\.0)?$", text, re.MULTILINE), name
