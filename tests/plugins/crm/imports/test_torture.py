"""Files as people really have them, through the whole import: the right contacts, or an error with its row and line."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from chatnode.api import Reader
from chatnode.node import Node
from chatnode.testing import refused
from tests.plugins.crm.imports.importing import finished

HEADER = "email,first_name,last_name,city,description\n"


async def imported(node: Node, path: Path, **options: Any) -> tuple[str, dict[str, Any]]:
    """The id of the import of a file, and what it counted: the dry run counts the same."""
    id = (await node.call("crm.imports.create", path=str(path), name=path.name))["import"]["id"]
    await node.call("crm.imports.map", **{"import": id}, **options)
    planned = (await finished(node, node, "plan", id))["plan"]
    done = await finished(node, node, "start", id)
    assert done["counts"] == planned
    return id, done["counts"]


async def contacts(node: Node, *columns: str) -> list[tuple[Any, ...]]:
    def read(reader: Reader) -> list[tuple[Any, ...]]:
        return reader.execute(f"SELECT {', '.join(columns)} FROM crm_contacts ORDER BY email").fetchall()

    return await node.core.db.read(read)


async def errors(node: Node, id: str, path: Path) -> list[dict[str, str]]:
    """The file of rows that were not imported."""
    await node.call("crm.imports.errors", **{"import": id}, path=str(path), verdicts=["invalid"])
    return list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"), newline="")))  # noqa: ASYNC240


TEXTS = {
    "bom": (f"{HEADER}a@example.com,Ann,Lée,Köln,x\n".encode("utf-8-sig"), "Köln"),
    "utf-16": (f"{HEADER}a@example.com,Ann,Lée,Köln,x\n".encode("utf-16"), "Köln"),
    "utf-16-le without a mark": (f"{HEADER}a@example.com,Ann,Lée,Köln,x\n".encode("utf-16-le"), "Köln"),
    "cp1252": (f"{HEADER}a@example.com,Ann,Lée,Köln – “Süd”,x\n".encode("cp1252"), "Köln – “Süd”"),
    "gb18030": (f"{HEADER}a@example.com,小明,王,北京市朝阳区,客户在上海工作\n".encode("gb18030"), "北京市朝阳区"),
    "sep=": (f"sep=;\r\n{HEADER}a@example.com,Ann,Lee,Lyon,x\r\n".replace(",", ";").encode(), "Lyon"),
    "formula": (f"{HEADER}a@example.com,Ann,Lee,'=1+1,x\n".encode(), "=1+1"),
    "old line ends": (f"{HEADER}a@example.com,Ann,Lee,Lyon,x\n".replace("\n", "\r").encode(), "Lyon"),
}


@pytest.mark.parametrize("name", TEXTS)
async def test_texts(node: Node, tmp_path: Path, name: str) -> None:
    content, city = TEXTS[name]
    (tmp_path / "file").write_bytes(content)
    _, counts = await imported(node, tmp_path / "file")
    assert (counts["created"], counts["invalid"]) == (1, 0)
    assert await contacts(node, "email", "city") == [("a@example.com", city)]


async def test_quoted_lines_ragged_rows_and_nuls(node: Node, tmp_path: Path) -> None:
    text = (
        f'{HEADER}a@example.com,Ann,Lee,Lyon,"two\nlines, ""quoted"""\n'
        "b@example.com,Bob\n"
        "c@example.com,Cay,Ray,Oslo,x,one,too,many\n"
        "d@example.com,Dan\0,Day,Ro\0me,x\n"
        "e@example.com,Eve,Fay\n"
    )
    (tmp_path / "file").write_text(text)
    id, counts = await imported(node, tmp_path / "file")
    assert (counts["created"], counts["invalid"]) == (4, 1)
    assert await contacts(node, "email", "first_name", "city", "description") == [
        ("a@example.com", "Ann", "Lyon", 'two\nlines, "quoted"'),
        ("b@example.com", "Bob", None, None),
        ("d@example.com", "Dan", "Rome", "x"),
        ("e@example.com", "Eve", None, None),
    ]
    found = await errors(node, id, tmp_path / "errors.csv")
    assert [(each["_row"], each["_line"], each["_field"], each["_code"]) for each in found] == [
        ("3", "5", "row", "too_many_cells"),
    ]  # fmt: skip


async def test_cells_that_are_too_many_are_in_the_errors_until_they_are_put_right(node: Node, tmp_path: Path) -> None:
    rows = "".join(f"{each}@example.com,Ann,Lee,Lyon, France,a note\n" for each in "abcd")
    (tmp_path / "file").write_text(f"{HEADER}{rows}e@example.com,Eve,Fay,Rome,x\n" + "f@example.com,Gil,Ray,Rome\n" * 4)
    id, counts = await imported(node, tmp_path / "file")
    assert (counts["created"], counts["invalid"]) == (2, 4)
    path = tmp_path / "errors.csv"
    found = await errors(node, id, path)
    assert [(each["description"], [*each.values()][-1]) for each in found] == [(" France", ["a note"])] * 4
    _, again = await imported(node, path)
    assert (again["created"], again["invalid"]) == (0, 4)
    lines = path.read_text("utf-8-sig").replace("Lyon, France", '"Lyon, France",a note').splitlines()
    path.write_text("\n".join(line.removesuffix(",a note") for line in lines))
    _, fixed = await imported(node, path)
    assert (fixed["created"], fixed["invalid"]) == (4, 0)
    assert (await contacts(node, "email", "city", "description"))[0] == ("a@example.com", "Lyon, France", "a note")


