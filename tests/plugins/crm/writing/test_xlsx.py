"""XLSX files, opened by two libraries that know nothing of how they were written."""

from __future__ import annotations

import io
from datetime import datetime
from typing import Any

import pytest
from chatnode_crm.files.writing import xlsx_files
from chatnode_crm.files.writing.columns import CannotWrite, Column, ColumnKind
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook
from python_calamine import CalamineWorkbook

from tests.plugins.crm.writing.made import AT, COLUMNS, DAY, row, written


def opened(data: bytes) -> Any:
    return load_workbook(io.BytesIO(data))


def by_calamine(data: bytes, sheet: int = 0) -> list[list[Any]]:
    return CalamineWorkbook.from_filelike(io.BytesIO(data)).get_sheet_by_index(sheet).to_python()


ANN = row(
    email="ann@example.com", first_name=" Ann ", phone="+33612345678", description="one\r\ntwo\t_x000D_ <&>\x07",
    tags=("Gold", "a;b"), updated_at=AT, custom__visits=3, custom__vip=True, custom__born=DAY,
)  # fmt: skip


def test_texts_are_texts_and_numbers_and_times_are_what_they_are() -> None:
    sheet = opened(written("xlsx", ANN)).active
    assert [cell.value for cell in sheet[1]] == [column.header for column in COLUMNS]
    cells = {column.name: sheet.cell(2, number) for number, column in enumerate(COLUMNS, 1)}
    assert (cells["phone"].value, cells["phone"].data_type) == ("+33612345678", "s")
    assert cells["first_name"].value == " Ann "
    assert cells["last_name"].value is None
    assert cells["tags"].value == 'Gold; "a;b"'
    assert cells["updated_at"].value == datetime(2026, 11, 21, 10, 17, 6)
    assert cells["custom.born"].value == datetime(2026, 11, 21)
    assert cells["custom.born"].number_format == r"yyyy\-mm\-dd"
    assert (cells["custom.visits"].value, cells["custom.vip"].value) == (3, True)


def test_formulas_are_texts() -> None:
    sheet = opened(written("xlsx", row(company="=1+1", city="{=1}", country="https://example.com"))).active
    found = {cell.value: cell.data_type for cell in sheet[2] if cell.value is not None}
    assert found == {"=1+1": "s", "{=1}": "s", "https://example.com": "s"}


def test_characters_that_xml_has_no_place_for_are_escaped_as_excel_does_it() -> None:
    [_, found] = by_calamine(written("xlsx", ANN))
    assert found[7] == "one\r\ntwo\t_x000D_ <&>\x07"


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufffe\uffff")).filter(len))
def test_whatever_is_written_reads_back(text: str) -> None:
    columns = (Column("city", "City"),)
    assert by_calamine(written("xlsx", (text,), columns=columns)) == [["City"], [text]]


def test_rows_that_are_too_many_for_a_sheet_begin_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx_files, "ROWS", 4)
    rows = [(f"city {number}",) for number in range(8)]
    data = written("xlsx", *rows, columns=(Column("city", "City"),), slice=5)
    book = opened(data)
    assert book.sheetnames == ["Contacts", "Contacts 2", "Contacts 3"]
    found = [[cell[0] for cell in by_calamine(data, sheet)] for sheet in range(3)]
    assert found == [
        ["City", "city 0", "city 1", "city 2"],
        ["City", "city 3", "city 4", "city 5"],
        ["City", "city 6", "city 7"],
    ]


def test_a_sheet_ends_before_it_needs_zip64(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx_files, "SHEET_BYTES", 1_000)
    rows = [("x" * 600,) for _ in range(6)]
    assert len(opened(written("xlsx", *rows, columns=(Column("city", "City"),))).sheetnames) == 3


def test_a_text_that_no_cell_can_hold_is_refused_with_its_place() -> None:
    longest = row(description="x" * 32_767)
    [_, found] = by_calamine(written("xlsx", longest))
    assert len(found[7]) == 32_767
    with pytest.raises(CannotWrite, match="contact 2: Description is longer than the 32,767 characters"):
        written("xlsx", longest, row(description="😀" * 16_384))


def test_whole_numbers_that_a_cell_would_round_are_texts() -> None:
    [_, found] = by_calamine(written("xlsx", (2**53 + 1, 1.5), columns=(_number("a"), _number("b"))))
    assert found == ["9007199254740993", 1.5]


def test_days_about_which_programs_disagree_are_texts() -> None:
    last, first = -2_203_977_600_000, -2_203_891_200_000  # 28 February and 1 March 1900
    day = Column("a", "a", ColumnKind.DAY)
    [_, *found] = opened(written("xlsx", (last,), (first,), columns=(day,))).active.values
    assert [cell if isinstance(cell, str) else cell.date().isoformat() for (cell,) in found] == [
        "1900-02-28", "1900-03-01",
    ]  # fmt: skip
    assert isinstance(found[0][0], str)


def test_columns_after_z() -> None:
    columns = tuple(Column(f"custom.c{number}", f"C{number}") for number in range(30))
    sheet = opened(written("xlsx", tuple(str(number) for number in range(30)), columns=columns)).active
    assert (sheet["Z2"].value, sheet["AA2"].value, sheet["AD2"].value) == ("25", "26", "29")


def test_nobody_is_a_file_with_a_header() -> None:
    assert by_calamine(written("xlsx")) == [[column.header for column in COLUMNS]]


def _number(name: str) -> Column:
    return Column(name, name, ColumnKind.NUMBER)
