"""XLSX: what people see in the sheet is what is read."""

from __future__ import annotations

import datetime
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
import xlsxwriter
from chatnode_crm.files.reading import ReadLimits

from .reading import read, refused


def workbook(write: Callable[[xlsxwriter.Workbook], object], **options: object) -> Callable[[Path], None]:
    """What writes a workbook to a path."""

    def save(path: Path) -> None:
        with xlsxwriter.Workbook(str(path), options) as book:
            write(book)

    return save


def sheet(*rows: list[object], **options: object) -> Callable[[Path], None]:
    """What writes a workbook with one sheet to a path."""

    def write(book: xlsxwriter.Workbook) -> None:
        page = book.add_worksheet()
        for at, row in enumerate(rows):
            page.write_row(at, 0, row)

    return workbook(write, **options)


def changed(name: str, change: Callable[[bytes], bytes], save: Callable[[Path], None]) -> Callable[[Path], None]:
    """A workbook of which one part is changed."""

    def write(path: Path) -> None:
        save(path)
        with zipfile.ZipFile(path) as packed:
            parts = {info.filename: packed.read(info) for info in packed.infolist()}
        parts[name] = change(parts[name])
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            for part, content in parts.items():
                packed.writestr(part, content)

    return write


HEADER: list[object] = ["email", "name", "phone"]
PLAIN = sheet(HEADER, ["a@b.de", "Ann", "1"], ["b@b.de", "Bob", "2"])
SHEET = "xl/worksheets/sheet1.xml"


def test_numbers_are_read_as_they_are_shown(tmp_path: Path) -> None:
    def write(book: xlsxwriter.Workbook) -> None:
        page = book.add_worksheet()
        page.write_row(
            0, 0, ["plain", "large", "third", "tenths", "post code", "French", "zip+4", "share", "yes", "neg"]
        )
        page.write(1, 0, 33612345678)
        page.write(1, 1, 12345678901234567000)
        page.write(1, 2, 1 / 3)
        page.write(1, 3, 0.1 + 0.2)
        page.write(1, 4, 1234, book.add_format({"num_format": "00000"}))
        page.write(1, 5, 612345678, book.add_format({"num_format": r"0#\ ##\ ##\ ##\ ##"}))
        page.write(1, 6, 123450001, book.add_format({"num_format": r"00000\-0000"}))
        page.write(1, 7, 0.255, book.add_format({"num_format": "0.0%"}))
        page.write(1, 8, True)
        page.write(1, 9, -12.50)

    assert read(tmp_path, workbook(write), header=True).values == [
        ["33612345678", "12345678901234570000", "0.333333333333333", "0.3", "01234", "06 12 34 56 78", "12345-0001",
         "25.5%", "TRUE", "-12.5"],
    ]  # fmt: skip


@pytest.mark.parametrize("since_1904", [False, True])
def test_dates_are_iso_dates(since_1904: bool, tmp_path: Path) -> None:
    def write(book: xlsxwriter.Workbook) -> None:
        page = book.add_worksheet()
        page.write_row(0, 0, ["day", "moment", "time", "month", "long"])
        page.write_datetime(1, 0, datetime.datetime(1999, 12, 31), book.add_format({"num_format": "dd/mm/yyyy"}))
        page.write_datetime(1, 1, datetime.datetime(2024, 2, 29, 13, 5, 7), book.add_format({"num_format": 22}))
        page.write_datetime(1, 2, datetime.time(7, 30), book.add_format({"num_format": "hh:mm"}))
        page.write_datetime(1, 3, datetime.datetime(2024, 5, 1), book.add_format({"num_format": "mmm"}))
        long = '[$-407]dddd, d. mmmm yyyy "um" hh:mm:ss.000'
        page.write_datetime(1, 4, datetime.datetime(2024, 5, 1, 23, 59, 59), book.add_format({"num_format": long}))

    found = read(tmp_path, workbook(write, date_1904=since_1904))
    assert found.values == [["1999-12-31", "2024-02-29T13:05:07", "07:30:00", "2024-05-01", "2024-05-01T23:59:59"]]


def test_the_days_of_1900(tmp_path: Path) -> None:
    def write(book: xlsxwriter.Workbook) -> None:
        page, day = book.add_worksheet(), book.add_format({"num_format": 14})
        for row, number in enumerate([1, 59, 60, 61, 2958465, 2958466, -1]):
            page.write(row + 1, 0, number, day)
        page.write(0, 0, "day")

    assert [values[0] for values in read(tmp_path, workbook(write)).values] == [
        "1900-01-01", "1900-02-28", "1900-02-29", "1900-03-01", "9999-12-31", "2958466", "-1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("number", "form", "since_1904", "shown"),
    [
        (2958465, "yyyy-mm-dd", True, "2958465"), (2957003, "yyyy-mm-dd", True, "9999-12-31"),
        (2958465.999999, "yyyy-mm-dd hh:mm", False, "2958465.999999"),
    ],
)  # fmt: skip
def test_days_beyond_the_calendar_are_read_as_numbers(
    number: float, form: str, since_1904: bool, shown: str, tmp_path: Path
) -> None:
    def write(book: xlsxwriter.Workbook) -> None:
        page = book.add_worksheet()
        page.write(0, 0, "value")
        page.write(1, 0, number, book.add_format({"num_format": form}))

    assert read(tmp_path, workbook(write, date_1904=since_1904)).values == [[shown]]


