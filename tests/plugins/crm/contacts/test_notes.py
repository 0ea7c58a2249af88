"""Notes, the history of changes, and the timeline that has both."""

from __future__ import annotations

from typing import Any

import pytest
from chatnode_crm.contacts import finding
from chatnode_crm.lists.changing import make_list
from chatnode_crm.lists.membership import add_many
from chatnode_crm.tags.tagging import tag_many

from chatnode.api import Transaction
from chatnode.node import Node
from chatnode.testing import User, configured, refused
from tests.plugins.crm.contacts.keeping import ADA, created
from tests.plugins.crm.making import tag_called


async def test_notes_are_added_read_and_deleted(mara: User, vic: User) -> None:
    ada = await created(mara, **ADA)
    for text in ("Met at the *fair*", "Wants a call"):
        note = (await mara.call("crm.notes.add", contact=ada["id"], text=text))["note"]
        assert (note["text"], note["author"]["handle"]) == (text, "mara")
    page = await vic.call("crm.notes.list", contact=ada["id"], limit=1)
    rest = await vic.call("crm.notes.list", contact=ada["id"], limit=1, after=page["next"])
    assert [each["text"] for each in (*page["notes"], *rest["notes"])] == ["Wants a call", "Met at the *fair*"]
    await mara.call("crm.notes.delete", note=page["notes"][0]["id"])
    assert len((await vic.call("crm.notes.list", contact=ada["id"]))["notes"]) == 1
    with refused("not_found", "note"):
        await mara.call("crm.notes.delete", note=page["notes"][0]["id"])
    with refused("invalid", "text"):
        await mara.call("crm.notes.add", contact=ada["id"], text=" \n ")


@pytest.mark.parametrize("config", [configured(plugins={"crm": {"notes_per_contact": 1}})], ids=["1"])
async def test_there_is_a_limit(mara: User) -> None:
    ada = await created(mara, **ADA)
    await mara.call("crm.notes.add", contact=ada["id"], text="one")
    with refused("too_large", "contact"):
        await mara.call("crm.notes.add", contact=ada["id"], text="two")


async def test_history_says_who_changed_what(mara: User, vic: User) -> None:
    ada = await created(mara, **ADA)
    await mara.call("crm.contacts.update", contact=ada["id"], city="London", owner="vic")
    changed = (await mara.call("crm.contacts.update", contact=ada["id"], city="", company="Babbage"))["contact"]
    page = await vic.call("crm.contacts.history", contact=ada["id"], limit=1)
    rest = await vic.call("crm.contacts.history", contact=ada["id"], limit=1, after=page["next"])
    last, first = (*page["changes"], *rest["changes"])
    assert (last["before"], last["after"]) == (
        {"city": "London", "company": "Engines"},
        {"city": None, "company": "Babbage"},
    )
    assert (last["version"], last["by"]["handle"]) == (changed["version"], "mara")
    assert first["after"] == {"city": "London", "owner": vic.id}
    assert "next" not in rest


async def test_the_timeline_has_everything_in_order_page_by_page(mara: User) -> None:
    ada = await created(mara, **ADA)
    await mara.call("crm.notes.add", contact=ada["id"], text="a note")
    await mara.call("crm.contacts.update", contact=ada["id"], city="London")
    await mara.call("crm.notes.add", contact=ada["id"], text="another")
    whole = (await mara.call("crm.contacts.timeline", contact=ada["id"]))["entries"]
    assert sorted(each["kind"] for each in whole) == ["changed", "created", "note", "note"]
    assert [each["at"] for each in whole] == sorted((each["at"] for each in whole), reverse=True)
    paged = []
    page = await mara.call("crm.contacts.timeline", contact=ada["id"], limit=1)
    while True:
        paged += page["entries"]
        if "next" not in page:
            break
        page = await mara.call("crm.contacts.timeline", contact=ada["id"], limit=1, after=page["next"])
    assert paged == whole
    (changed,) = [each for each in whole if each["kind"] == "changed"]
    assert changed["data"] == {"before": {"city": None}, "after": {"city": "London"}}
    assert whole[-1] == {
        "at": ada["created_at"],
        "kind": "created",
        "data": {"source": "manual"},
        "by": ada["created_by"],
    }


async def test_the_timeline_has_lists_and_tags(node: Node, mara: User) -> None:
    ada = await created(mara, **ADA)

    def write(tx: Transaction) -> None:
        key = finding.by_id(tx, ada["id"]).key
        add_many(tx, make_list(tx, "News", kind="static", actor=mara.key).key, [key], actor=mara.key)
        for name in ("VIP", "Lead"):
            tag_many(tx, tag_called(tx, name, mara.key), [key], actor=mara.key)

    await node.core.db.write(write)
    entries = (await mara.call("crm.contacts.timeline", contact=ada["id"]))["entries"]
    named = [(each["kind"], each["data"].get("name"), each["by"]["handle"]) for each in entries]
    assert named == [
        ("tagged", "Lead", "mara"), ("tagged", "VIP", "mara"), ("added_to_list", "News", "mara"),
        ("created", None, "mara"),
    ]  # fmt: skip


async def test_the_timeline_has_what_a_contact_was_taken_off(node: Node, mara: User) -> None:
    ada = await created(mara, **ADA)
    await mara.call("crm.lists.create", name="News")
    await mara.call("crm.tags.create", name="VIP")
    await mara.call("crm.lists.add", list="News", contacts=[ada["id"]])
    await mara.call("crm.tags.apply", tags=["VIP"], contacts=[ada["id"]])
    await mara.call("crm.tags.remove", tags=["VIP"], contacts=[ada["id"]])
    await mara.call("crm.lists.remove", list="News", contacts=[ada["id"]])
    await mara.call("crm.lists.add", list="News", contacts=[ada["id"]])

    async def timeline(**page: Any) -> list[tuple[str, str | None, str]]:
        entries = (await mara.call("crm.contacts.timeline", contact=ada["id"], **page))["entries"]
        return [(each["kind"], each["data"].get("name"), each["by"]["handle"]) for each in entries]

    whole = [
        ("removed_from_list", "News", "mara"), ("untagged", "VIP", "mara"), ("added_to_list", "News", "mara"),
        ("created", None, "mara"),
    ]  # fmt: skip
    assert sorted(await timeline()) == sorted(whole)
    assert len(await timeline(limit=3)) == 3
    await mara.call("crm.lists.delete", list="News")
    await mara.call("crm.tags.delete", tag="VIP")
    assert sorted(each[:2] for each in await timeline() if each[1] is None) == [
        ("created", None), ("removed_from_list", None), ("untagged", None),
    ]  # fmt: skip
    await node.core.db.write(lambda tx: tx.execute("UPDATE crm_removals SET at = at - 31 * 86400000"))
    await node.call("jobs.run", job="crm.lists_sweep")
    assert await timeline() == [("created", None, "mara")]


async def test_deleting_a_contact_deletes_its_notes(mara: User) -> None:
    ada = await created(mara, **ADA)
    note = (await mara.call("crm.notes.add", contact=ada["id"], text="a note"))["note"]
    await mara.call("crm.contacts.delete", contact=ada["id"])
    with refused("not_found", "note"):
        await mara.call("crm.notes.delete", note=note["id"])
