"""What readers of files give and take."""

from __future__ import annotations

from typing import NamedTuple

from chatnode.api import record


class UnreadableFile(ValueError):
    """The file, or the rest of it, cannot be read: the only error of this package.

    The message is for the person who sent the file. `row` and `line` say where, as far as that is known: the number of
    the row as in `RawRow`, and the line of the text or the row of the sheet.
    """

    def __init__(self, code: str, message: str, *, row: int | None = None, line: int | None = None) -> None:
        places = [f"{name} {number}" for name, number in (("row", row), ("line", line)) if number is not None]
        super().__init__(f"{', '.join(places)}: {message}" if places else message)
        self.code = code
        self.problem = message
        self.row = row
        self.line = line

    def in_row(self, row: int) -> UnreadableFile:
        """The same, with the number of the row."""
        return UnreadableFile(self.code, self.problem, row=row, line=self.line)


class RowFault(NamedTuple):
    """What is wrong with a row or with the cell in one of its columns; a warning is about a row that can be used."""

    column: int | None
    code: str
    message: str
    warning: bool = False


class RawRow(NamedTuple):
    """A row as it is in the file: as many values as the table has columns.

    Rows without any text are not counted. `line` is where the row begins: the line of a text, the row of a sheet.
    """

    number: int
    line: int
    values: list[str]
    faults: tuple[RowFault, ...] = ()
    surplus: tuple[str, ...] = ()
    """The cells of a row that has more than the table has columns; it is at fault."""


@record(frozen=True, kw_only=True)
class ReadOptions:
    """What a person decides who knows the file; None leaves it to its content."""

    encoding: str | None = None
    delimiter: str | None = None
    header: bool | None = None
    sheet: str | None = None
    """The name of a sheet of a workbook: by default the first visible one that is not empty."""
    member: str | None = None
    """The name of a file in an archive that holds several."""

    def __attrs_post_init__(self) -> None:
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '"\r\n'):
            raise UnreadableFile("bad_option", "the delimiter has to be one character, and no quote or line end")


@record(frozen=True, kw_only=True)
class ReadLimits:
    """Maximum sizes; 0 means no limit where that is said."""

    file_bytes: int = 200_000_000
    """0 for none."""
    rows: int = 0
    """0 for none."""
    columns: int = 1_000
    cell: int = 100_000
    """Characters; 131,000 at most, as the parser refuses longer cells."""
    record: int = 4_000_000
    """Characters of a row."""
    inflated_bytes: int = 1_000_000_000
    """Of all files in an archive or workbook."""
    inflated_ratio: int = 500
    """To the packed size; only for archives that inflate to more than 10 MB."""
    archive_files: int = 10_000
    workbook_strings: int = 400_000_000
    """Bytes of the texts of a workbook, which are kept on disk while it is read."""

    def __attrs_post_init__(self) -> None:
        if not 0 < self.cell <= 131_000:
            raise ValueError("the limit of a cell has to be between 1 and 131,000 characters")
