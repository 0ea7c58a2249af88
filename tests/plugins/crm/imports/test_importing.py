"""Imports, from the file to its contacts and back."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from chatnode.node import Node
from chatnode.testing import User, refused, run_work
from tests.plugins.crm.imports.importing import begun, finished, rows_of

FILE = """email,first_name,last_name,city,tags
ann@example.com,Ann,Lee,Lyon,vip;new
bob@example.com,Bob,Ray,,
ann@example.com,Ann,Again,,
nobody,No,Body,,
,Not,There,,
"""


async def rows(who: User, id: str, **fields: Any) -> list[dict[str, Any]]:
    return (await who.does("crm.imports.rows", **{"import": id}, **fields))["rows"]


async def contact(who: User, email: str) -> dict[str, Any]:
    [found] = (await who.does("items.query", collection="crm_contacts", filter={"email": {"_eq": email}}))["data"]
    return found


async def test_a_file_is_planned_imported_and_undone(node: Node, mara: User) -> None:
    id = await begun(mara, FILE)
    planned = await finished(node, mara, "plan", id)
    assert (planned["state"], planned["rows"]) == ("planned", 5)
    assert planned["plan"] == {
        "created": 2, "updated": 0, "unchanged": 0, "duplicates": 1, "suppressed": 0, "invalid": 2, "listed": 0,
        "tagged": 2, "untagged": 0, "passed_over": 0,
    }  # fmt: skip
    applied = await finished(node, mara, "start", id)
    assert (applied["state"], applied["counts"], applied["replanned"]) == ("applied", planned["plan"], 0)
    undone = await finished(node, mara, "undo", id)
    assert (undone["state"], undone["undone"]["deleted"], undone["undone"]["kept"]) == ("undone", 2, 0)


async def test_new_lists_and_tags_go_with_the_undoing_unless_they_are_used(node: Node, mara: User) -> None:
    text = "email,first_name,last_name,tags,lists\nann@example.com,Ann,Lee,gold;vip,Fresh\n"
    text += "bob@example.com,Bob,Ray,vip,Old\n"
    other = (await mara.does("crm.contacts.create", email="eve@example.com", first_name="E", last_name="F"))["contact"]
    await mara.does("crm.lists.create", name="Old")
    id = await begun(mara, text)
    await finished(node, mara, "start", id)
    await mara.does("crm.tags.apply", tags=["gold"], contacts=[other["id"]])
    await finished(node, mara, "undo", id)
    assert [each["name"] for each in (await mara.does("crm.lists.list"))["lists"]] == ["Old"]
    assert [each["name"] for each in (await mara.does("crm.tags.list"))["tags"]] == ["gold"]
    assert (await node.call("node.check"))["clean"]


async def test_lists_that_are_passed_over_are_said(node: Node, mara: User) -> None:
    await mara.does("crm.lists.create", name="Shut")
    await mara.does("crm.lists.archive", list="Shut")
    await mara.does("crm.segments.create", name="Lyonese", filter={"city": {"_eq": "Lyon"}})
    text = "email,first_name,last_name,lists\nann@example.com,Ann,Lee,Shut\nbob@example.com,Bob,Ray,New;Lyonese\n"
    id = await begun(mara, text)

    async def said() -> list[tuple[str, str, bool]]:
        return [
            (row["verdict"], *next((each["code"], each["warning"]) for each in row["faults"]))
            for row in await rows(mara, id)
        ]

    codes = [("create", "closed_list", True), ("create", "dynamic_list", True)]
    planned = await finished(node, mara, "plan", id)
    assert (planned["plan"]["listed"], planned["plan"]["passed_over"], await said()) == (1, 2, codes)
    applied = await finished(node, mara, "start", id)
    assert (applied["counts"], await said()) == (planned["plan"], codes)


async def test_rows_are_shown_with_what_becomes_of_them(node: Node, mara: User) -> None:
    id = await begun(mara, FILE)
    await finished(node, mara, "plan", id)
    shown = await rows(mara, id)
    assert [row["verdict"] for row in shown] == ["create", "create", "duplicate", "invalid", "invalid"]
    assert shown[0]["changes"]["city"] == "Lyon"
    assert [row["line"] for row in await rows(mara, id, verdict="invalid")] == [5, 6]
    assert [fault["code"] for fault in shown[2]["faults"]] == ["duplicate"]
    page = await mara.does("crm.imports.rows", **{"import": id}, limit=2)
    assert [row["row"] for row in await rows(mara, id, after=page["next"])] == [3, 4, 5]


async def test_a_cell_that_cannot_be_read_costs_its_own_row_alone(node: Node, mara: User) -> None:
    await mara.does("crm.fields.define", name="Size", kind="number")
    text = f"email,first_name,last_name,Size\nann@example.com,Ann,Lee,{'9' * 5_000}\nbob@example.com,Bob,Ray,7\n"
    id = await begun(mara, text)
    applied = await finished(node, mara, "start", id)
    assert (applied["counts"]["created"], applied["counts"]["invalid"]) == (1, 1)
    [ann] = await rows(mara, id, verdict="invalid")
    assert [fault["field"] for fault in ann["faults"]] == ["custom.Size"]


async def test_contacts_that_changed_since_the_plan_are_decided_about_again(node: Node, mara: User) -> None:
    id = await begun(mara, FILE)
    await finished(node, mara, "plan", id)
    await mara.does("crm.contacts.create", email="bob@example.com", first_name="Bob", last_name="Ray")
    applied = await finished(node, mara, "start", id)
    assert (applied["counts"]["created"], applied["counts"]["unchanged"], applied["replanned"]) == (1, 1, 1)


@pytest.mark.parametrize("use", ["note", "account", "list opt-out"])
async def test_what_is_used_after_an_import_is_not_deleted_with_it(node: Node, mara: User, use: str) -> None:
    id = await begun(mara, FILE)
    await finished(node, mara, "start", id)
    ann = (await contact(mara, "ann@example.com"))["contact_id"]
    if use == "note":
        await mara.does("crm.notes.add", contact=ann, text="rings on Mondays")
    elif use == "account":
        await mara.does("crm.identities.add", contact=ann, kind="matrix", external_id="@ann:example.com")
    else:
        made = (await mara.does("crm.lists.create", name="News"))["list"]["id"]
        await mara.does("crm.contacts.opt_out", contact=ann, list=made)
    undone = await finished(node, mara, "undo", id)
    assert (undone["undone"]["deleted"], undone["undone"]["kept"]) == (1, 1)
    [kept] = await rows(mara, id, verdict="kept")
    assert (kept["row"], kept["faults"][0]["code"]) == (1, "in_use")


async def test_a_list_of_addresses_is_enough(node: Node, mara: User) -> None:
    id = await begun(mara, "E-mail\nann@example.com\nbob@example.com\n")
    assert (await finished(node, mara, "start", id))["counts"]["created"] == 2


async def test_without_an_address_the_external_id_says_which_contact_it_is(node: Node, mara: User) -> None:
    """As with upsert. One that has an address needs it, as another row may be about the same contact."""
    await mara.does("crm.contacts.create", external_id="x1", city="Nice")
    await mara.does("crm.contacts.create", external_id="x2", email="bob@example.com")
    text = "email,external_id,city\n,x1,Lyon\n,x2,Lyon\n,x3,Lyon\n,x3,Oslo\n,,Rome\nann@example.com,x3,Rome\n"
    id = await begun(mara, text)
    planned = await finished(node, mara, "plan", id)
    assert (await finished(node, mara, "start", id))["counts"] == planned["plan"]
    shown = [(row["verdict"], *(fault["code"] for fault in row.get("faults", ()))) for row in await rows(mara, id)]
    assert shown == [
        ("update",), ("invalid", "exists"), ("create",), ("duplicate", "duplicate"), ("invalid", "required"),
        ("invalid", "external_id_taken"),
    ]  # fmt: skip
    assert (await finished(node, mara, "undo", id))["undone"]["kept"] == 0


async def test_what_was_changed_after_an_import_stays_as_it_is(node: Node, mara: User) -> None:
    id = await begun(mara, FILE)
    await finished(node, mara, "start", id)
    ann = await contact(mara, "ann@example.com")
    await mara.does("crm.contacts.update", contact=ann["contact_id"], city="Nice")
    undone = await finished(node, mara, "undo", id)
    assert (undone["undone"]["deleted"], undone["undone"]["kept"]) == (1, 1)
    [kept] = await rows(mara, id, verdict="kept")
    assert (kept["row"], kept["faults"][0]["code"]) == (1, "changed_since")
    assert (await contact(mara, "ann@example.com"))["city"] == "Nice"


async def test_the_rows_of_a_contact_that_is_deleted_are_gone(node: Node, mara: User) -> None:
    id = await begun(mara, FILE)
    await finished(node, mara, "plan", id)
    ann = await mara.does("crm.contacts.create", email="ann@example.com", first_name="Ann", last_name="Lee")
    await mara.does("crm.contacts.delete", contact=ann["contact"]["id"])
    await node.call("jobs.run", job="crm.imports")
    [first, *_] = await rows(mara, id)
    assert (first["verdict"], first["cells"], first["values"]) == ("suppressed", [], {})
    with refused("gone"):
        await mara.does("crm.imports.map", **{"import": id})
    applied = await finished(node, mara, "start", id)
    assert (applied["counts"]["created"], applied["counts"]["suppressed"]) == (1, 1)


async def test_without_its_files_an_import_can_be_undone_and_says_that_its_rows_are_gone(
    node: Node, mara: User
) -> None:
    """As after a restore: backups do not have them."""
    id = await begun(mara, rows_of(5))
    await finished(node, mara, "start", id)
    shutil.rmtree(node.plugins.loaded["crm"].context.directory / "imports")
    for command in ("crm.imports.rows", "crm.imports.errors"):
        with refused("gone"):
            await mara.call(command, **{"import": id})
    assert (await finished(node, mara, "undo", id))["state"] == "undone"
    assert (await mara.call("crm.contacts.list"))["contacts"] == []


async def test_until_the_rows_are_gone_they_are_not_imported(node: Node, mara: User) -> None:
    id = await begun(mara, FILE)
    ann = await mara.does("crm.contacts.create", email="ann@example.com", first_name="Ann", last_name="Lee")
    await mara.does("crm.contacts.delete", contact=ann["contact"]["id"])
    assert (await finished(node, mara, "start", id))["counts"]["suppressed"] == 1
    later = await begun(mara, FILE)
    assert (await finished(node, mara, "start", later))["counts"]["created"] == 1


async def test_a_cancelled_import_goes_on_or_is_undone(node: Node, mara: User, monkeypatch: pytest.MonkeyPatch) -> None:
    id = await begun(mara, rows_of(20))
    started = (await mara.does("crm.imports.start", **{"import": id}))["import"]
    with refused("conflict"):
        await mara.does("crm.imports.start", **{"import": id})
    await mara.does("crm.imports.pause", **{"import": id})
    assert (await run_work(node, started["work"]))["status"] == "paused"
    await mara.does("crm.imports.cancel", **{"import": id})
    assert (await finished(node, mara, "start", id))["state"] == "applied"
    assert (await finished(node, mara, "undo", id))["state"] == "undone"
    with refused("conflict"):
        await mara.does("crm.imports.start", **{"import": id})


async def test_mappings_are_kept_by_the_names_of_columns(node: Node, mara: User) -> None:
    first = await begun(mara, "A,B,C,D\nLee,Ann,ann@example.com,x\n")
    mapping = {"columns": ["last_name", "first_name", "email", "ignore"], "default_region": "FR"}
    await mara.does("crm.imports.map", **{"import": first}, mapping=mapping, policies={"fields": "fill_empty"})
    await mara.does("crm.mappings.save", **{"import": first}, name="Shop")
    other = (await mara.does("crm.imports.create", text="C,B,A\nbob@example.com,Bob,Ray\n"))["import"]["id"]
    mapped = (await mara.does("crm.imports.map", **{"import": other}, saved="shop"))["import"]["options"]
    assert mapped["mapping"]["columns"] == ["email", "first_name", "last_name"]
    assert (mapped["mapping"]["default_region"], mapped["policies"]["fields"]) == ("FR", "fill_empty")
    [saved] = (await mara.does("crm.mappings.list"))["mappings"]
    assert saved["name"] == "Shop"
    await mara.does("crm.mappings.delete", mapping="Shop")
    with refused("not_found"):
        await mara.does("crm.imports.map", **{"import": other}, saved="shop")


async def test_a_file_is_looked_at_before_it_is_mapped(mara: User) -> None:
    text = "E-Mail;Vorname;Nachname;Abgemeldet\nann@example.com;Ann;Lee;\nnobody;No;Body;\n"
    id = (await mara.does("crm.imports.create", text=text, name="x.csv"))["import"]["id"]
    found = await mara.does("crm.imports.detect", **{"import": id})
    assert (found["kind"], found["delimiter"]) == ("csv", ";")
    assert [column["target"] for column in found["columns"]][:3] == ["email", "first_name", "last_name"]
    preview = await mara.does("crm.imports.preview", **{"import": id})
    assert [row["verdict"] for row in preview["rows"]] == ["create", "invalid"]
    with refused("invalid", "mapping.columns"):
        await mara.does("crm.imports.map", **{"import": id}, mapping={"columns": ["email"]})


async def test_others_do_not_see_an_import(node: Node, mara: User, vic: User) -> None:
    other = await User.new(node, "max", role="contacts_manager")
    id = await begun(mara, FILE)
    for command in ("get", "map", "plan", "start", "undo", "delete", "rows", "errors", "detect", "preview"):
        with refused("not_found", "import"):
            await other.does(f"crm.imports.{command}", **{"import": id})
        with refused("forbidden"):
            await vic.does(f"crm.imports.{command}", **{"import": id})
    with refused("forbidden", "path"):
        await mara.does("crm.imports.create", path="/etc/passwd")


@pytest.mark.parametrize("target", ["tags", "lists"])
async def test_names_in_a_file_are_as_good_as_those_in_commands(node: Node, mara: User, target: str) -> None:
    """A terminal would obey some of them."""
    lines = [f'u{place}@example.com,U,V,"{name}"' for place, name in enumerate(("\x1b[31mred", "x" * 256, "fine"))]
    id = await begun(mara, f"email,first_name,last_name,{target}\n" + "\n".join(lines) + "\n")
    await finished(node, mara, "plan", id)
    counts = (await finished(node, mara, "start", id))["counts"]
    assert (counts["invalid"], counts["created"]) == (2, 1)
    faults = [row["faults"][0] for row in await rows(mara, id, verdict="invalid")]
    assert [(fault["field"], fault["code"]) for fault in faults] == [(target, "invalid_name")] * 2