def test_formulas_have_their_stored_value_and_errors_are_faults(tmp_path: Path) -> None:
    def write(book: xlsxwriter.Workbook) -> None:
        page = book.add_worksheet()
        page.write_row(0, 0, HEADER)
        page.write(1, 0, "a@b.de")
        page.write_formula(1, 1, '="A"&"nn"', None, "Ann")
        page.write_formula(1, 2, "=NA()", None, "#N/A")

    found = read(tmp_path, workbook(write))
    assert found.values == [["a@b.de", "Ann", "#N/A"]]
    assert found.rows[0].faults[0][:2] == (2, "cell_error")


def test_a_formula_without_a_value_is_a_fault(tmp_path: Path) -> None:
    def save(path: Path) -> None:
        book = openpyxl.Workbook()
        for row in (HEADER, ["a@b.de", '="A"&"nn"', None]):
            book.worksheets[0].append(row)
        book.save(path)

    found = read(tmp_path, save)
    assert found.values == [["a@b.de", "", ""]]
    assert found.codes == [(1, "formula")]


def test_escaped_characters(tmp_path: Path) -> None:
    text = "one\r\ntwo _x000D_ three"
    found = read(tmp_path, sheet(HEADER, ["a@b.de", text, "x"]))
    assert found.values == [["a@b.de", text, "x"]]
    raw = changed("xl/sharedStrings.xml", lambda part: part.replace(b"Ann", b"A_x000D__x000A_n_xD83D__xDE00_"), PLAIN)
    assert read(tmp_path, raw).values[0][1] == "A\r\nn😀"


def test_rich_and_phonetic_text(tmp_path: Path) -> None:
    rich = b"<r><t>A</t></r><r><rPr><b/></rPr><t>nn</t></r><rPh><t>phonetic</t></rPh>"
    raw = changed("xl/sharedStrings.xml", lambda part: part.replace(b"<t>Ann</t>", rich), PLAIN)
    assert read(tmp_path, raw).values[0][1] == "Ann"


def test_the_first_visible_sheet_that_is_not_empty(tmp_path: Path) -> None:
    def write(book: xlsxwriter.Workbook) -> None:
        hidden, _, page = (book.add_worksheet(name) for name in ("Secret", "Empty", "People"))
        hidden.write_row(0, 0, ["email", "secret"])
        hidden.hide()
        page.activate()
        page.set_first_sheet()
        page.write_row(0, 0, ["email", "name"])
        chart = book.add_chart({"type": "line"})
        chart.add_series({"values": "=People!$A$1:$A$2"})
        book.add_chartsheet("Chart").set_chart(chart)

    found = read(tmp_path, workbook(write))
    assert (found.table.sheet, found.table.sheets) == ("People", ("Secret", "Empty", "People"))
    assert read(tmp_path, workbook(write), sheet="Secret").columns == ["email", "secret"]
    error = refused(tmp_path, workbook(write), sheet="Other")
    assert error.code == "no_sheet"
    assert "Secret, Empty, People" in str(error)
    assert refused(tmp_path, workbook(write), sheet="Empty").code == "empty"


def test_merged_cells_hold_in_all_their_rows(tmp_path: Path) -> None:
    def write(book: xlsxwriter.Workbook) -> None:
        page = book.add_worksheet()
        page.merge_range("A1:C1", "Our people")
        page.write_row(1, 0, ["email", "name", "company"])
        for row, name in enumerate(("Ann", "Bob", "Carl"), 2):
            page.write_row(row, 0, [f"{name}@b.de", name])
        page.merge_range("C3:C4", "Acme")

    found = read(tmp_path, workbook(write))
    assert found.columns == ["email", "name", "company"]
    assert found.values == [["Ann@b.de", "Ann", "Acme"], ["Bob@b.de", "Bob", "Acme"], ["Carl@b.de", "Carl", ""]]


def test_rows_are_numbered_as_in_the_sheet_and_empty_ones_do_not_count(tmp_path: Path) -> None:
    def write(book: xlsxwriter.Workbook) -> None:
        page = book.add_worksheet()
        page.write_row(2, 1, HEADER)
        page.write_row(3, 1, ["a@b.de", "Ann", "1"])
        page.write_row(9, 1, ["b@b.de", "Bob", "2"])
        page.write_blank(2_000, 5, None, book.add_format({"bold": True}))

    found = read(tmp_path, workbook(write))
    assert found.columns == ["", *HEADER]
    assert [(row.number, row.line) for row in found.rows] == [(1, 4), (2, 10)]


