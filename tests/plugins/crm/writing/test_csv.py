"""CSV files, read back with Python's own reader."""

from __future__ import annotations

import csv
import io

from chatnode_crm.files.names import split_names
from chatnode_crm.files.safety import restored
from chatnode_crm.files.writing.columns import Column, ColumnKind
from chatnode_crm.files.writing.formats import FileOptions
from hypothesis import given
from hypothesis import strategies as st

from tests.plugins.crm.writing.made import AT, DAY, row, written

TEXTS = st.text(max_size=20).map(lambda text: text.replace("\0", "="))


def read(data: bytes, delimiter: str = ",") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode(), newline=""), delimiter=delimiter))


def test_a_file_has_a_header_and_a_line_for_each_contact() -> None:
    data = written(
        "csv",
        row(
            email="ann@example.com",
            first_name="Ann",
            phone="+33612345678",
            tags=("Gold", "a;b"),
            updated_at=AT,
            custom__born=DAY,
        ),
        row(email="bob@example.com", company='Bob, "Bo" & Sons', city="Zürich", custom__visits=-3, custom__vip=False),
    )
    assert data.startswith(b"Email,First Name,Last Name,Company,Phone,Country,City,")
    assert data.count(b"\r\n") == 3
    ann, bob = read(data)
    assert (ann["Email"], ann["Phone"], ann["Tags"]) == ("ann@example.com", "+33612345678", 'Gold; "a;b"')
    assert ann["Updated At"] == "2026-11-21 10:17:06"
    assert ann["Born"] == "2026-11-21"
    assert (bob["Company"], bob["City"], bob["Visits"], bob["VIP"]) == ('Bob, "Bo" & Sons', "Zürich", "-3", "false")


def test_a_byte_order_mark_and_another_delimiter_for_excel() -> None:
    options = FileOptions(delimiter="semicolon", bom=True)
    data = written("csv", *[row(email=f"{n}@example.com", city="a;b") for n in range(5)], options=options)
    assert data.startswith(b"\xef\xbb\xbfEmail;First Name;")
    assert data.count(b"\xef\xbb\xbf") == 1
    assert [each["City"] for each in read(data, ";")] == ["a;b"] * 5


def test_formulas_are_neutralised_also_in_headers_and_tags() -> None:
    columns = (Column("custom.x", "=Header"), Column("tags", "Tags", ColumnKind.NAMES))
    lines = written("csv", ("=1+1", ("@all", "b")), ("-7", ()), columns=columns).decode().splitlines()
    assert lines == ["'=Header,Tags", "'=1+1,'@all; b", "-7,"]


def test_a_line_that_would_be_empty_is_quoted() -> None:
    assert written("csv", (None,), ("x",), columns=(Column("city", "City"),)) == b'City\r\n""\r\nx\r\n'


@given(st.lists(st.tuples(TEXTS, st.lists(TEXTS.filter(len), max_size=3).map(tuple)), min_size=1, max_size=5))
def test_whatever_is_written_reads_back(rows: list[tuple[str, tuple[str, ...]]]) -> None:
    columns = (Column("city", "City"), Column("tags", "Tags", ColumnKind.NAMES))
    found = read(written("csv", *rows, columns=columns))
    assert [(restored(each["City"]), tuple(split_names(restored(each["Tags"])))) for each in found] == rows
