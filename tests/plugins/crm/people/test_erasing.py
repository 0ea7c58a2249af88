"""What is erased is gone everywhere, and stays gone."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import chatnode_crm
import pytest
import trio
from chatnode_crm.people import imported, journal
from chatnode_crm.people.suppression import is_suppressed_many

from chatnode.config import Config
from chatnode.hooks.discovery import Installed
from chatnode.hooks.files import find_lister
from chatnode.node import Node, open_node
from chatnode.services import declared
from chatnode.storage.engine.directory import DataDirectory
from chatnode.storage.engine.stored_files import Lister
from chatnode.storage.upkeep import backups
from chatnode.storage.upkeep.restoring import restore
from chatnode.testing import User, configured, refused, run_work
from tests.plugins.crm.imports.importing import begun, finished
from tests.plugins.crm.making import set_back
from tests.plugins.crm.people.making import contact, count, key_of, of_account
from tests.plugins.sql import rows


def find(name: str) -> Lister | None:
    return find_lister({}, {"crm": Installed("crm", "", "", lambda: chatnode_crm)}, name)


def put_back(data: Path, backup: Path) -> None:
    directory = DataDirectory(data)
    directory.claim()
    try:
        restore(directory, backup, None, declared(), find, anyway=True)
    finally:
        directory.release()


async def everything(node: Node, *words: str) -> list[str]:
    """The plugin's tables in which one of the words is found."""
    tables = await rows(node, "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'crm_%'")
    found: list[str] = []
    for (table,) in tables:
        text = str(await rows(node, f"SELECT * FROM {table}")).lower()
        found += [table for word in words if word in text]
    return found


async def erase(who: User, id: str) -> int:
    erased = (await who.call("crm.contacts.erase", contact=id, confirm=id))["erased"]
    await who.node.call("jobs.run", job="crm.contacts_upkeep")  # which the command wakes on a node that serves
    return erased


async def test_no_table_says_anything_of_an_erased_contact(node: Node, mara: User, ann: User) -> None:
    ada = await of_account(node, ann, mara, first_name="Zuleika", last_name="Quux")
    other = await contact(node, "zuleika@elsewhere.example", city="Quuxville")
    await mara.call("crm.notes.add", contact=ada, text="quux!")
    await mara.call("crm.contacts.update", contact=ada, company="Quux & Co")
    await mara.call("crm.lists.create", name="List")
    await mara.call("crm.contacts.merge", contact=ada, other=other)
    key = await key_of(node, ada)
    words = ("zuleika", "quux", "ann@example.org", ann.id)
    assert await everything(node, *words)
    assert await erase(mara, ada) == 1
    assert await everything(node, *words) == []
    for table in ("crm_identities", "crm_changes", "crm_merges", "crm_redirects", "crm_notes"):
        assert await count(node, f"SELECT count(*) FROM {table} WHERE contact = ?", key) == 0
    with refused("not_found", "contact"):
        await mara.call("crm.contacts.get", contact=ada)


async def test_filters_that_name_the_address_match_the_same_contacts_without_it(node: Node, mara: User) -> None:
    ada, bob = await contact(node, "zuleika@example.org"), await contact(node, "bob@example.org")
    filter = {"email": {"_nin": ["Zuleika@Example.org", "eve@example.org"]}}
    made = (await mara.call("crm.segments.create", name="Others", filter=filter))["list"]["id"]
    await erase(mara, ada)
    assert await everything(node, "zuleika") == []
    shown = (await mara.call("crm.segments.get", list=made))["list"]
    assert shown["filter"] == {"email": {"_nin": ["erased", "eve@example.org"]}}
    found = (await mara.call("crm.lists.members", list=made))["members"]
    assert [each["contact"]["id"] for each in found] == [bob]


async def test_the_e_mails_are_suppressed_and_nobody_can_read_them(node: Node, mara: User) -> None:
    ada, other = await contact(node, "ada@example.org"), await contact(node, "a.lovelace@example.org")
    await mara.call("crm.contacts.merge", contact=ada, other=other)
    await erase(mara, other)  # the id of the other leads there too
    asked = ["ada@example.org", "a.lovelace@example.org", "eva@example.org"]
    found = await node.core.db.read(lambda reader: is_suppressed_many(reader, asked))
    assert found == {"ada@example.org", "a.lovelace@example.org"}
    assert await everything(node, "lovelace") == []
    again = await mara.call("crm.contacts.create", email="ada@example.org")  # a user may, knowingly
    assert again["contact"]["email"] == "ada@example.org"


