"""CSV as people and programs write it."""

from __future__ import annotations

from pathlib import Path

import pytest
from chatnode_crm.files.reading import ReadLimits

from .reading import read, refused

ROWS = [["a@example.com", "Ann", "1, Main Street; left | right", "12"], ["b@example.com", "Bob", "", "9"]]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("quote", ['"', "'"])
def test_delimiters_line_ends_and_quotes(delimiter: str, end: str, quote: str, tmp_path: Path) -> None:
    lines = [["email", "name", "street", "age"], *ROWS]
    text = "".join(delimiter.join(f"{quote}{cell}{quote}" for cell in cells) + end for cells in lines)
    found = read(tmp_path, text.encode())
    assert found.columns == lines[0]
    assert found.values == ROWS
    assert found.table.delimiter == delimiter


def test_the_delimiter_that_excel_writes_in_the_first_line(tmp_path: Path) -> None:
    found = read(tmp_path, b"sep=^\r\nemail^name\r\na@b.de^Ann, Bob; Carl\r\n")
    assert found.columns == ["email", "name"]
    assert found.rows[0].line == 3
    assert found.values == [["a@b.de", "Ann, Bob; Carl"]]


def test_a_quoted_cell_has_lines_and_quotes(tmp_path: Path) -> None:
    found = read(tmp_path, b'email,note\r\na@b.de,"one ""two""\r\nthree,\r\n\r\nfour"\r\nb@b.de,x\r\n')
    assert found.values == [["a@b.de", 'one "two"\r\nthree,\r\n\r\nfour'], ["b@b.de", "x"]]
    assert [row.line for row in found.rows] == [2, 6]


def test_escapes_of_databases(tmp_path: Path) -> None:
    found = read(tmp_path, b'"email","note"\n"a@b.de","say \\"hi\\", please"\n"b@b.de","x"\n')
    assert found.values == [["a@b.de", 'say "hi", please'], ["b@b.de", "x"]]


def test_a_backslash_at_the_end_of_a_cell_is_no_escape(tmp_path: Path) -> None:
    assert read(tmp_path, b'email,path\na@b.de,"C:\\"\nb@b.de,"D:\\"\n').values == [
        ["a@b.de", "C:\\"],
        ["b@b.de", "D:\\"],
    ]


def test_spaces_before_quotes(tmp_path: Path) -> None:
    found = read(tmp_path, b'"email", "name"\n"a@b.de", "Doe, Jane"\n')
    assert found.columns == ["email", "name"]
    assert found.values == [["a@b.de", "Doe, Jane"]]


def test_quotes_that_are_no_quotes(tmp_path: Path) -> None:
    found = read(tmp_path, b'email\tname\na@b.de\t"Big" Jim\nb@b.de\t5" pipe\nc@b.de\t"open\n')
    assert found.values == [["a@b.de", '"Big" Jim'], ["b@b.de", '5" pipe'], ["c@b.de", '"open']]


def test_line_ends_of_another_kind_within_cells(tmp_path: Path) -> None:
    found = read(tmp_path, b'email,name,note\na@b.de,An\rn,"p\rq"\nb@b.de,Bob,x\n')
    assert found.values == [["a@b.de", "An n", "p\rq"], ["b@b.de", "Bob", "x"]]
    found = read(tmp_path, b'email,name,note\ra@b.de,An\nn,"p\nq"\rb@b.de,Bob,x\rc@b.de,C,y')
    assert found.values == [["a@b.de", "An n", "p\nq"], ["b@b.de", "Bob", "x"], ["c@b.de", "C", "y"]]


def test_lines_before_the_header(tmp_path: Path) -> None:
    text = b"Export of our contacts\n\nDate:,2024-01-31\n\nEmail,Name,City\na@b.de,Ann,Paris\n\nb@b.de,Bob,Rome\n"
    found = read(tmp_path, text)
    assert found.columns == ["Email", "Name", "City"]
    assert [(row.number, row.line) for row in found.rows] == [(1, 6), (2, 8)]


