"""A campaign goes from stage to stage, and is archived in time."""

from __future__ import annotations

from chatnode.node import Node
from chatnode.testing import User, refused
from tests.plugins.crm.making import make_contacts, set_back, with_settings


async def stage(who: User, list: str) -> str:
    return (await who.does("crm.lists.get", list=list))["list"]["stage"]


async def test_from_creation_to_the_archive(node: Node, kim: User) -> None:
    ids = await make_contacts(node, "ada", "bob")
    made = (await kim.does("crm.lists.create", name="Launch", kind="campaign"))["list"]
    assert made["stage"] == "creation"
    with refused("conflict", "stage"):
        await kim.does("crm.lists.stage", list="Launch", stage="execution")
    await kim.does("crm.lists.add", list="Launch", contacts=[ids["ada"]])
    assert await stage(kim, "Launch") == "population"
    await kim.does("crm.lists.stage", list="Launch", stage="execution")
    for command in ("crm.lists.add", "crm.lists.remove"):
        with refused("conflict", "list"):
            await kim.does(command, list="Launch", contacts=list(ids.values()))
    await kim.does("crm.lists.stage", list="Launch", stage="analysis")
    await kim.does("crm.lists.archive", list="Launch")
    assert await stage(kim, "Launch") == "archive"
    with refused("conflict", "list"):
        await kim.does("crm.lists.stage", list="Launch", stage="population")
    await kim.does("crm.lists.restore", list="Launch")
    assert await stage(kim, "Launch") == "analysis"
    await kim.does("crm.lists.stage", list="Launch", stage="population")
    assert (await kim.does("crm.lists.add", list="Launch", contacts=[ids["bob"]]))["changed"] == 1


async def test_other_lists_have_no_stages(kim: User) -> None:
    made = (await kim.does("crm.lists.create", name="all"))["list"]
    assert "stage" not in made
    with refused("invalid", "list"):
        await kim.does("crm.lists.stage", list="all", stage="population")


async def archived(node: Node, kim: User) -> list[str]:
    await node.call("jobs.run", job="crm.lists_archive")
    return [each["name"] for each in (await kim.does("crm.lists.list", active=False))["lists"]]


async def age(node: Node, name: str, days: int) -> None:
    for column in ("created_at", "updated_at", "active_at", "restored_at"):
        await set_back(node, "crm_lists", column, days, f"name = '{name}'")


async def test_idle_lists_are_archived_after_a_year(node: Node, kim: User) -> None:
    ids = await make_contacts(node, "ada")
    for name, days in (("idle", 366), ("young", 364), ("in use", 366)):
        await kim.does("crm.lists.create", name=name)
        await age(node, name, days)
    await kim.does("crm.lists.add", list="in use", contacts=[ids["ada"]])
    assert await archived(node, kim) == ["idle"]
    (entry,) = (await node.call("audit.list", limit=10, action="crm.list_archived"))["entries"]
    assert entry["details"] == {"reason": "idle", "days": "365"}
    assert "actor" not in entry
    await kim.does("crm.lists.restore", list="idle")
    assert await archived(node, kim) == []


async def test_campaigns_are_archived_after_90_days(node: Node, kim: User) -> None:
    ids = await make_contacts(node, "ada")
    for name, days in (("over", 91), ("young", 89), ("running", 91)):
        await kim.does("crm.lists.create", name=name, kind="campaign")
        await kim.does("crm.lists.add", list=name, contacts=[ids["ada"]])
        await age(node, name, days)
    await kim.does("crm.lists.stage", list="running", stage="execution")
    assert await archived(node, kim) == ["over"]
    await kim.does("crm.lists.restore", list="over")
    assert await archived(node, kim) == []
    await age(node, "over", 91)
    assert await archived(node, kim) == ["over"]


@with_settings(idle_list_days=0, campaign_days=0)
async def test_never_if_the_settings_say_so(node: Node, kim: User) -> None:
    for kind in ("static", "campaign"):
        await kim.does("crm.lists.create", name=kind, kind=kind)
        await age(node, kind, 3_000)
    assert await archived(node, kim) == []