async def test_every_e_mail_of_merges_is_suppressed(node: Node, mara: User) -> None:
    """Those of contacts that were merged into merged ones, and those that one contact had one after the other."""
    emails = [f"{number}@example.org" for number in range(5)]
    ids = [await contact(node, email) for email in emails]
    for kept, other in ((3, 4), (2, 3), (1, 2), (1, 0)):
        await mara.call("crm.contacts.merge", contact=ids[kept], other=ids[other], take=["email"])
    await erase(mara, ids[1])
    assert await node.core.db.read(lambda reader: is_suppressed_many(reader, emails)) == set(emails)
    assert await count(node, "SELECT count(*) FROM crm_merges") == 0


async def test_the_e_mail_of_a_merged_contact_that_another_has_now_is_left_alone(node: Node, mara: User) -> None:
    ada, other = await contact(node, "ada@example.org"), await contact(node, "office@example.org")
    await mara.call("crm.contacts.merge", contact=ada, other=other)
    await contact(node, "office@example.org")
    filter = {"email": {"_eq": "office@example.org"}}
    made = (await mara.call("crm.segments.create", name="List", filter=filter))["list"]["id"]
    await erase(mara, ada)
    assert (await mara.call("crm.segments.get", list=made))["list"]["filter"] == filter
    asked = ["ada@example.org", "office@example.org"]
    assert await node.core.db.read(lambda reader: is_suppressed_many(reader, asked)) == {"ada@example.org"}


async def test_who_may_and_what_is_typed(node: Node, mara: User, vic: User) -> None:
    ada = await contact(node, "ada@example.org")
    with refused("forbidden"):
        await erase(vic, ada)
    with refused("invalid", "confirm"):
        await mara.call("crm.contacts.erase", contact=ada, confirm="0" * 32)
    assert await count(node, "SELECT count(*) FROM crm_contacts") == 1


async def test_everything_stored_about_a_contact(node: Node, mara: User, vic: User, ann: User) -> None:
    ada = await of_account(node, ann, mara, first_name="Ada")
    other = await contact(node, "a.lovelace@example.org")
    await mara.call("crm.notes.add", contact=ada, text="likes tea")
    await mara.call("crm.contacts.update", contact=ada, company="Engines")
    await mara.call("crm.lists.create", name="News")
    await mara.call("crm.lists.add", list="News", contacts=[other])
    await mara.call("crm.lists.remove", list="News", contacts=[other])
    await mara.call("crm.contacts.merge", contact=ada, other=other)
    report = await mara.call("crm.contacts.report", contact=ada)
    assert report["contact"]["company"] == "Engines"
    assert [each["text"] for each in report["notes"]] == ["likes tea"]
    assert [each["external_id"] for each in report["identities"]] == [ann.id]
    assert {"company": "Engines"} in [each["after"] for each in report["changes"]]
    assert [(each["kind"], each["name"]) for each in report["taken_off"]] == [("list", "News")]
    assert report["earlier_ids"] == [{"id": other}]
    with refused("forbidden"):
        await vic.call("crm.contacts.report", contact=ada)
    assert "crm.contacts.report" in str(await node.call("audit.list"))


async def test_the_report_has_what_merges_and_imports_keep(node: Node, mara: User, ann: User) -> None:
    text = "Email,First Name,Last Name,City,Salary\nann@example.org,Ann,A,Rome,90000\nbob@example.org,Bob,B,Oslo,1\n"
    ada = await of_account(node, ann, mara, first_name="Ann", last_name="A", city="Paris")
    id = await begun(mara, text)
    await finished(node, mara, "start", id)
    other = await contact(node, "a@engines.example", city="London", phone="+33612345678")
    twin = await contact(node, "twin@example.org", phone="+33612345678")
    await run_work(node, (await mara.call("crm.duplicates.find"))["work"])
    await mara.call("crm.contacts.merge", contact=ada, other=other, take=["email"])
    await mara.call("crm.contacts.opt_out", contact=ada)
    report = await mara.call("crm.contacts.report", contact=ada)
    [merge] = report["merges"]
    assert (merge["contact"], merge["email"], merge["city"]) == (other, "a@engines.example", "London")
    [row] = report["imported"]
    assert (row["import"], row["line"], ["Salary", "90000"] in row["cells"]) == (id, 2, True)
    assert [each["before"] for each in report["replaced"]] == [{"city": "Paris"}]
    assert [each["contact"] for each in report["duplicates"]] == [twin]


