"""Rows that have neither an email address nor an external id are found by their phone number and name."""

from __future__ import annotations

from typing import Any

import pytest
from chatnode_crm.contacts.numbered import find_numbered, named_number

from chatnode.config import Config
from chatnode.node import Node
from chatnode.testing import User, configured
from tests.plugins.crm.imports.importing import begun, finished

ADDRESS_BOOK = "name,phone,city\nMum,+33 6 12 34 56 78,Lyon\nDad,+33612345678,Lyon\n,+33698765432,\n"


async def verdicts(who: User, id: str) -> list[tuple[str, ...]]:
    """Of each row, with what is wrong with it."""
    rows = (await who.does("crm.imports.rows", **{"import": id}))["rows"]
    return [(row["verdict"], *(fault["code"] for fault in row.get("faults", ()))) for row in rows]


async def imported(node: Node, who: User, text: str, **options: Any) -> list[tuple[str, ...]]:
    """The verdicts of a file, which are those of its plan."""
    id = await begun(who, text, **options)
    await finished(node, who, "plan", id)
    planned = await verdicts(who, id)
    assert (await finished(node, who, "start", id))["replanned"] == 0
    assert await verdicts(who, id) == planned
    return planned


async def phones(who: User) -> list[tuple[str | None, str | None, str | None]]:
    found = (await who.does("crm.contacts.list"))["contacts"]
    return [(each.get("first_name"), each.get("phone"), each.get("city")) for each in reversed(found)]


async def test_an_address_book_without_addresses(node: Node, mara: User) -> None:
    """Two people who share a number stay two contacts; the number is recognized in each of its spellings."""
    assert await imported(node, mara, ADDRESS_BOOK) == [("create",)] * 3
    assert await imported(node, mara, ADDRESS_BOOK) == [("unchanged",)] * 3
    again = "first name,phone,city\nMUM,+33 612 34 56 78,Nice\nDad,+33612345678,\nmum,+33612345678,Rome\n"
    assert await imported(node, mara, again, policies={"fields": "fill_empty"}) == [
        ("unchanged",), ("unchanged",), ("duplicate", "duplicate"),
    ]  # fmt: skip
    assert await imported(node, mara, again) == [("update",), ("unchanged",), ("duplicate", "duplicate")]
    assert await phones(mara) == [
        ("MUM", "+33 612 34 56 78", "Nice"), ("Dad", "+33612345678", "Lyon"), (None, "+33698765432", None),
    ]  # fmt: skip


@pytest.mark.parametrize("config", [configured(plugins={"crm": {"phone_region": "FR"}})])
async def test_a_number_as_it_is_dialled_is_enough_where_the_region_is_known(
    node: Node, mara: User, config: Config
) -> None:
    assert await imported(node, mara, "phone\n06 12 34 56 78\n") == [("create",)]


async def test_what_is_no_number_finds_nobody(node: Node, mara: User) -> None:
    assert await imported(node, mara, "name,phone\nMum,06 12 34 56 78\nDad,\n") == [
        ("invalid", "unknown_phone", "required"), ("invalid", "required"),
    ]  # fmt: skip


async def test_a_contact_that_has_an_address_is_not_found_by_its_number(node: Node, mara: User) -> None:
    """Another row may be about it, so it needs its address; a second contact of the same person would be no help."""
    await mara.does("crm.contacts.create", email="ann@example.com", first_name="Ann", phone="+33612345678")
    text = "email,name,phone\n,Ann,+33612345678\n,,+33612345678\n,Bob,+33612345678\n,,+33698765432\n"
    assert await imported(node, mara, text) == [("invalid", "exists"), ("invalid", "exists"), ("create",), ("create",)]
    rows = "bob@example.com,Bob,+33611111111\n,Bob,+33611111111\nann@example.com,Anna,\n,Ann,+33612345678\n"
    assert await imported(node, mara, f"email,name,phone\n{rows}") == [
        ("create",), ("invalid", "exists"), ("update",), ("create",),
    ]  # fmt: skip


async def test_names_are_compared_by_their_words(node: Node, mara: User) -> None:
    assert await imported(node, mara, "name,phone\nDr. Müller-Lüdenscheidt,+33612345678\n") == [("create",)]
    again = "name,phone\nDR MULLER LUDENSCHEIDT,+33612345678\nDr. Müller Lüdenscheidt,+33612345678\n"
    fill = {"fields": "fill_empty"}
    assert await imported(node, mara, again, policies=fill) == [("unchanged",), ("duplicate", "duplicate")]


async def test_of_many_people_at_one_number_those_who_may_be_meant_are_read(node: Node, mara: User) -> None:
    """A slice that read all who have the number would take longer with each slice before it."""
    for name in ("Mum", "Mum's Friend", "Mummy", "Dad", "", "x" * 100):
        await mara.does("crm.contacts.create", first_name=name, phone="+33612345678", company="Home")
    await mara.does("crm.contacts.create", first_name="Mum", phone="+336123456789")

    async def read_for(name: str) -> list[str]:
        number = named_number({"first_name": name, "phone_key": "+33612345678"})
        found = await node.core.db.read(lambda reader: find_numbered(reader, [number]))
        return sorted({each.number.partition(" ")[2] for several in found.values() for each in several})

    assert await read_for("MUM") == ["mum", "mum s friend"]
    assert await read_for("x" * 100) == ["x" * 80]
    assert await read_for("") == ["", "dad", "mum", "mum s friend", "mummy", "x" * 80]


