"""Tags are created with colors, renamed, given, taken, merged and deleted."""

from __future__ import annotations

from typing import Any

import pytest

from chatnode.config import Config
from chatnode.node import Node
from chatnode.testing import User, refused, run_work
from tests.plugins.crm.making import delete_contacts, events, make_contacts
from tests.services.dialogue import assert_sound

NO_CONTACT = "0" * 32
SIZES = [Config(), Config(of_plugins={"crm": {"bulk_contacts": 1}})]
at_once_and_as_work = pytest.mark.parametrize("config", SIZES, ids=["at once", "as work"])


async def create(who: User, name: str, **fields: Any) -> dict[str, Any]:
    return (await who.does("crm.tags.create", name=name, **fields))["tag"]


async def give(who: User, tags: list[str], contacts: list[str]) -> int:
    return await finished(who, await who.does("crm.tags.apply", tags=tags, contacts=contacts))


async def finished(who: User, done: dict[str, Any]) -> int:
    if "work" not in done:
        return done["changed"]
    ended = await run_work(who.node, done["work"])
    assert ended["status"] == "done", ended
    return ended["result"]["changed"]


async def tags_of(who: User, contact: str) -> list[str]:
    return [each["tag"]["name"] for each in (await who.does("crm.tags.of", contact=contact))["tags"]]


async def test_a_tag_has_a_color_or_the_default(kim: User, vic: User) -> None:
    assert (await create(kim, "VIP", color="#ffd700"))["color"] == "#FFD700"
    made = await create(kim, " Lead  warm ")
    assert (made["name"], made["color"], made["contact_count"]) == ("Lead warm", "#6B7280", 0)
    assert (await vic.does("crm.tags.get", tag="lead WARM"))["tag"] == made
    assert (await vic.does("crm.tags.get", tag=made["id"]))["tag"] == made
    changed = await kim.does("crm.tags.update", tag="vip", color="", name="Vip")
    assert (changed["tag"]["color"], changed["tag"]["name"]) == ("#6B7280", "Vip")
    for color in ("red", "#12345", "#12345G", "123456#"):
        with refused("invalid", "color"):
            await create(kim, "x", color=color)


async def test_names_are_unique_in_any_writing(kim: User) -> None:
    await create(kim, "VIP")
    await create(kim, "Lead")
    with refused("conflict", "name"):
        await create(kim, "víp")
    with refused("conflict", "name"):
        await kim.does("crm.tags.update", tag="lead", name="vip")
    with refused("not_found", "tag"):
        await kim.does("crm.tags.update", tag="nothing", name="x")


@at_once_and_as_work
async def test_tags_are_given_and_taken_once(node: Node, kim: User) -> None:
    ids = await make_contacts(node, "ada", "bob")
    for name in ("VIP", "Lead"):
        await create(kim, name)
    assert await give(kim, ["vip", "lead"], list(ids.values())) == 4
    assert await give(kim, ["vip"], list(ids.values())) == 0
    assert (await kim.does("crm.tags.apply", tags=["vip"], contacts=[NO_CONTACT]))["missing"] == [NO_CONTACT]
    assert await tags_of(kim, ids["ada"]) == ["Lead", "VIP"]
    assert await finished(kim, await kim.does("crm.tags.remove", tags=["VIP"], contacts=[ids["ada"]])) == 1
    assert await tags_of(kim, ids["ada"]) == ["Lead"]
    told = await events(node, "crm.contact.tagged", "crm.contact.untagged")
    assert sorted((kind, data["contact_id"], data["tag_name"]) for kind, data in told) == sorted(
        [("contact.tagged", id, tag) for id in ids.values() for tag in ("VIP", "Lead")]
        + [("contact.untagged", ids["ada"], "VIP")]
    )
    assert (await kim.does("crm.tags.get", tag="vip"))["tag"]["contact_count"] == 1
    await assert_sound(node)


@at_once_and_as_work
async def test_a_contact_loses_all_of_its_tags(node: Node, kim: User) -> None:
    ids = await make_contacts(node, "ada", "bob")
    for name in "abc":
        await create(kim, name)
    await give(kim, ["a", "b"], [ids["ada"]])
    await give(kim, ["b", "c"], [ids["bob"]])
    assert await finished(kim, await kim.does("crm.tags.remove", contacts=[ids["ada"]])) == 2
    assert await tags_of(kim, ids["ada"]) == []
    assert await tags_of(kim, ids["bob"]) == ["b", "c"]


@at_once_and_as_work
async def test_a_tag_is_taken_from_all(node: Node, kim: User) -> None:
    ids = await make_contacts(node, *"abcd")
    await create(kim, "VIP")
    await give(kim, ["VIP"], list(ids.values()))
    assert await finished(kim, await kim.does("crm.tags.clear", tag="VIP")) == 4
    assert (await kim.does("crm.tags.get", tag="VIP"))["tag"]["contact_count"] == 0
    assert len(await events(node, "crm.contact.untagged")) == 4