def test_parts_with_prefixes_and_cells_without_places(tmp_path: Path) -> None:
    def prefixed(part: bytes) -> bytes:
        start = part.index(b"<sheetData>")
        rows = part[start : part.index(b"</sheetData>")]
        for tag in (b"row", b"c", b"v"):
            rows = rows.replace(b"<" + tag + b" ", b"<x:" + tag + b" ").replace(b"<" + tag + b">", b"<x:" + tag + b">")
            rows = rows.replace(b"</" + tag + b">", b"</x:" + tag + b">")
        for place in (b' r="A1"', b' r="B1"', b' r="C1"', b' r="A2"', b' r="B2"', b' r="C2"', b' r="1"', b' r="2"'):
            rows = rows.replace(place, b"")
        rows = rows.replace(b"<sheetData>", b"<x:sheetData>") + b"</x:sheetData>"
        return (
            b'<x:worksheet xmlns:x="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
            + rows
            + b"</x:worksheet>"
        )

    assert read(tmp_path, changed(SHEET, prefixed, PLAIN)).values == [["a@b.de", "Ann", "1"], ["b@b.de", "Bob", "2"]]


def test_a_cell_that_is_too_long_is_a_fault_of_its_row(tmp_path: Path) -> None:
    save = sheet(HEADER, ["a@b.de", "x" * 2_000, "1"], ["b@b.de", "Bob", "2"])
    found = read(tmp_path, save, ReadLimits(cell=1_000))
    assert found.codes == [(1, "cell_too_long")]
    assert found.values[1] == ["b@b.de", "Bob", "2"]
    inline = sheet(HEADER, ["a@b.de", "x" * 2_000, "1"], in_memory=True, constant_memory=True)
    assert read(tmp_path, inline, ReadLimits(cell=1_000)).codes == [(1, "cell_too_long")]


def test_a_cell_that_refers_to_nothing_is_a_fault(tmp_path: Path) -> None:
    raw = changed(SHEET, lambda part: part.replace(b"<v>4</v>", b"<v>999</v>"), PLAIN)
    assert read(tmp_path, raw).codes == [(1, "damaged")]


