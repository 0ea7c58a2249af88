"""Many contacts at a time: copies, merges, selections; small ones at once, large ones as work."""

from __future__ import annotations

from typing import Any

import pytest
from chatnode_crm.bulk import running
from chatnode_crm.bulk.plan import end_unless_grown, left_behind
from chatnode_crm.contacts.finding import keys_by_id
from chatnode_crm.lists.membership import add_many
from chatnode_crm.tags.tagging import tag_many

from chatnode.config import Config
from chatnode.node import Node
from chatnode.testing import User, refused, run_work
from tests.plugins.crm.making import delete_contacts, events, make_contacts, members, with_settings
from tests.services.dialogue import assert_sound

SIZES = [Config(), Config(of_plugins={"crm": {"bulk_contacts": 1}})]
at_once_and_as_work = pytest.mark.parametrize("config", SIZES, ids=["at once", "as work"])


async def make_list(who: User, name: str, contacts: list[str], **fields: Any) -> None:
    await who.does("crm.lists.create", name=name, **fields)
    done = await who.does("crm.lists.add", list=name, contacts=contacts)
    await finished(who, done)


async def finished(who: User, done: dict[str, Any]) -> int:
    """How much a command changed, at once or with the work that it started."""
    if "work" not in done:
        return done["changed"]
    assert "changed" not in done
    ended = await run_work(who.node, done["work"])
    assert ended["status"] == "done", ended
    return ended["result"]["changed"]


@with_settings(bulk_contacts=1)
async def test_work_does_what_a_command_does_at_once(node: Node, kim: User) -> None:
    ids = await make_contacts(node, *"abc")
    await make_list(kim, "all", list(ids.values()))
    assert await members(kim, "all") == list("cba")
    done = await kim.does("crm.lists.remove", list="all", contacts=[ids["a"], ids["b"]])
    work = (await kim.does("work.get", work=done["work"]))["work"]
    assert (work["status"], work["kind"], work["owner"]["handle"]) == ("waiting", "crm.bulk", "kim")
    assert await members(kim, "all") == list("cba")
    ended = await run_work(node, done["work"])
    assert (ended["done"], ended["total"], ended["result"]) == (2, 2, {"changed": 2})
    assert await members(kim, "all") == ["c"]
    await assert_sound(node)


@with_settings(bulk_contacts=1)
async def test_work_ends_where_the_list_was_archived(node: Node, kim: User) -> None:
    ids = await make_contacts(node, "ada")
    await kim.does("crm.lists.create", name="all")
    done = await kim.does("crm.lists.add", list="all", contacts=[ids["ada"]])
    await kim.does("crm.lists.archive", list="all")
    ended = await run_work(node, done["work"])
    assert (ended["status"], ended["error"]) == ("failed", "all is archived; restore it first")
    assert await members(kim, "all") == []


async def test_a_selection(node: Node, kim: User) -> None:
    """It is always carried out by a work, as it may be large."""
    await make_contacts(node, "ada", "bob", city="Paris")
    await make_contacts(node, "cay", city="Rome")
    await kim.does("crm.lists.create", name="Paris")
    done = await kim.does("crm.lists.add", list="Paris", select={"filter": {"city": {"_eq": "Paris"}}})
    assert await finished(kim, done) == 2
    assert sorted(await members(kim, "Paris")) == ["ada", "bob"]
    with refused("invalid", "select.filter.nonsense"):
        await kim.does("crm.lists.add", list="Paris", select={"filter": {"nonsense": {"_eq": 1}}})


async def test_copies_are_named_after_the_original(node: Node, kim: User) -> None:
    ids = await make_contacts(node, "ada", "bob")
    await make_list(kim, "VIP", list(ids.values()))
    await kim.does("crm.lists.update", list="VIP", description="the best")
    copied = await kim.does("crm.lists.copy", list="VIP")
    assert (copied["list"]["name"], copied["list"]["description"], copied["changed"]) == ("VIP (Copy)", "the best", 2)
    assert (await kim.does("crm.lists.copy", list="VIP"))["list"]["name"] == "VIP (Copy 2)"
    assert (await kim.does("crm.lists.copy", list="VIP"))["list"]["name"] == "VIP (Copy 3)"
    assert (await kim.does("crm.lists.copy", list="VIP", name="Others"))["list"]["name"] == "Others"
    with refused("conflict", "name"):
        await kim.does("crm.lists.copy", list="VIP", name="vip")
    long = "x" * 255
    await kim.does("crm.lists.create", name=long)
    assert (await kim.does("crm.lists.copy", list=long))["list"]["name"] == "x" * 248 + " (Copy)"


async def test_a_copy_is_on_its_own(node: Node, kim: User) -> None:
    ids = await make_contacts(node, "ada", "bob")
    await make_list(kim, "VIP", list(ids.values()), kind="campaign")
    await kim.does("crm.lists.archive", list="VIP")
    copied = (await kim.does("crm.lists.copy", list="VIP"))["list"]
    assert (copied["kind"], copied["stage"], copied["is_active"], copied["contact_count"]) == (
        "campaign", "population", True, 2,
    )  # fmt: skip
    await kim.does("crm.lists.remove", list="VIP (Copy)", contacts=[ids["ada"]])
    assert sorted(await members(kim, "VIP")) == ["ada", "bob"]


