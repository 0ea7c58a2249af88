"""Contacts that are deleted or erased are gone from the files of imports, also from those that nobody has planned."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import chatnode_crm
import pytest
import trio
import xlsxwriter
from chatnode_crm.imports import commands, searching, staging
from chatnode_crm.imports.layout import ImportFiles
from chatnode_crm.imports.receiving import in_blocks

from chatnode.config import Config
from chatnode.hooks.work import Work
from chatnode.node import Node, open_node
from chatnode.testing import User, refused
from tests.plugins.crm.imports.importing import begun, finished
from tests.plugins.sql import rows

ROOT = Path(__file__).parents[4]

FILE = "email,first_name,city\nzuleika@example.com,Zuleika,Lyon\nbob@example.com,Bob,Nice\n"


async def tidied(node: Node) -> None:
    await node.call("jobs.run", job="crm.imports")


def kept(node: Node) -> bytes:
    """All that is in the files of imports."""
    directory = node.plugins.loaded["crm"].context.directory / "imports"
    return b"".join(path.read_bytes() for path in directory.rglob("*") if path.is_file())


def names_of_files(node: Node) -> list[str]:
    """The files of imports, without the generation of rows."""
    directory = node.plugins.loaded["crm"].context.directory / "imports"
    return sorted(path.name.partition("-")[0] for path in directory.rglob("*") if path.is_file())


async def made(who: Any, **values: Any) -> str:
    return (await who.call("crm.contacts.create", **values))["contact"]["id"]


async def erase(who: Any, contact: str) -> None:
    await who.call("crm.contacts.erase", contact=contact, confirm=contact)


@pytest.mark.parametrize(
    "text",
    [
        FILE,
        "Kontakt;Ort\nZuleika <Zuleika@example.com>;Lyon\n",
        "E-mail 1 - Value,Name\nbob@example.com ::: zuleika@example.com,B\n",
        "Name,Notes\nBob,Knows 'zuleika@example.com' [Zuleika]\n",
        "External ID,Name\nz1,Zuleika\n",
        "email,city\nbob@example.com,Nice,zuleika@example.com\n",
    ],
    ids=["columns", "other words", "several", "quoted", "external id", "too many cells"],
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


async def test_names_of_contacts_that_were_merged_into_it(node: Node, mara: User) -> None:
    zuleika, other = await made(mara, email="z@example.org"), await made(mara, email="zuleika@example.com")
    await mara.call("crm.contacts.merge", contact=zuleika, other=other)
    await mara.does("crm.imports.create", text=FILE)
    await erase(mara, zuleika)
    await tidied(node)
    assert kept(node) == b""


@pytest.mark.parametrize("stage", ["planned", "mapped again"])
async def test_a_first_row_that_was_taken_for_a_header(node: Node, mara: User, stage: str) -> None:
    id = await begun(mara, "Zuleika <zuleika@example.com>;Lyon\nBob <bob@example.com>;Nice\n")
    assert (await finished(node, mara, "plan", id))["rows"] == 1
    if stage == "mapped again":
        await mara.does("crm.imports.map", **{"import": id})
    await erase(mara, await made(mara, email="zuleika@example.com"))
    await tidied(node)
    assert b"uleika" not in kept(node)
    assert "uleika" not in str(await rows(node, "SELECT * FROM crm_imports"))


class TestOtherPartsOfTheFile:
    """Rows are of one sheet of a workbook, or of one file in an archive; the uploaded file has the others, too."""

    async def test_another_sheet(self, node: Node, tmp_path: Path) -> None:
        with xlsxwriter.Workbook(tmp_path / "file") as book:
            for cells in (["Email", "bob@example.com"], ["Email", "zuleika@example.com"]):
                book.add_worksheet().write_column(0, 0, cells)
        await self.is_removed(node, tmp_path / "file")

    async def test_an_external_id_in_another_column_of_another_sheet(self, node: Node, tmp_path: Path) -> None:
        with xlsxwriter.Workbook(tmp_path / "file") as book:
            for cells in (
                [["Email", "External ID"], ["bob@example.com", "b1"]],
                [["External ID", "City"], ["z1", "X"]],
            ):
                sheet = book.add_worksheet()
                for row, values in enumerate(cells):
                    sheet.write_row(row, 0, values)
        await self.is_removed(node, tmp_path / "file")

    async def test_another_file_of_an_archive(self, node: Node, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "file", "w") as archive:
            archive.writestr("bob.csv", "Email\nbob@example.com\n")
            archive.writestr("__MACOSX/._bob.csv", b"\0\5\26\7")
            archive.writestr("zuleika.csv", "Email\nzuleika@example.com\n")
        await self.is_removed(node, tmp_path / "file", reading={"member": "bob.csv"})

    async def test_an_archive_with_too_many_files_to_look_into_them(self, node: Node, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "file", "w") as archive:
            for number in range(searching.MOST_MEMBERS + 1):
                archive.writestr(f"{number}.csv", "Email\nbob@example.com\n")
        await node.call("crm.imports.create", path=str(tmp_path / "file"))
        await erase(node, await made(node, email="zuleika@example.com"))
        await tidied(node)
        assert names_of_files(node) == []

    async def is_removed(self, node: Node, path: Path, **options: Any) -> None:
        zuleika = await made(node, email="zuleika@example.com", external_id="z1")
        eve = await made(node, email="eve@example.com", external_id="e1")
        id = (await node.call("crm.imports.create", path=str(path)))["import"]["id"]
        await node.call("crm.imports.map", **{"import": id}, **options)
        await finished(node, node, "plan", id)
        await erase(node, eve)
        await tidied(node)
        assert names_of_files(node) == ["index", "rows", "source"]
        await erase(node, zuleika)
        await tidied(node)
        assert names_of_files(node) == ["index", "rows"]
        assert (await finished(node, node, "start", id))["counts"]["created"] == 1


class TestWhatIsLeftOnTheDisk:
    async def test_nothing_of_an_import_without_the_contact(self, node: Node, mara: User) -> None:
        id = await begun(mara, FILE)
        await finished(node, mara, "plan", id)
        await erase(mara, await made(mara, email="eve@example.com"))
        await tidied(node)
        assert names_of_files(node) == ["index", "rows", "source"]

    async def test_nothing_of_rows_that_are_read_again(self, node: Node, mara: User) -> None:
        id = await begun(mara, FILE)
        await finished(node, mara, "plan", id)
        await mara.does("crm.imports.map", **{"import": id}, mapping={"columns": ["email", "ignore", "ignore"]})
        assert names_of_files(node) == ["source"]

    async def test_nothing_of_rows_that_could_not_be_read_to_the_end(
        self, node: Node, mara: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        id = await begun(mara, FILE)
        monkeypatch.setattr(staging, "ROOM_BYTES", 1 << 60)  # so that the disk is full
        await mara.does("crm.imports.plan", **{"import": id})
        await node.works.run_due()
        assert names_of_files(node) == ["source"]

    async def test_what_is_being_written(self, node: Node, mara: User) -> None:
        files = ImportFiles.of(node.plugins.loaded["crm"].context.directory, await begun(mara, FILE))
        with files.in_use():
            files.rows("1").touch()
            await tidied(node)
            assert names_of_files(node) == ["rows", "source"]
        await tidied(node)
        assert names_of_files(node) == ["source"]

    @pytest.mark.parametrize(("stage", "left"), [("created", []), ("planned", ["index", "rows"])])
    async def test_nothing_of_the_contact_after_a_kill(self, tmp_path: Path, stage: str, left: list[str]) -> None:
        """The node is killed when its tables say that the contact is gone, and its files do not yet. It is not an hour
        until the job runs again."""
        async with open_node(tmp_path, Config(), only=[chatnode_crm]) as node:
            zuleika = await made(node, email="zuleika@example.com")
            id = await begun(node, FILE)
            if stage == "planned":
                await finished(node, node, "plan", id)
            await tidied(node)  # so that the job is not due when the node starts again
            await erase(node, zuleika)
        command = [sys.executable, "-m", "tests.plugins.crm.imports.run_cleanup", str(tmp_path)]
        ended = await trio.run_process(command, cwd=ROOT, check=False, stdout=subprocess.DEVNULL)
        assert ended.returncode == -signal.SIGKILL
        async with open_node(tmp_path, Config(), only=[chatnode_crm]) as node:
            assert b"uleika" in kept(node)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(node.jobs.run_forever)
                with trio.fail_after(30):
                    while names_of_files(node) != left:  # noqa: ASYNC110 - what a job does
                        await trio.sleep(0.005)
                nursery.cancel_scope.cancel()
            assert b"uleika" not in kept(node)
            if stage == "planned":
                assert (await finished(node, node, "start", id))["counts"]["created"] == 1


@pytest.mark.parametrize("cleaned", [True, False])
async def test_an_erasure_while_the_file_is_copied(
    node: Node, mara: User, monkeypatch: pytest.MonkeyPatch, cleaned: bool
) -> None:
    """For another import of the same file, whose row is written last."""
    zuleika = await made(mara, email="zuleika@example.com")
    first = (await mara.does("crm.imports.create", text=FILE))["import"]["id"]

    async def copied(path: Path) -> AsyncIterator[bytes]:
        async for block in in_blocks(path):
            yield block
        await erase(mara, zuleika)
        if cleaned:
            await tidied(node)

    monkeypatch.setattr(commands, "in_blocks", copied)
    with refused("gone") if cleaned else nullcontext():
        await mara.does("crm.imports.create", like=first)
    await tidied(node)
    assert kept(node) == b""


async def test_an_erasure_right_after_the_rows_were_read(
    node: Node, mara: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The contact's row goes from files that a work has just written, and is about to open."""
    zuleika, write = await made(mara, email="zuleika@example.com"), Work.write
    id = await begun(mara, FILE)

    async def write_and_erase(work: Work, function: Any) -> Any:
        written = await write(work, function)
        if (await mara.does("crm.contacts.list"))["contacts"]:
            await erase(mara, zuleika)
            await tidied(node)
        return written

    monkeypatch.setattr(Work, "write", write_and_erase)
    planned = await finished(node, mara, "plan", id)
    assert (planned["plan"]["suppressed"], planned["plan"]["created"]) == (1, 1)
    assert b"uleika" not in kept(node)
