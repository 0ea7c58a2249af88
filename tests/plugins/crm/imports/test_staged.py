"""Rows in files."""

from __future__ import annotations

from pathlib import Path

from chatnode_crm.contacts.values import FieldFault
from chatnode_crm.imports.staged import DUPLICATE, INVALID, READY, StagedRow, StagedRows, StagedWriter, numbers_with


def written(tmp_path: Path, rows: list[StagedRow]) -> StagedRows:
    writer = StagedWriter(tmp_path / "rows", tmp_path / "index")
    for row in rows:
        writer.add(row)
    writer.finish()
    return StagedRows(tmp_path / "rows", tmp_path / "index")


def row_of(number: int, letter: str = READY) -> StagedRow:
    fault = FieldFault("email", "invalid_email", "not an address")
    text = "é\n\u2028" * (number % 7)
    return StagedRow(
        number * 3, [text, ""], {"city": text}, ["a"], [fault] if letter == INVALID else [], letter, number
    )


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    rows = [row_of(number, "rid"[number % 3]) for number in range(1, 5_000)]
    with written(tmp_path, rows) as staged:
        assert len(staged) == 4_999
        assert staged.read(1, 10_000) == rows
        assert staged.read(4_998, 10) == rows[4_997:]
        assert staged.read(5_000, 10) == []
        assert staged.pick([1, 4_999, 77]) == [rows[0], rows[4_998], rows[76]]
        assert list(numbers_with(staged.letters, DUPLICATE, 4, 2)) == [5, 8]


def test_there_may_be_none(tmp_path: Path) -> None:
    with written(tmp_path, []) as staged:
        assert (len(staged), staged.read(1, 5)) == (0, [])


def test_a_letter_of_an_earlier_version_is_a_duplicate(tmp_path: Path) -> None:
    with written(tmp_path, [row_of(1), row_of(2, "h")]) as staged:
        assert staged.letters == READY + DUPLICATE
        assert [row.letter for row in (*staged.read(1, 2), *staged.pick([2]))] == [READY, DUPLICATE, DUPLICATE]