@pytest.mark.parametrize("then", ["keep", "archive", "delete"])
@at_once_and_as_work
async def test_lists_are_merged(node: Node, kim: User, then: str) -> None:
    ids = await make_contacts(node, *"abcd")
    for name, on_it in (("into", "ab"), ("one", "bc"), ("two", "cd")):
        await make_list(kim, name, [ids[each] for each in on_it])
    since = {each["contact"]["first_name"]: each["added_at"] for each in await rows(kim, "into")}
    done = await kim.does("crm.lists.merge", sources=["one", "two"], into="into", sources_then=then)
    assert await finished(kim, done) == 2
    now = {each["contact"]["first_name"]: each["added_at"] for each in await rows(kim, "into")}
    assert now.keys() == set("abcd")
    assert now | since == now
    left = (await kim.does("crm.lists.list"))["lists"]
    assert [(each["name"], each["is_active"]) for each in left] == {
        "keep": [("into", True), ("one", True), ("two", True)],
        "archive": [("into", True), ("one", False), ("two", False)],
        "delete": [("into", True)],
    }[then]
    told = await events(node, "crm.contact.added_to_list")
    assert [data["contact_id"] for _, data in told if data.get("list_name") == "into"] == [ids[each] for each in "abcd"]
    await assert_sound(node)


async def rows(who: User, list: str) -> list[dict[str, Any]]:
    return (await who.does("crm.lists.members", list=list))["members"]


async def test_what_cannot_be_merged(node: Node, kim: User) -> None:
    for name in ("one", "two"):
        await kim.does("crm.lists.create", name=name)
    with refused("invalid", "sources"):
        await kim.does("crm.lists.merge", sources=["one", "ONE"], into="one")
    with refused("invalid", "sources"):
        await kim.does("crm.lists.merge", sources=[], into="one")
    with refused("not_found", "sources.1"):
        await kim.does("crm.lists.merge", sources=["two", "three"], into="one")
    await kim.does("crm.lists.archive", list="one")
    with refused("conflict", "into"):
        await kim.does("crm.lists.merge", sources=["two"], into="one")


async def test_rows_of_a_large_list_are_removed_little_by_little(node: Node, kim: User) -> None:
    ids = await make_contacts(node, *(f"n{number:04}" for number in range(1_200)))
    await make_list(kim, "large", list(ids.values()))
    await kim.does("crm.lists.delete", list="large")
    assert await left(node) == 700
    await assert_sound(node)
    await delete_contacts(node, ids["n1199"])
    await node.call("jobs.run", job="crm.lists_sweep")
    assert await left(node) == 0
    await assert_sound(node)


async def left(node: Node) -> int:
    return await node.core.db.read(lambda reader: reader.execute("SELECT count(*) FROM crm_members").fetchone()[0])


@with_settings(bulk_contacts=1)
@pytest.mark.parametrize("kind", ["lists", "tags"])
async def test_nobody_is_lost_who_comes_to_a_source_during_a_merge(
    node: Node, kim: User, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """They come behind the work, and again when it is about to end."""
    ids = await make_contacts(node, "early", "behind", "late")
    add = {"lists": "crm.lists.add", "tags": "crm.tags.apply"}[kind]
    for name in ("old", "new"):
        await kim.does(f"crm.{kind}.create", name=name)

    async def give(name: str) -> None:
        asked = {"list": "old"} if kind == "lists" else {"tags": ["old"]}
        await finished(kim, await kim.does(add, contacts=[ids[name]], **asked))

    await give("early")
    then = {"sources_then": "delete"} if kind == "lists" else {}
    merge = await kim.does(f"crm.{kind}.merge", sources=["old"], into="new", **then)
    coming = ["late", "behind"]

    def as_someone_comes(reader: Any, plan: Any, limit: int) -> Any:
        found = left_behind(reader, plan, limit)
        if coming and plan.ends:
            key = keys_by_id(reader, [ids[coming.pop()]]).popitem()[1]
            write = add_many if kind == "lists" else tag_many
            arrivals.append((write, plan.ends[0].group, key))
        return found

    arrivals: list[Any] = []

    def then_end(tx: Any, plan: Any, added: int) -> bool:
        while arrivals:
            write, group, key = arrivals.pop()
            write(tx, group, [key], actor=None)
        return end_unless_grown(tx, plan, added)

    monkeypatch.setattr(running, "left_behind", as_someone_comes)
    monkeypatch.setattr(running, "end_unless_grown", then_end)
    await finished(kim, merge)
    column = {"lists": "members FROM crm_lists", "tags": "contacts FROM crm_tags"}[kind]
    left = await node.core.db.read(lambda reader: reader.execute(f"SELECT name, {column}").fetchall())
    assert left == [("new", 3)]


@with_settings(bulk_contacts=1)
async def test_the_sources_stay_if_what_they_are_merged_into_goes(node: Node, kim: User) -> None:
    ids = await make_contacts(node, "ada")
    await make_list(kim, "old", list(ids.values()))
    await kim.does("crm.lists.create", name="new")
    merge = await kim.does("crm.lists.merge", sources=["old"], into="new", sources_then="delete")
    await kim.does("crm.lists.delete", list="new")
    ended = await run_work(node, merge["work"])
    assert (ended["status"], "was deleted" in ended["error"]) == ("failed", True)
    assert await members(kim, "old") == ["ada"]