async def test_errors_are_fixed_and_imported_again(node: Node, tmp_path: Path) -> None:
    (tmp_path / "file").write_text(
        f'{HEADER}a@example.com,Ann,Lee,Lyon,x\nnobody,Bob,Ray,=Oslo,"two\nlines"\n,Cay,Ray,Rome,é\n', "utf-8"
    )
    id, counts = await imported(node, tmp_path / "file")
    assert (counts["created"], counts["invalid"]) == (1, 2)
    path = tmp_path / "errors.csv"
    assert [each["_line"] for each in await errors(node, id, path)] == ["3", "5"]
    fixed = path.read_text("utf-8").replace("nobody", "b@example.com").replace("\n,Cay", "\nc@example.com,Cay")
    path.write_text(fixed, "utf-8")
    _, again = await imported(node, path)
    assert (again["created"], again["invalid"]) == (2, 0)
    assert (await contacts(node, "email", "city", "description"))[1:] == [
        ("b@example.com", "=Oslo", "two\nlines"), ("c@example.com", "Rome", "é"),
    ]  # fmt: skip


def sheet(path: Path, fill: Callable[[Any, Any], None], **options: Any) -> None:
    with xlsxwriter.Workbook(path, options) as book:
        fill(book, book.add_worksheet())


@pytest.mark.parametrize("since_1904", [False, True])
async def test_workbooks(node: Node, tmp_path: Path, since_1904: bool) -> None:
    await node.call("crm.fields.define", name="Birthday", kind="date")
    await node.call("crm.fields.define", name="Size", kind="number")

    def fill(book: Any, page: Any) -> None:
        page.write_row(0, 0, ["E-mail", "First name", "Last name", "Phone", "Birthday", "Size"])
        page.write_row(1, 0, ["a@example.com", "Ann", "Lee", 33612345678.0])
        page.write_datetime(1, 4, date(1990, 2, 28), book.add_format({"num_format": "dd.mm.yyyy"}))
        page.write_number(1, 5, 12.5)
        page.write_row(2, 0, ["b@example.com", "Bob", "Ray"])
        page.write_formula(2, 3, "=1/0", None, "#DIV/0!")
        page.write_row(4, 0, ["c@example.com", "Cay", "Ray", "", "soon", "large"])

    sheet(tmp_path / "book.xlsx", fill, date_1904=since_1904)
    id, counts = await imported(node, tmp_path / "book.xlsx")
    assert (counts["created"], counts["invalid"]) == (1, 2)
    ann = (await node.call("crm.contacts.list"))["contacts"][0]
    assert (ann["custom"], ann["phone"].replace(" ", "")) == ({"Birthday": "1990-02-28", "Size": 12.5}, "33612345678")
    found = await errors(node, id, tmp_path / "errors.csv")
    assert [(each["_row"], each["_line"], each["_field"]) for each in found] == [
        ("2", "3", "phone"), ("3", "5", "custom.Birthday"),
    ]  # fmt: skip


CARDS = (
    b"BEGIN:VCARD\r\nVERSION:2.1\r\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BC=\r\nller;J=C3=B6rg\r\n"
    b"EMAIL;INTERNET:a@example.com\r\nNOTE;ENCODING=QUOTED-PRINTABLE:one=0D=0Atwo\r\nEND:VCARD\r\n"
    b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Bob Ray\r\nN:Ray;Bob;;;\r\nEMAIL;TYPE=WORK:b@exam\r\n ple.com\r\n"
    b"NOTE:a long\\, fol\r\n ded\\nnote\r\nEND:VCARD\r\n"
    b"BEGIN:VCARD\r\nVERSION:3.0\r\nN:No;Mail;;;\r\nEND:VCARD\r\n"
    b"BEGIN:VCARD\r\nVERSION:3.0\r\nN:Cut;Off;;;\r\nEMAIL:c@example.com\r\n"
)


async def test_cards(node: Node, tmp_path: Path) -> None:
    (tmp_path / "all.vcf").write_bytes(CARDS)
    id, counts = await imported(node, tmp_path / "all.vcf")
    assert (counts["created"], counts["invalid"]) == (2, 2)
    assert await contacts(node, "email", "first_name", "last_name", "description") == [
        ("a@example.com", "Jörg", "Müller", "one\ntwo"), ("b@example.com", "Bob", "Ray", "a long, folded\nnote"),
    ]  # fmt: skip
    found = await errors(node, id, tmp_path / "errors.csv")
    assert [(each["_row"], each["_line"], each["_code"]) for each in found] == [
        ("3", "17", "required"), ("4", "21", "bad_card"),
    ]  # fmt: skip


@pytest.mark.parametrize("content", [b"", b"\0" * 2_000, b"\x89PNG\r\n\x1a\n" + bytes(range(256)), b"PK\x03\x04broken"])
async def test_what_is_no_table_is_refused(node: Node, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    with refused("invalid"):
        await imported(node, tmp_path / "file")


async def test_only_the_operator_names_a_path(node: Node, mara: Any, tmp_path: Path) -> None:
    made = await mara.call("crm.imports.create", text=f"{HEADER}nobody,Ann,Lee,,\n")
    id = made["import"]["id"]
    await mara.call("crm.imports.map", **{"import": id})
    await finished(node, mara, "plan", id)
    with refused("forbidden", "path"):
        await mara.call("crm.imports.errors", **{"import": id}, path=str(tmp_path / "x"))
    with refused("invalid", "path"):
        await node.call("crm.imports.errors", **{"import": id}, path=str(tmp_path / "no" / "x"))
