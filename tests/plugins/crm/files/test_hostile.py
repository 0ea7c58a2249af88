"""Whatever is in a file, the only error is the reader's own, it comes soon, and memory stays flat."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import xlsxwriter
from chatnode_crm.files.mapping import preview, suggest, suggested_mapping
from chatnode_crm.files.reading import ReadLimits, ReadOptions, UnreadableFile, open_table
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.quick import examples

LIMITS = ReadLimits(inflated_bytes=5_000_000, rows=1_000)


def try_to_read(content: bytes, **options: object) -> int | None:
    """How many rows there are; None if the file is refused."""
    path = PLACE / "file"
    path.write_bytes(content)
    try:
        with open_table(path, ReadOptions(**options), LIMITS, PLACE) as table:  # type: ignore[arg-type]
            rows = list(table.rows())
            preview(suggested_mapping(suggest(table.columns, [row.values for row in rows])), table.columns, rows)
            return len(rows)
    except UnreadableFile:
        return None


PLACE = Path()


@pytest.fixture(scope="module", autouse=True)
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    global PLACE
    PLACE = tmp_path_factory.mktemp("hostile")
    yield
    PLACE = Path()


PIECES = st.one_of(
    st.binary(max_size=20),
    st.sampled_from(
        [
            b"email", b"name", b"a@b.de", b",", b";", b"\t", b"|", b'"', b"'", b"\\", b"\n", b"\r", b"\r\n", b"\0",
            b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"sep=;", b"BEGIN:VCARD\n", b"END:VCARD\n", b"FN:", b"TEL;",
            b"ENCODING=QUOTED-PRINTABLE:=C3=\n", b"PHOTO;BASE64:\n", b"AGENT:\n", b" folded\n", "é".encode(), b"\xe9",
            "日本".encode("cp932"), b"PK\x03\x04", b"\x1b$B", b"=", b"=\n", b":", b'"";', b"x" * 300,
        ]
    ),
)  # fmt: skip


@settings(deadline=None, max_examples=examples(40))
@given(st.lists(PIECES, max_size=40).map(b"".join))
@example(b"BEGIN:VCARD\nTEL;TYPE=" + b'"' * 2_000 + b":1\nEND:VCARD\n")
@example(b"BEGIN:VCARD\nTEL" + b";a" * 20_000 + b"\nEND:VCARD\n")
@example(b"BEGIN:VCARD\nN:" + b"\\;" * 20_000 + b"\nEND:VCARD\n")
@example(b"BEGIN:VCARD\n" + b";" * 50_000)
@example(b'"' * 90_000)
@example(b"email,name\n" + b'"' * 3_001)
@example(b"<" * 100_000)
@example(b" " * 100_000 + b"[")
def test_any_bytes(content: bytes) -> None:
    try_to_read(content)


@settings(deadline=None, max_examples=examples(40))
@given(st.binary(max_size=200), st.sampled_from(["utf-16", "gb18030", "cp932", "utf-8", "iso2022_jp", "hz", "utf-32"]))
def test_any_bytes_in_an_encoding(content: bytes, encoding: str) -> None:
    try_to_read(content, encoding=encoding)


def workbook() -> bytes:
    book = io.BytesIO()
    with xlsxwriter.Workbook(book, {"in_memory": True}) as made:
        page, day = made.add_worksheet(), made.add_format({"num_format": "yyyy-mm-dd"})
        page.write_row(0, 0, ["email", "born", "size"])
        for row in range(1, 6):
            page.write_row(row, 0, [f"a{row}@b.de", row, 1.5])
            page.write(row, 1, row, day)
        page.merge_range("D2:D4", "x")
    return book.getvalue()


BOOK = workbook()
PARTS = {
    info.filename: zipfile.ZipFile(io.BytesIO(BOOK)).read(info) for info in zipfile.ZipFile(io.BytesIO(BOOK)).filelist
}
CHANGES = st.lists(st.tuples(st.floats(0, 0.999), st.binary(max_size=4), st.integers(0, 30)), min_size=1, max_size=4)


def damaged(content: bytes, changes: list[tuple[float, bytes, int]]) -> bytes:
    for where, put, removed in changes:
        at = int(where * len(content))
        content = content[:at] + put + content[at + removed :]
    return content


@settings(deadline=None, max_examples=examples(40))
@given(CHANGES)
def test_a_damaged_workbook(changes: list[tuple[float, bytes, int]]) -> None:
    try_to_read(damaged(BOOK, changes))


@settings(deadline=None, max_examples=examples(40))
@given(st.sampled_from(sorted(PARTS)), CHANGES)
def test_a_workbook_with_damaged_xml(part: str, changes: list[tuple[float, bytes, int]]) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as packed:
        for name, data in PARTS.items():
            packed.writestr(name, damaged(data, changes) if name == part else data)
    try_to_read(content.getvalue())


@settings(deadline=None, max_examples=examples(40))
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", "s", "str", "inlineStr", "b", "e", "d", "n", "x"]),
            st.sampled_from(
                ["", "1", "-1", "1e400", "NaN", "1E+15", "99999999999", "0.1", "x", "2024-01-01", "_x0000_"]
            ),
            st.sampled_from(["A2", "XFD2", "ZZZ2", "", "A99999999", "a2", "B2"]),
            st.sampled_from(["", "1", "-1", "99999999999", "x"]),
        ),
        max_size=5,
    )
)
def test_strange_cells(cells: list[tuple[str, str, str, str]]) -> None:
    row = "".join(f'<c r="{place}" t="{kind}" s="{style}"><v>{value}</v></c>' for kind, value, place, style in cells)
    sheet = f"<worksheet><sheetData><row r='2'>{row}</row></sheetData></worksheet>"
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as packed:
        for name, data in PARTS.items():
            packed.writestr(name, sheet.encode() if name == "xl/worksheets/sheet1.xml" else data)
    try_to_read(content.getvalue())


def large(path: Path, start: bytes, piece: bytes, size: int) -> None:
    with path.open("wb") as file:
        file.write(start)
        for _ in range(size // len(piece)):
            file.write(piece)


def read_in_little_memory(path: Path, most: int) -> list[tuple[int, list[str]]]:
    """The line and the faults of each row."""
    tracemalloc.start()
    try:
        with open_table(path) as table:
            return [(row.line, [fault.code for fault in row.faults]) for row in table.rows()]
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < most


@pytest.mark.slow
@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"email,name\na@b.de,", b"x" * 1_000_000),
        (b'email,name\na@b.de,"', b"xy\n" * 300_000),
        (b"email,name\na@b.de,", b'"' * 1_000_000),
        (b"email,name\na@b.de", b"," * 1_000_000),
        (b"", b"x" * 1_000_000),
        (b"", b'"' * 1_000_000),
    ],
)
def test_a_row_of_a_hundred_megabytes_is_refused_in_little_memory(start: bytes, piece: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file"
    large(path, start, piece, 100_000_000)
    with pytest.raises(UnreadableFile) as caught:
        read_in_little_memory(path, 60_000_000)
    error = caught.value
    assert (error.code, error.row, error.line) == ("cell_too_long", 1, 2 if start else 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("start", "piece", "size", "codes"),
    [
        (b"BEGIN:VCARD\nNOTE:", b"x" * 1_000_000, 100_000_000, ["cell_too_long", "bad_card"]),
        (b"BEGIN:VCARD\nPHOTO;ENCODING=b:", b"QUJD" * 250_000, 100_000_000, ["bad_card"]),
        (b"BEGIN:VCARD\nFN:x\n", b"X-A:b\n" * 1_000, 200_000, ["bad_card", "bad_card"]),
        (b"BEGIN:VCARD\nNOTE:", b"xyz\n " * 10_000, 600_000, ["cell_too_long", "bad_card"]),
    ],
)
def test_a_large_card_is_one_fault(start: bytes, piece: bytes, size: int, codes: list[str], tmp_path: Path) -> None:
    path = tmp_path / "file"
    large(path, start, piece, size)
    assert read_in_little_memory(path, 20_000_000) == [(1, codes)]


def test_many_rows_take_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "file"
    large(path, b"email,name\n", b"a@b.de,Ann\n" * 10_000, 440_000)
    tracemalloc.start()
    with open_table(path) as table:
        assert sum(1 for _ in table.rows()) == 40_000
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 4_000_000