BOMB = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><worksheet><sheetData><row><c t="str"><v>&c;</v></c></row></sheetData>
</worksheet>"""


@pytest.mark.parametrize("part", [SHEET, "xl/sharedStrings.xml", "xl/workbook.xml", "xl/styles.xml", "_rels/.rels"])
def test_entities_are_refused_in_every_part(part: str, tmp_path: Path) -> None:
    error = refused(tmp_path, changed(part, lambda _: BOMB, PLAIN))
    assert error.code == "damaged"
    assert "DOCTYPE" in str(error)


def test_xml_that_is_damaged_says_where(tmp_path: Path) -> None:
    def cut(part: bytes) -> bytes:
        return part[: part.index(b'<row r="3"') + 20]

    error = refused(tmp_path, changed(SHEET, cut, PLAIN))
    assert (error.code, error.line) == ("damaged", 2)


def test_a_workbook_that_inflates_too_much(tmp_path: Path) -> None:
    bomb = changed(SHEET, lambda part: part.replace(b"<sheetData>", b"<sheetData>" + b" " * 60_000_000), PLAIN)
    assert refused(tmp_path, bomb).code == "too_large"
    assert refused(tmp_path, PLAIN, ReadLimits(inflated_bytes=1_000)).code == "too_large"


def test_a_text_list_that_is_too_large(tmp_path: Path) -> None:
    error = refused(tmp_path, sheet(HEADER, ["a@b.de", "x" * 5_000, "1"]), ReadLimits(workbook_strings=1_000))
    assert error.code == "too_large"


def zipped(*files: tuple[str, bytes]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            for name, content in files:
                packed.writestr(name, content)

    return write


TEXT = b"email,name\na@b.de,Ann\n"


def test_an_archive_with_one_file(tmp_path: Path) -> None:
    clutter = [("__MACOSX/._people.csv", b"x"), (".DS_Store", b"x"), ("folder/", b"")]
    assert read(tmp_path, zipped(*clutter, ("folder/people.csv", TEXT))).values == [["a@b.de", "Ann"]]
    PLAIN(tmp_path / "book")
    assert read(tmp_path, zipped(("book", (tmp_path / "book").read_bytes()))).table.kind == "xlsx"
    assert read(tmp_path, zipped(("x", b"BEGIN:VCARD\nFN:Ann\nEND:VCARD\n"))).table.kind == "vcard"


def test_an_archive_with_several_files(tmp_path: Path) -> None:
    save = zipped(("a.csv", TEXT), ("b.csv", TEXT.replace(b"Ann", b"Bob")))
    error = refused(tmp_path, save)
    assert error.code == "no_member"
    assert "a.csv, b.csv" in str(error)
    assert read(tmp_path, save, member="b.csv").values == [["a@b.de", "Bob"]]
    assert refused(tmp_path, save, member="c.csv").code == "no_member"


def test_archives_in_archives_and_other_documents(tmp_path: Path) -> None:
    zipped(("x.csv", TEXT))(tmp_path / "inner")
    inner = (tmp_path / "inner").read_bytes()
    assert "another archive" in str(refused(tmp_path, zipped(("x.zip", inner))))
    assert "OpenDocument" in str(refused(tmp_path, zipped(("mimetype", b"x"), ("content.xml", b"x"))))
    assert "without sheets" in str(refused(tmp_path, zipped(("[Content_Types].xml", b"x"), ("word/d.xml", b"x"))))
    assert "XLSB" in str(refused(tmp_path, zipped(("[Content_Types].xml", b"x"), ("xl/workbook.bin", b"x"))))
    assert refused(tmp_path, zipped()).code == "empty"


def test_bombs(tmp_path: Path) -> None:
    assert refused(tmp_path, zipped(("x.csv", b"0" * 60_000_000))).code == "too_large"
    assert refused(tmp_path, zipped(("x.csv", b"01" * 5_000)), ReadLimits(inflated_bytes=1_000)).code == "too_large"
    many = zipped(*((f"{number}.csv", TEXT) for number in range(30)))
    assert refused(tmp_path, many, ReadLimits(archive_files=29)).code == "too_large"


def test_a_directory_that_claims_too_little_or_too_much(tmp_path: Path) -> None:
    path = tmp_path / "book"
    zipped(("x.csv", b"a@b.de\n" * 10_000))(path)
    content = bytearray(path.read_bytes())
    size = content.index(b"PK\x01\x02") + 24
    for claim in (10, 3_000_000_000):
        content[size : size + 4] = struct.pack("<I", claim)
        assert refused(tmp_path, bytes(content)).code in ("damaged", "too_large")


@pytest.mark.parametrize("keep", [4, 30, 0.3, 0.7, 0.99])
def test_a_workbook_that_is_cut(keep: float, tmp_path: Path) -> None:
    PLAIN(tmp_path / "book")
    content = (tmp_path / "book").read_bytes()
    length = int(keep if keep > 1 else keep * len(content))
    assert refused(tmp_path, content[:length]).code == "damaged"


def test_an_encrypted_archive(tmp_path: Path) -> None:
    zipped(("x.csv", TEXT))(tmp_path / "book")
    content = bytearray((tmp_path / "book").read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    assert refused(tmp_path, bytes(content)).code == "encrypted"


def test_tags_that_never_end_cost_nothing(tmp_path: Path) -> None:
    bad = changed(SHEET, lambda xml: xml.replace(b"</sheetData>", b"</sheetData>" + b"<mergeCell " * 60_000), PLAIN)
    assert refused(tmp_path, bad).code == "damaged"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"</sheetData>", b'</sheetData><mergeCells><mergeCell ref="A1:A' + b"9" * 5_000 + b'"/></mergeCells>'),
        (b'<row r="2"', b'<row r="' + b"9" * 5_000 + b'"'),
        (b'<c r="A2"', b'<c s="' + b"9" * 5_000 + b'" r="A2"'),
    ],
)
def test_impossible_numbers(old: bytes, new: bytes, tmp_path: Path) -> None:
    """They mean nothing, or the file is refused with a reason."""
    book = changed(SHEET, lambda xml: xml.replace(old, new), PLAIN)
    if b"<row" in old:
        assert refused(tmp_path, book).code == "damaged"
    else:
        assert [values[1] for values in read(tmp_path, book).values] == ["Ann", "Bob"]


def test_very_many_empty_texts_are_refused(tmp_path: Path) -> None:
    many = changed("xl/sharedStrings.xml", lambda xml: xml.replace(b"</sst>", b"<si/>" * 20_000 + b"</sst>"), PLAIN)
    assert refused(tmp_path, many, ReadLimits(workbook_strings=100_000)).code == "too_large"
    assert len(read(tmp_path, many).rows) == 2


def test_a_list_of_parts_that_is_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatnode_crm.files.reading.workbooks.books._SMALL_PART", 2_000)
    part = "xl/_rels/workbook.xml.rels"
    end = b"</Relationships>"
    bad = changed(part, lambda xml: xml.replace(end, b'<Relationship Id="x"/>' * 500 + end), PLAIN)
    assert refused(tmp_path, bad).code == "too_large"
