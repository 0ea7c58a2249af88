"""Exports from being asked for to the file."""

from __future__ import annotations

import hashlib
import io
import stat
from typing import Any

import pytest
import vobject
from python_calamine import CalamineWorkbook

from chatnode.node import Node
from chatnode.testing import User, refused
from tests.plugins.crm.exports.making import add, contact, export, path_of, rows_of

HEADER = "Email,First Name,Last Name,Company,Phone,Country,City,Created At"


async def test_an_export_has_the_contacts_in_a_file(node: Node, mara: User) -> None:
    await add(node, contact(email="ann@example.com", first_name="Ann", phone="+33612345678", company="=Acme"))
    await add(node, contact(email="bob@example.com", city="Zürich"))
    done = await export(node, mara)
    path = await path_of(node, done)
    data = path.read_bytes()
    assert data.decode().splitlines()[0] == HEADER
    ann, bob = await rows_of(node, done)
    assert (ann["Email"], ann["First Name"], ann["Phone"], ann["Company"]) == (
        "ann@example.com", "Ann", "+33612345678", "'=Acme",
    )  # fmt: skip
    assert bob["City"] == "Zürich"
    assert (done["status"], done["rows"], done["bytes"]) == ("done", 2, len(data))
    assert done["sha256"] == hashlib.sha256(data).hexdigest()
    assert done["name"].startswith("contacts_export_")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == [path.name]


async def test_the_full_columns_have_tags_and_lists(node: Node, mara: User) -> None:
    await add(node, contact(email="ann@example.com"), tags="Gold,a;b", lists="News,Berlin")
    await add(node, contact(email="bob@example.com"))
    ann, bob = await rows_of(node, await export(node, mara, preset="full"))
    assert (ann["Tags"], ann["Lists"]) == ('"a;b"; Gold', "Berlin; News")
    assert (bob["Tags"], bob["Lists"], bob["Source"]) == ("", "", "manual")
    assert len(ann["Chatnode ID"]) == 32


async def test_contacts_are_chosen_by_list_by_filter_and_by_id(node: Node, mara: User) -> None:
    await add(node, contact(email="ann@example.com", city="Paris"), lists="News")
    await add(node, contact(email="bob@example.com", city="Paris"))
    await add(node, contact(email="cay@example.com", city="Oslo"))

    async def emails(**contacts: Any) -> list[str]:
        return [row["Email"] for row in await rows_of(node, await export(node, mara, contacts=contacts))]

    assert await emails(in_list="news") == ["ann@example.com"]
    assert await emails(filter={"city": {"_eq": "Paris"}}) == ["ann@example.com", "bob@example.com"]
    full = await rows_of(node, await export(node, mara, columns=["id", "email"]))
    assert list(full[0]) == ["Chatnode ID", "Email"]
    assert await emails(ids=[full[2]["Chatnode ID"]]) == ["cay@example.com"]


async def test_other_formats(node: Node, mara: User) -> None:
    await add(node, contact(email="ann@example.com", first_name="Ann", phone="+33612345678"), tags="Gold")
    sheet = await path_of(node, await export(node, mara, format="xlsx", columns=["email", "phone", "tags"]))
    book = CalamineWorkbook.from_filelike(io.BytesIO(sheet.read_bytes()))
    assert book.get_sheet_by_index(0).to_python() == [
        ["Email", "Phone", "Tags"], ["ann@example.com", "+33612345678", "Gold"],
    ]  # fmt: skip
    for format, version in (("vcard3", "3.0"), ("vcard4", "4.0")):
        path = await path_of(node, await export(node, mara, format=format))
        [card] = vobject.readComponents(path.read_text())
        assert (card.version.value, card.email.value, card.categories.value) == (version, "ann@example.com", ["Gold"])


async def test_what_cannot_be_exported_is_refused_with_its_place(node: Node, mara: User) -> None:
    await add(node, contact(email="ann@example.com"))
    for fields, code, path in (
        ({"contacts": {}}, "invalid", "contacts"),
        ({"contacts": {"all": True, "in_list": "x"}}, "invalid", "contacts"),
        ({"contacts": {"in_list": "nowhere"}}, "invalid", "contacts.in_list"),
        ({"contacts": {"filter": {"shoe": {"_eq": 1}}}}, "invalid", "contacts.filter.shoe"),
        ({"columns": ["email", "shoe"]}, "invalid", "columns.1"),
    ):
        with refused(code, path):
            await mara.call("crm.exports.create", **{"contacts": {"all": True}, **fields})


async def test_pages_join(node: Node, mara: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatnode_crm.exports.writing.PAGE", 3)
    people = [contact(email=f"p{number}@example.com") for number in range(9)]
    await add(node, *people, tags="Gold")
    found = await rows_of(node, await export(node, mara, columns=["email", "tags"]))
    assert found == [{"Email": each["email"], "Tags": "Gold"} for each in people]