def test_a_table_without_a_header(tmp_path: Path) -> None:
    found = read(tmp_path, b"a@b.de,Ann\nb@b.de,Bob\n")
    assert found.columns == ["", ""]
    assert found.values == [["a@b.de", "Ann"], ["b@b.de", "Bob"]]
    found = read(tmp_path, b"a@b.de\nb@b.de\n")
    assert found.values == [["a@b.de"], ["b@b.de"]]


def test_whether_there_is_a_header_can_be_said(tmp_path: Path) -> None:
    assert read(tmp_path, b"x1,x2\ny1,y2\n", header=False).values == [["x1", "x2"], ["y1", "y2"]]
    assert read(tmp_path, b"a@b.de,Ann\nb@b.de,Bob\n", header=True).columns == ["a@b.de", "Ann"]


def test_ragged_rows(tmp_path: Path) -> None:
    found = read(
        tmp_path, b"email,name,city,\na@b.de\nb@b.de,Bob,Rome,,,,\nc@b.de,Carl,Bonn,x,y\n,,,,\nd@b.de,Dan,Ulm\n"
    )
    assert found.columns == ["email", "name", "city"]
    assert found.values == [
        ["a@b.de", "", ""],
        ["b@b.de", "Bob", "Rome"],
        ["c@b.de", "Carl", "Bonn"],
        ["d@b.de", "Dan", "Ulm"],
    ]
    assert found.codes == [(3, "too_many_cells")]
    assert "5 cells, but 3 columns" in found.rows[2].faults[0].message


def test_a_delimiter_that_is_not_quoted_is_a_fault_and_moves_no_cell(tmp_path: Path) -> None:
    found = read(tmp_path, b"email,company,phone\na@b.de,Acme, Inc,+33612345678\nb@b.de,Best,+33612345679\n")
    assert found.columns == ["email", "company", "phone"]
    assert found.codes == [(1, "too_many_cells")]
    assert found.rows[0].surplus == ("+33612345678",)
    assert found.rows[1].surplus == ()


def test_a_delimiter_that_is_not_quoted_in_a_table_without_a_header(tmp_path: Path) -> None:
    rows = [b"a@b.de,Acme, Inc,+33612345678", *[b"b@b.de,Best,", b"c@b.de,Corp,+33612345679"] * 2]
    found = read(tmp_path, b"\n".join(rows), header=False)
    assert found.codes == [(1, "too_many_cells")]
    assert found.values[2] == ["c@b.de", "Corp", "+33612345679"]


@pytest.mark.parametrize(("longer", "columns"), [(2, 2), (3, 2), (4, 3)])
def test_a_column_without_a_name_is_one_if_most_of_several_rows_have_it(
    longer: int, columns: int, tmp_path: Path
) -> None:
    found = read(tmp_path, b"email,name\n" + b"a@b.de,Ann,x\n" * longer + b"b@b.de,Bob\n" * 3)
    assert len(found.columns) == columns
    assert len(found.codes) == (longer if columns == 2 else 0)


@pytest.mark.parametrize("name", ["a@" + "." * 90_000 + " x", "1" * 90_000 + "x", "http" * 20_000])
def test_a_long_name_of_a_column_takes_no_longer_than_others(name: str, tmp_path: Path) -> None:
    found = read(tmp_path, f"email,{name}\na@b.de,1\n".encode())
    assert found.columns == ["email", name]


def test_a_column_without_a_name(tmp_path: Path) -> None:
    found = read(tmp_path, b"email,,city\na@b.de,Ann,Paris\nb@b.de,Bob,Rome\n")
    assert found.columns == ["email", "", "city"]


def test_one_column(tmp_path: Path) -> None:
    assert read(tmp_path, b"email\na@b.de\nb@b.de\n").values == [["a@b.de"], ["b@b.de"]]


def test_a_header_alone(tmp_path: Path) -> None:
    found = read(tmp_path, b"email,name\n")
    assert (found.columns, found.values) == (["email", "name"], [])


