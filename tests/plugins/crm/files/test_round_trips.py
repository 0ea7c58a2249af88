"""Tables that are written are read back equal, whatever the program, the encoding and the dialect."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path

import openpyxl
import xlsxwriter
from chatnode_crm.files.reading import ReadOptions, open_table
from chatnode_crm.files.safety import neutralised
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.quick import examples

HEADER = ["Email", "First name", "Last name", "Notes"]
LETTERS = st.sampled_from("abcdefgxyzABCXYZ 0123456789.-_'()/éüñçß")
HOSTILE = st.sampled_from([",", ";", "\t", "|", '"', "\n", "\r\n", "\r", "=", "'", ":", " "])
CELLS = st.one_of(
    st.text(LETTERS, max_size=12),
    st.lists(st.one_of(LETTERS, HOSTILE), max_size=12).map("".join),
    st.sampled_from(["", "x" * 3_000, "sep=;", "#", "O'Neil", '"', '""', "12,5", "Doe, Jane", "a;b;c;d", "\\", '\\"']),
)
MAILS = st.builds("{}@example.com".format, st.text("abcdef", min_size=1, max_size=6))
ROWS = st.lists(st.tuples(MAILS, CELLS, CELLS, CELLS).map(list), min_size=1, max_size=12)


def read(content: bytes, **options: object) -> tuple[list[str], list[list[str]], str | None]:
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as directory:
        path = Path(directory, "file")
        path.write_bytes(content)
        with open_table(path, ReadOptions(**options), scratch=Path(directory)) as table:  # type: ignore[arg-type]
            return list(table.columns), [row.values for row in table.rows()], table.encoding


def written(rows: list[list[str]], delimiter: str, end: str, quoting: int) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting)  # type: ignore[arg-type]
    writer.writerow(HEADER)
    writer.writerows([[neutralised(cell) for cell in row] for row in rows])
    return text.getvalue()


@settings(deadline=None, max_examples=examples(60))
@given(
    ROWS,
    st.sampled_from(",;\t|"),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"]),
)
def test_csv(rows: list[list[str]], delimiter: str, end: str, quoting: int, encoding: str) -> None:
    if quoting == csv.QUOTE_MINIMAL and end == "\n":  # then Python does not quote a CR, and CR LF is one line end
        rows = [[cell.replace("\r", " ") for cell in row] for row in rows]
    text = written(rows, delimiter, end, quoting)
    options = {"encoding": encoding} if encoding == "cp1252" else {}
    columns, found, _ = read(text.encode(encoding), **options)
    assert columns == HEADER
    # A file with `", "` in it may be one that has a space after each delimiter: blank cells are alike then.
    assert [["" if cell.isspace() else cell for cell in row] for row in found] == [
        ["" if cell.isspace() else cell for cell in row] for row in rows
    ]


@settings(deadline=None, max_examples=examples(30))
@given(ROWS, st.sampled_from(",;\t|"))
def test_csv_with_old_line_ends(rows: list[list[str]], delimiter: str) -> None:
    rows = [[cell.replace("\r\n", "\n").replace("\r", "\n") for cell in row] for row in rows]
    columns, found, _ = read(written(rows, delimiter, "\r", csv.QUOTE_ALL).encode())
    assert columns == HEADER
    assert found == rows


SHEET_CELLS = st.one_of(
    CELLS, st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff"), max_size=8)
)
SHEET_ROWS = st.lists(st.tuples(MAILS, SHEET_CELLS, SHEET_CELLS, SHEET_CELLS).map(list), min_size=1, max_size=8)


@settings(deadline=None, max_examples=examples(30))
@given(SHEET_ROWS, st.booleans())
@example([["a@example.com", "_x000D_", "_x005F_", "\x00\x01\x0b"]], False)
@example([["a@example.com", " x ", "\n", "\ttab\r\n"]], True)
def test_xlsx_of_xlsxwriter(rows: list[list[str]], inline: bool) -> None:
    book = io.BytesIO()
    with xlsxwriter.Workbook(book, {"in_memory": True, "constant_memory": inline}) as workbook:
        page = workbook.add_worksheet()
        for at, row in enumerate([HEADER, *rows]):
            for column, cell in enumerate(row):
                page.write_string(at, column, cell)
    columns, found, _ = read(book.getvalue())
    assert columns == HEADER
    assert found == rows


PRINTABLE = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=8)


@settings(deadline=None, max_examples=examples(20))
@given(st.lists(st.tuples(MAILS, PRINTABLE, PRINTABLE).map(list), min_size=1, max_size=5))
def test_xlsx_of_openpyxl(rows: list[list[str]]) -> None:
    rows = [[cell if not cell.startswith("=") else "x" for cell in row] for row in rows]
    book, content = openpyxl.Workbook(), io.BytesIO()
    for row in [HEADER[:3], *rows]:
        book.worksheets[0].append(row)
    book.save(content)
    columns, found, _ = read(content.getvalue())
    assert columns == HEADER[:3]
    assert [[cell.replace("_x005F_x", "_x") for cell in row] for row in found] == rows