@at_once_and_as_work
async def test_tags_are_merged(node: Node, kim: User) -> None:
    ids = await make_contacts(node, *"abc")
    for name, on_it in (("Customer", "a"), ("client", "ab"), ("buyer", "c")):
        await create(kim, name)
        await give(kim, [name], [ids[each] for each in on_it])
    assert await finished(kim, await kim.does("crm.tags.merge", sources=["client", "buyer"], into="Customer")) == 2
    assert [(each["name"], each["contact_count"]) for each in (await kim.does("crm.tags.list"))["tags"]] == [
        ("Customer", 3)
    ]
    assert await tags_of(kim, ids["b"]) == ["Customer"]
    with refused("invalid", "sources"):
        await kim.does("crm.tags.merge", sources=["customer"], into="Customer")
    await assert_sound(node)


async def test_bulk_tagging_over_a_filter(node: Node, kim: User) -> None:
    ids = await make_contacts(node, "ada", "bob", city="Paris")
    ids |= await make_contacts(node, "cay", city="Rome")
    await create(kim, "Parisian")
    done = await kim.does("crm.tags.apply", tags=["Parisian"], select={"filter": {"city": {"_eq": "Paris"}}})
    assert await finished(kim, done) == 2
    assert [await tags_of(kim, ids[name]) for name in ("ada", "bob", "cay")] == [["Parisian"], ["Parisian"], []]


async def test_deleting_a_tag_leaves_its_contacts(node: Node, kim: User) -> None:
    ids = await make_contacts(node, "ada", "bob")
    made = await create(kim, "VIP")
    await give(kim, ["VIP"], list(ids.values()))
    await kim.does("crm.tags.delete", tag="VIP")
    assert await tags_of(kim, ids["ada"]) == []
    assert [data["tag_id"] for _, data in await events(node, "crm.tag.deleted")] == [made["id"]]
    assert await events(node, "crm.contact.untagged") == []
    await create(kim, "VIP")
    assert await tags_of(kim, ids["ada"]) == []
    await assert_sound(node)


async def test_a_deleted_contact_has_no_tags(node: Node, kim: User) -> None:
    ids = await make_contacts(node, "ada", "bob")
    await create(kim, "VIP")
    await give(kim, ["VIP"], list(ids.values()))
    await delete_contacts(node, ids["ada"])
    assert (await kim.does("crm.tags.get", tag="VIP"))["tag"]["contact_count"] == 1
    await assert_sound(node)


async def test_tags_are_listed_by_name_or_by_use(node: Node, kim: User, vic: User) -> None:
    ids = await make_contacts(node, *"abc")
    for name, on_it in (("b", "ab"), ("A", "abc"), ("c", "")):
        await create(kim, name)
        await give(kim, [name], [ids[each] for each in on_it])

    async def pages(**fields: Any) -> list[str]:
        first = await vic.does("crm.tags.list", limit=2, **fields)
        rest = await vic.does("crm.tags.list", limit=2, after=first["next"], **fields)
        assert "next" not in rest
        return [each["name"] for each in (*first["tags"], *rest["tags"])]

    assert await pages() == ["A", "b", "c"]
    assert await pages(sort="contacts") == ["A", "b", "c"]
    await kim.does("crm.tags.remove", tags=["A"], contacts=list(ids.values()))
    assert await pages(sort="contacts") == ["b", "c", "A"]
    assert [each["name"] for each in (await vic.does("crm.tags.list", query="B"))["tags"]] == ["b"]
    found = await vic.does("items.query", collection="contact_tags", sort="-contact_count,name", fields="name")
    assert [each["name"] for each in found["data"]] == ["b", "A", "c"]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"any": ["x"]}, "ab"),
        ({"any": ["x", "y"]}, "abc"),
        ({"all": ["x", "y"]}, "b"),
        ({"none": ["x", "y"]}, "d"),
        ({"any": ["x", "y"], "all": ["z"]}, "bc"),
        ({"any": ["y", "z"], "none": ["x"]}, "cd"),
        ({"all": ["y", "z"], "none": ["x"]}, "c"),
        ({"any": ["x"], "all": ["y"], "none": ["z"]}, ""),
    ],
)
async def test_contacts_by_their_tags(
    node: Node, kim: User, vic: User, asked: dict[str, list[str]], expected: str
) -> None:
    ids = await make_contacts(node, *"abcd")
    for name, on_it in (("x", "ab"), ("y", "bc"), ("z", "bcd")):
        await create(kim, name)
        await give(kim, [name], [ids[each] for each in on_it])
    page = await vic.does("crm.tags.contacts", **asked)
    assert ("".join(each["first_name"] for each in page["contacts"]), page["count"]) == (expected, len(expected))


async def test_what_cannot_be_asked(vic: User, kim: User) -> None:
    with refused("invalid", "any"):
        await vic.does("crm.tags.contacts")
    with refused("not_found", "none.0"):
        await vic.does("crm.tags.contacts", none=["nothing"])
    with refused("forbidden"):
        await vic.does("crm.tags.create", name="x")