async def test_the_report_has_the_rows_that_an_erasure_removes(node: Node, mara: User) -> None:
    """Those with an address that the contact has or had, in any column; and no row about somebody else."""
    zuleika = await contact(node, "office@example.org", external_id="z1")
    await mara.call("crm.contacts.update", contact=zuleika, email="z@example.org", external_id="z2")
    await mara.call("crm.contacts.update", contact=zuleika, email="zuleika@example.org")
    await contact(node, "office@example.org")
    rows = ["office@example.org,,1", "z@example.org,,2", "bob@example.org,,Zuleika <zuleika@example.org>", ",z1,4"]
    id = await begun(mara, "\n".join(["email,external_id,remark", *rows]))
    await finished(node, mara, "plan", id)
    report = await mara.call("crm.contacts.report", contact=zuleika)
    assert [row["line"] for row in report["imported"]] == [3, 4, 5]
    await erase(mara, zuleika)
    await node.call("jobs.run", job="crm.imports")
    left = (await mara.call("crm.imports.rows", **{"import": id}))["rows"]
    assert [row["verdict"] for row in left] == ["update", "suppressed", "suppressed", "suppressed"]


async def test_the_report_is_complete_while_files_lose_another_contact(
    node: Node, mara: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    zuleika, other = await contact(node, "zuleika@example.org"), await contact(node, "bob@example.org")
    id = await begun(mara, "email\nzuleika@example.org\nbob@example.org\n")
    await finished(node, mara, "plan", id)
    find_rows, calls = imported._find_rows, list[int]()

    def erase_and_find(*given: Any) -> None:
        calls.append(len(given[1]))
        if len(calls) == 1:
            trio.from_thread.run(erase, mara, other)
            trio.from_thread.run(partial(node.call, "jobs.run", job="crm.imports"))
        find_rows(*given)

    monkeypatch.setattr(imported, "_find_rows", erase_and_find)
    report = await mara.call("crm.contacts.report", contact=zuleika)
    assert ([row["line"] for row in report["imported"]], calls) == ([2], [1, 1])


async def test_after_a_restore_it_is_erased_again(tmp_path: Path) -> None:
    """The backup is older than the erasure: the contact is back for no moment in which the node serves."""
    data, copy = tmp_path / "data", tmp_path / "backup"
    async with open_node(data, Config(), only=[chatnode_crm]) as node:
        mara = await User.new(node, "mara", role="contacts_manager")
        ada, other = await contact(node, "ada@example.org"), await contact(node, "a.lovelace@example.org")
        kept = await contact(node, "eva@example.org")
        backups.create(DataDirectory(data), copy, None, declared(), find)
        await mara.call("crm.contacts.merge", contact=ada, other=other)
        await erase(mara, ada)
    put_back(data, copy)
    async with open_node(data, Config(), only=[chatnode_crm]) as node:
        assert await rows(node, "SELECT id FROM crm_contacts") == [(kept,)]
        asked = ["ada@example.org", "eva@example.org"]
        assert await node.core.db.read(lambda reader: is_suppressed_many(reader, asked)) == {"ada@example.org"}
        assert await count(node, "SELECT count(*) FROM crm_people_state WHERE name = 'restored'") == 0


async def test_many_erasures_are_all_on_disk_at_once(node: Node, mara: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "_MOST", 2)
    ids = [await contact(node, f"{number}@example.org") for number in range(5)]
    for other in ids[1:]:
        await mara.call("crm.contacts.merge", contact=ids[0], other=other)
    await mara.call("crm.contacts.erase", contact=ids[0], confirm=ids[0])
    directory = node.plugins.loaded["crm"].context.directory
    assert {each.contact for each in journal.read_all(directory)} == set(ids)


@pytest.mark.parametrize("torn", [b'{"contact": "12', b"\n", b""])
async def test_a_torn_line_of_the_journal_harms_nothing(tmp_path: Path, torn: bytes) -> None:
    data = tmp_path / "data"
    async with open_node(data, Config(), only=[chatnode_crm]) as node:
        mara = await User.new(node, "mara", role="contacts_manager")
        ids = [await contact(node, f"{number}@example.org") for number in range(2)]
        await erase(mara, ids[0])
        path = next(data.rglob("erased.jsonl"))
        with path.open("ab") as file:
            file.write(torn)
        await erase(mara, ids[1])
        assert [each.contact for each in journal.read_all(path.parent)] == ids


async def test_after_a_restore_filters_forget_every_address_again(tmp_path: Path) -> None:
    data, copy = tmp_path / "data", tmp_path / "backup"
    async with open_node(data, Config(), only=[chatnode_crm]) as node:
        mara = await User.new(node, "mara", role="contacts_manager")
        zuleika, other = await contact(node, "zuleika@example.org"), await contact(node, "zuleika@merged.example")
        await mara.call("crm.contacts.update", contact=zuleika, email="z@example.org")
        await mara.call("crm.contacts.merge", contact=zuleika, other=other)
        emails = ["zuleika@example.org", "z@example.org", "zuleika@merged.example"]
        filter = {"email": {"_in": emails}}
        made = (await mara.call("crm.segments.create", name="List", filter=filter))["list"]["id"]
        backups.create(DataDirectory(data), copy, None, declared(), find)
        await set_back(node, "crm_changes", "at", 10_000)  # so that the journal does not know the earlier address later
        await node.call("jobs.run", job="crm.contacts_upkeep")
        await erase(mara, zuleika)
    put_back(data, copy)
    async with open_node(data, Config(), only=[chatnode_crm]) as node:
        mara = await User.of(node, "mara")
        shown = (await mara.call("crm.segments.get", list=made))["list"]
        assert shown["filter"] == {"email": {"_in": ["erased"] * 3}}
        assert await node.core.db.read(lambda reader: is_suppressed_many(reader, emails)) == set(emails)


@pytest.mark.parametrize("config", [configured(plugins={"crm": {"bulk_contacts": 1}})])
async def test_nothing_that_was_chosen_by_an_e_mail_remembers_it(node: Node, mara: User) -> None:
    """Not only in the plugin's tables: works have arguments, too."""
    ada = await contact(node, "zuleika@example.org")
    chosen = {"filter": {"email": {"_contains": "zuleika"}}}
    await mara.call("crm.lists.create", name="List")
    works = [
        (await mara.call("crm.lists.add", list="List", select=chosen))["work"],
        (await mara.call("crm.exports.create", format="csv", contacts=chosen))["export"]["work"],
        (await mara.call("crm.broadcasts.create", title="News", text="hello", contacts=chosen))["broadcast"]["work"],
    ]
    for work in works:
        assert (await run_work(node, work))["status"] == "done"
    await erase(mara, ada)
    tables = await rows(node, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '%words%'")
    assert [table for (table,) in tables if "zuleika" in str(await rows(node, f"SELECT * FROM {table}")).lower()] == []


async def test_what_is_still_to_be_done_forgets_the_e_mail_and_is_done(node: Node, mara: User) -> None:
    """A broadcast, an export and a change of many contacts were chosen by the address, and wait."""
    zuleika = await contact(node, "zuleika@example.org")
    await contact(node, "bob@example.org")
    chosen = {"filter": {"email": {"_in": ["zuleika@example.org", "bob@example.org"]}}}
    await mara.call("crm.lists.create", name="List")
    works = [
        (await mara.call("crm.lists.add", list="List", select=chosen))["work"],
        (await mara.call("crm.exports.create", format="csv", contacts=chosen))["export"]["work"],
        (await mara.call("crm.broadcasts.create", title="News", text="hello", contacts=chosen))["broadcast"]["work"],
    ]
    await erase(mara, zuleika)
    tables = await rows(node, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '%words%'")
    assert [table for (table,) in tables if "zuleika" in str(await rows(node, f"SELECT * FROM {table}")).lower()] == []
    done = [await run_work(node, work) for work in works]
    assert [work["status"] for work in done] == ["done"] * 3
    assert (done[0]["result"]["changed"], done[1]["result"]["rows"], done[2]["result"]["unreachable"]) == (1, 1, 1)