async def test_one_is_undone_like_any_other(node: Node, mara: User) -> None:
    await imported(node, mara, ADDRESS_BOOK)
    id = await begun(mara, "name,phone,city\nMum,+33612345678,Nice\nEve,+33611111111,\n")
    await finished(node, mara, "start", id)
    undone = (await finished(node, mara, "undo", id))["undone"]
    assert (undone["restored"], undone["deleted"], undone["kept"]) == (1, 1, 0)
    assert [city for _, _, city in await phones(mara)] == ["Lyon", "Lyon", None]


class TestErasing:
    """The number of a contact is forgotten where a row has nothing else to be found by."""

    ROWS = "email,external_id,name,phone\n,,Mum,+33612345678\nann@example.com,,Ann,+33612345678\n,,Eve,+33698765432\n"

    @pytest.fixture
    async def mum(self, mara: User) -> str:
        made = await mara.does("crm.contacts.create", first_name="Mum", phone="+33 6 12 34 56 78")
        return made["contact"]["id"]

    @pytest.mark.parametrize("changed", [False, True])
    async def test_rows_that_were_read(self, node: Node, mara: User, mum: str, changed: bool) -> None:
        id = await begun(mara, self.ROWS)
        await finished(node, mara, "plan", id)
        if changed:
            await mara.does("crm.contacts.update", contact=mum, first_name="Mother", phone="+33600000000")
        report = await mara.call("crm.contacts.report", contact=mum)
        assert [row["line"] for row in report["imported"]] == [2]
        await mara.call("crm.contacts.erase", contact=mum, confirm=mum)
        await node.call("jobs.run", job="crm.imports")
        rows = (await mara.does("crm.imports.rows", **{"import": id}))["rows"]
        assert [(row["verdict"], row["cells"] != []) for row in rows] == [
            ("suppressed", False), ("create", True), ("create", True),
        ]  # fmt: skip

    @pytest.mark.parametrize("cleaned", [True, False])
    async def test_rows_of_others_with_the_number_stay(self, node: Node, mara: User, mum: str, cleaned: bool) -> None:
        """They are other contacts, of whom a report about this one must not tell."""
        id = await begun(mara, "name,phone\nDad,+33612345678\nMUM,+33612345678\n,+33612345678\n")
        await finished(node, mara, "plan", id)
        report = await mara.call("crm.contacts.report", contact=mum)
        assert [row["line"] for row in report["imported"]] == [3, 4]
        await mara.call("crm.contacts.erase", contact=mum, confirm=mum)
        if cleaned:
            await node.call("jobs.run", job="crm.imports")
        await finished(node, mara, "start", id)
        assert await phones(mara) == [("Dad", "+33612345678", None)]

    async def test_rows_with_a_number_and_a_name_of_other_times(self, node: Node, mara: User, mum: str) -> None:
        for values in ({"phone": "+33611111111"}, {"first_name": "Mother"}, {"phone": "", "email": "mum@example.com"}):
            await mara.does("crm.contacts.update", contact=mum, **values)
        names = [f"{name},+336{number * 8}" for number in "12" for name in ("Mum", "Mother")]
        id = await begun(mara, "name,phone\nMum,+33612345678\nMother,+33612345678\n" + "\n".join(names))
        await finished(node, mara, "plan", id)
        report = await mara.call("crm.contacts.report", contact=mum)
        assert [row["line"] for row in report["imported"]] == [2, 4, 5]

    async def test_rows_of_a_contact_that_was_merged_into_it(self, node: Node, mara: User, mum: str) -> None:
        """Also those with the external id that it had."""
        await mara.does("crm.contacts.update", contact=mum, external_id="x1")
        kept = (await mara.does("crm.contacts.create", email="mum@example.com", external_id="x2"))["contact"]["id"]
        await mara.call("crm.contacts.merge", contact=kept, other=mum)
        await mara.does("crm.contacts.update", contact=kept, phone="")
        id = await begun(mara, self.ROWS + ",x1,Xenia,\n")
        await finished(node, mara, "plan", id)
        assert [row["line"] for row in (await mara.call("crm.contacts.report", contact=kept))["imported"]] == [2, 5]
        await mara.call("crm.contacts.erase", contact=kept, confirm=kept)
        await node.call("jobs.run", job="crm.imports")
        rows = (await mara.does("crm.imports.rows", **{"import": id}))["rows"]
        assert [row["verdict"] for row in rows] == ["suppressed", "create", "create", "suppressed"]

    async def test_a_file_that_was_not_read(self, node: Node, mara: User, mum: str) -> None:
        await mara.does("crm.imports.create", text="Phone,City\n+33 612 345 678,Lyon\n")
        await mara.does("crm.imports.create", text="E-mail,Phone\nann@example.com,+33 612 345 678\n")
        await mara.call("crm.contacts.erase", contact=mum, confirm=mum)
        await node.call("jobs.run", job="crm.imports")
        directory = node.plugins.loaded["crm"].context.directory / "imports"
        assert [path.read_bytes()[:6] for path in directory.rglob("*") if path.is_file()] == [b"E-mail"]

    async def test_until_the_rows_are_gone_they_are_not_imported(self, node: Node, mara: User, mum: str) -> None:
        other = await mara.does("crm.contacts.create", external_id="x1")
        id = await begun(mara, self.ROWS + ",x1,Xenia,\n")
        for contact in (mum, other["contact"]["id"]):
            await mara.does("crm.contacts.delete", contact=contact)
        counts = (await finished(node, mara, "start", id))["counts"]
        assert (counts["suppressed"], counts["created"]) == (2, 2)