def test_a_decimal_comma_is_no_delimiter(tmp_path: Path) -> None:
    found = read(tmp_path, b"email;amount;rate\na@b.de;1,5;2,5\nb@b.de;1,7;2,7\nc@b.de;3;4,4\n")
    assert found.values[0] == ["a@b.de", "1,5", "2,5"]


def test_a_quote_that_is_never_closed(tmp_path: Path) -> None:
    error = refused(tmp_path, b'email,name\n"a@b.de","Ann"\n"b@b.de","Bob\n"c@b.de","Carl"\nd@b.de,"Dan"\n,"\n')
    assert error.code in ("open_quote", "cell_too_long")
    assert error.line is not None


@pytest.mark.parametrize("content", [b"email;name\na@b.de;%s\nb@b.de;Bob\n", b'email;name\na@b.de;"%s"\nb@b.de;Bob\n'])
def test_a_cell_that_is_too_long(content: bytes, tmp_path: Path) -> None:
    limits = ReadLimits(cell=1_000, record=100_000)
    assert len(read(tmp_path, content % (b"x" * 1_000), limits).values[0][1]) == 1_000
    for size in (1_001, 50_000, 500_000):
        error = refused(tmp_path, content % (b"x" * size), limits)
        assert (error.code, error.row, error.line) == ("cell_too_long", 1, 2)
        assert str(error).startswith("row 1, line 2: ")


def test_limits_of_rows_columns_and_bytes(tmp_path: Path) -> None:
    content = b"email,name\n" + b"a@b.de,Ann\n" * 5
    assert len(read(tmp_path, content, ReadLimits(rows=5)).rows) == 5
    error = refused(tmp_path, content, ReadLimits(rows=4))
    assert (error.code, error.row, error.line) == ("too_many_rows", 5, 6)
    assert refused(tmp_path, content, ReadLimits(columns=1)).code == "too_many_columns"
    assert refused(tmp_path, content, ReadLimits(file_bytes=10)).code == "too_large"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"), (b"\n\r\n \n", "empty"), (b"\xef\xbb\xbf", "empty"), (b",,,\n,,\n", "empty"),
        (b"%PDF-1.7\n", "unknown_kind"), (b"\x1f\x8b\x08", "unknown_kind"), (b"\x89PNG\r\n", "unknown_kind"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), "unknown_kind"), (bytes(range(256)) * 9, "unknown_kind"),
        (b"<html><table><tr><td>x", "unknown_kind"), (b'<?xml version="1.0"?><x/>', "unknown_kind"),
        (b'[{"email": "a@b.de"}]', "unknown_kind"), (b"\0" * 1_000, "empty"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused_in_clear_words(content: bytes, code: str, tmp_path: Path) -> None:
    error = refused(tmp_path, content)
    assert error.code == code
    assert str(error)


@pytest.mark.parametrize("said", [b"sep=", b'sep="', b'"sep="'])
def test_a_first_line_that_names_no_delimiter(said: bytes, tmp_path: Path) -> None:
    found = read(tmp_path, said + b"\r\nemail;name\r\na@b.de;Ann\r\n")
    assert (found.columns, found.values) == (["email", "name"], [["a@b.de", "Ann"]])


def test_rows_that_a_spreadsheet_took_for_one_cell(tmp_path: Path) -> None:
    found = read(tmp_path, b'"email,name,city"\r\n"a@b.de,""Lee, Ann"",Lyon"\r\n"b@b.de,Bob,"\r\n')
    assert found.columns == ["email", "name", "city"]
    assert found.values == [["a@b.de", "Lee, Ann", "Lyon"], ["b@b.de", "Bob", ""]]


def test_one_column_of_quoted_cells_stays_one(tmp_path: Path) -> None:
    assert read(tmp_path, b'"place"\n"Lyon, France"\n"Rome, Italy"\n').values == [["Lyon, France"], ["Rome, Italy"]]


def test_texts_as_formulas(tmp_path: Path) -> None:
    found = read(tmp_path, b'id,name,email\n="00123",="Ada",a@b.de\n"=""00124""",Bob,b@b.de\n')
    assert found.values == [["00123", "Ada", "a@b.de"], ["00124", "Bob", "b@b.de"]]
