"""Contacts that are deleted or erased are gone from the files of imports, also from those that nobody has planned."""

from __future__ import annotations

import io
from typing import Any

import pytest
import xlsxwriter

from chatnode.node import Node
from chatnode.testing import User, refused
from tests.plugins.crm.imports.importing import begun, finished

FILE = "email,first_name,city\nzuleika@example.com,Zuleika,Lyon\nbob@example.com,Bob,Nice\n"


async def tidied(node: Node) -> None:
    await node.call("jobs.run", job="crm.imports")


def kept(node: Node) -> bytes:
    """All that is in the files of imports."""
    directory = node.plugins.loaded["crm"].context.directory / "imports"
    return b"".join(path.read_bytes() for path in directory.rglob("*") if path.is_file())


async def made(who: User, **values: Any) -> str:
    return (await who.does("crm.contacts.create", **values))["contact"]["id"]


@pytest.mark.parametrize(
    "text",
    [
        FILE,
        "Kontakt;Ort\nZuleika <Zuleika@example.com>;Lyon\n",
        "E-mail 1 - Value,Name\nbob@example.com ::: zuleika@example.com,B\n",
        "External ID,Name\nz1,Zuleika\n",
    ],
    ids=["columns", "other words", "several", "external id"],
)
@pytest.mark.parametrize("stage", ["created", "mapped"])
async def test_a_file_that_was_not_planned(node: Node, mara: User, text: str, stage: str) -> None:
    zuleika = await made(mara, email="zuleika@example.com", external_id="z1")
    id = (await mara.does("crm.imports.create", text=text))["import"]["id"]
    if stage == "mapped":
        await mara.does("crm.imports.map", **{"import": id})
    await mara.call("crm.contacts.erase", contact=zuleika, confirm=zuleika)
    await tidied(node)
    assert kept(node) == b""
    for command in ("detect", "preview", "map"):
        with refused("gone"):
            await mara.does(f"crm.imports.{command}", **{"import": id})


async def test_a_file_without_the_contact_stays(node: Node, mara: User) -> None:
    other = await made(mara, email="eve@example.com", external_id="Lyon")
    id = (await mara.does("crm.imports.create", text=FILE))["import"]["id"]
    await mara.call("crm.contacts.erase", contact=other, confirm=other)
    await tidied(node)
    assert kept(node) == FILE.encode()
    await mara.does("crm.imports.map", **{"import": id})
    assert (await finished(node, mara, "start", id))["counts"]["created"] == 2


async def test_all_sheets_are_searched(node: Node, tmp_path: Any) -> None:
    content = io.BytesIO()
    with xlsxwriter.Workbook(content) as book:
        for cells in (["Email", "bob@example.com"], ["Email", "zuleika@example.com"]):
            book.add_worksheet().write_column(0, 0, cells)
    (tmp_path / "book.xlsx").write_bytes(content.getvalue())
    await node.call("crm.imports.create", path=str(tmp_path / "book.xlsx"))
    contact = (await node.call("crm.contacts.create", email="zuleika@example.com"))["contact"]["id"]
    await node.call("crm.contacts.erase", contact=contact, confirm=contact)
    await tidied(node)
    assert kept(node) == b""


async def test_a_contact_that_had_another_address_then(node: Node, mara: User) -> None:
    id = await begun(mara, FILE)
    await finished(node, mara, "start", id)
    found = (await mara.does("crm.contacts.search", query="zuleika"))["contacts"]
    await mara.does("crm.contacts.update", contact=found[0]["id"], email="z@example.org", external_id="z1")
    await mara.call("crm.contacts.erase", contact=found[0]["id"], confirm=found[0]["id"])
    await tidied(node)
    assert b"uleika" not in kept(node)
    again = await begun(mara, FILE)
    counts = (await finished(node, mara, "start", again))["counts"]
    assert (counts["suppressed"], counts["unchanged"]) == (1, 1)


async def test_an_earlier_address_that_another_contact_has_now_is_left_alone(node: Node, mara: User) -> None:
    old = await made(mara, email="office@example.com")
    await mara.does("crm.contacts.update", contact=old, email="old@example.com")
    await made(mara, email="office@example.com")
    id = await begun(mara, "email,city\noffice@example.com,Lyon\n")
    await mara.call("crm.contacts.erase", contact=old, confirm=old)
    await tidied(node)
    assert (await finished(node, mara, "start", id))["counts"]["updated"] == 1
