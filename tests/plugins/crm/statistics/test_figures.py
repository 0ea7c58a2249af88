"""Growth, sizes of lists, use of tags, where contacts are."""

from __future__ import annotations

from typing import Any

from chatnode.api import DAY_MS, now_ms, rfc3339
from chatnode.node import Node
from chatnode.testing import User, catch_up, refused
from tests.plugins.crm.making import delete_contacts, make_contacts, set_back


def date(days_ago: int = 0) -> str:
    return rfc3339(now_ms() - days_ago * DAY_MS)[:10]


async def growth(node: Node, who: User, days: int) -> list[tuple[str, int, int, int, int]]:
    await catch_up(node)
    found = (await who.does("crm.statistics.growth", days=days))["days"]
    return [tuple(each.values()) for each in found]


async def a_day_passes(node: Node, days: int = 1) -> None:
    """As if everything until now had happened days before."""
    await node.call("jobs.run", job="crm.statistics")
    await catch_up(node)
    for table in ("crm_days", "crm_list_days", "crm_tag_days"):
        await node.core.db.write(lambda tx, table=table: tx.execute(f"UPDATE {table} SET day = day - ?", (days,)))
    for column in ("created_at", "updated_at"):
        await set_back(node, "crm_contacts", column, days)


async def test_growth_day_by_day(node: Node, vic: User) -> None:
    ids = await make_contacts(node, "ada", "bob", "cay")
    await delete_contacts(node, ids["cay"])
    await a_day_passes(node, 2)
    await make_contacts(node, "dan")
    assert await growth(node, vic, 4) == [
        (date(0), 1, 0, 4, 3),
        (date(1), 0, 0, 3, 2),
        (date(2), 3, 1, 3, 2),
        (date(3), 0, 0, 0, 0),
    ]
    assert await growth(node, vic, 1) == [(date(0), 1, 0, 1, 3)]


async def test_what_is_not_counted_yet_is_there_once(node: Node, vic: User) -> None:
    ids = await make_contacts(node, "ada", "bob")
    await catch_up(node)
    more = await make_contacts(node, "cay", "dan")
    await delete_contacts(node, ids["ada"], more["cay"])
    late = (await vic.does("crm.statistics.growth", days=1))["days"]
    assert tuple(late[0].values()) == (date(0), 4, 2, 4, 2)
    assert await growth(node, vic, 1) == [(date(0), 4, 2, 4, 2)]


async def test_what_is_deleted_does_not_change_the_past(node: Node, vic: User) -> None:
    ids = await make_contacts(node, "ada", "bob")
    await a_day_passes(node)
    before = await growth(node, vic, 3)
    await delete_contacts(node, *ids.values())
    now = await growth(node, vic, 3)
    assert now[1:] == before[1:]
    assert now[0] == (date(0), 0, 2, 2, 0)


async def test_lists_by_size_and_activity(node: Node, kim: User, vic: User) -> None:
    ids = await make_contacts(node, *"abcd")
    for name, on_it in (("large", "abc"), ("small", "a"), ("none", "")):
        await kim.does("crm.lists.create", name=name)
        await kim.does("crm.lists.add", list=name, contacts=[ids[each] for each in on_it])
    await a_day_passes(node, 10)
    await kim.does("crm.lists.remove", list="large", contacts=[ids["a"], ids["b"]])
    await kim.does("crm.lists.add", list="small", contacts=[ids["d"], ids["c"]])
    await kim.does("crm.lists.archive", list="none")

    def told(page: dict[str, Any]) -> list[tuple[str, int, int, bool]]:
        return [(each["name"], each["contact_count"], each["change"], each["is_active"]) for each in page["lists"]]

    page = await vic.does("crm.statistics.lists", limit=2, days=9)
    assert told(page) == [("small", 3, 2, True), ("large", 1, -2, True)]
    assert page["lists"][0]["last_contact_added"] >= page["lists"][0]["last_updated"]
    rest = await vic.does("crm.statistics.lists", limit=2, days=9, after=page["next"])
    assert told(rest) == [("none", 0, 0, False)]
    assert "last_contact_added" not in rest["lists"][0]
    assert told(await vic.does("crm.statistics.lists", days=11)) == [
        ("small", 3, 3, True), ("large", 1, 1, True), ("none", 0, 0, False),
    ]  # fmt: skip


async def test_the_last_figure_of_a_day_stands(node: Node, kim: User, vic: User) -> None:
    ids = await make_contacts(node, "a", "b")
    await kim.does("crm.lists.create", name="all")
    for each in ids.values():
        await kim.does("crm.lists.add", list="all", contacts=[each])
        await node.call("jobs.run", job="crm.statistics")
    await a_day_passes(node, 3)
    (figures,) = (await vic.does("crm.statistics.lists", days=2))["lists"]
    assert (figures["contact_count"], figures["change"]) == (2, 0)


async def test_the_tags_that_most_contacts_have(node: Node, kim: User, vic: User) -> None:
    ids = await make_contacts(node, "ada", "bob")
    for name, on_it in (("VIP", ["ada"]), ("Lead", ["ada", "bob"])):
        await kim.does("crm.tags.create", name=name)
        await kim.does("crm.tags.apply", tags=[name], contacts=[ids[each] for each in on_it])
    found = (await vic.does("crm.statistics.tags"))["tags"]
    assert [(each["name"], each["color"], each["contact_count"], each["change"]) for each in found] == [
        ("Lead", "#6B7280", 2, 2), ("VIP", "#6B7280", 1, 1),
    ]  # fmt: skip


async def test_countries_and_cities(node: Node, vic: User) -> None:
    await make_contacts(node, "a", "b", "c", country="France", city="Paris")
    await make_contacts(node, "d", country="FRANCE", city="Lyon")
    await make_contacts(node, "e", "f", country="Italy", city="Rome")
    await make_contacts(node, "g", country="Italy")
    await make_contacts(node, "h")
    found = await vic.does("crm.statistics.geography")
    assert found == {
        "places": [
            {"contact_count": 4, "percentage": 50.0, "country": "France"},
            {"contact_count": 3, "percentage": 37.5, "country": "Italy"},
        ],
        "unknown": 1,
        "total": 8,
    }
    found = await vic.does("crm.statistics.geography", by="city", limit=2)
    assert [(each["country"], each["city"], each["contact_count"]) for each in found["places"]] == [
        ("France", "Paris", 3), ("Italy", "Rome", 2),
    ]  # fmt: skip
    found = await vic.does("crm.statistics.geography", by="city", country="italy")
    assert ([each["city"] for each in found["places"]], found["unknown"], found["total"]) == (["Rome"], 1, 8)


async def test_only_those_who_may_see_contacts(ann: User) -> None:
    for command in ("growth", "lists", "tags", "geography"):
        with refused("forbidden"):
            await ann.does(f"crm.statistics.{command}")
    with refused("forbidden"):
        await ann.does("crm.contacts.implausible")


async def test_health_and_metrics(node: Node, kim: User) -> None:
    ids = await make_contacts(node, "ada", "bob")
    for name in ("one", "two", "old"):
        await kim.does("crm.lists.create", name=name)
    await kim.does("crm.lists.archive", list="old")
    for name in ("one", "two"):
        await kim.does("crm.lists.add", list=name, select={"ids": list(ids.values())})
    health = (await node.health())[1]["plugin.crm"]
    assert health == {"status": "ok", "contacts": 2, "lists": 2, "works_waiting": 2, "works_failed": 0}
