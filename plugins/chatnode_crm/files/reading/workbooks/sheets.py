"""Rows of a sheet."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence

from chatnode.api import record
from chatnode_crm.files.reading.model import ReadLimits, RowFault, UnreadableFile
from chatnode_crm.files.reading.tables import RawRecord
from chatnode_crm.files.reading.workbooks.formats import NumberFormat, iso_text, shown_number
from chatnode_crm.files.reading.workbooks.strings import SharedStrings, unescaped
from chatnode_crm.files.reading.workbooks.xml import feed, make_parser

COLUMNS = 16_384
_REFERENCE = re.compile(r"([A-Z]{1,3})(\d{1,7})")
_PLAIN_INTEGER = re.compile(r"-?\d{1,15}")
_GENERAL = NumberFormat("", False, False)


@record(frozen=True)
class Book:
    """What all sheets of a workbook share."""

    strings: SharedStrings
    formats: Sequence[NumberFormat]
    since_1904: bool
    limits: ReadLimits


@record
class _Cell:
    """What was read of a cell."""

    column: int = 0
    kind: str = "n"
    style: int = 0
    formula: bool = False


class SheetReader:
    """Makes records of the XML of a sheet."""

    def __init__(self, book: Book, merged: dict[tuple[int, int], int]) -> None:
        self._book = book
        self._merged = merged
        """For each cell (row, column) that begins a merged range of several rows: the last row."""
        self._filling: dict[int, tuple[int, str]] = {}
        self._records: list[RawRecord] = []
        self._cells: list[str] = []
        self._faults: list[RowFault] = []
        self._row = 0
        self._cell = _Cell(-1)
        self._parts: list[str] = []
        self._size = 0
        self._skip = 0
        self._prefix = ""
        self._parser = make_parser()
        self._parser.StartElementHandler = self._begin

    def records(self, pieces: Generator[bytes]) -> Generator[RawRecord]:
        """The rows that are not empty."""
        try:
            for _ in feed(self._parser, pieces, "the sheet"):
                yield from self._records
                self._records.clear()
        except UnreadableFile as refused:
            if refused.line is None and self._row:
                raise UnreadableFile(refused.code, refused.problem, line=self._row) from None
            raise

    def _begin(self, name: str, _: dict[str, str]) -> None:
        """The root element: its prefix is that of all others."""
        self._prefix = name[: name.rfind(":") + 1]
        self._parser.StartElementHandler = self._start_prefixed if self._prefix else self._start
        self._parser.EndElementHandler = self._end_prefixed if self._prefix else self._end

    def _start_prefixed(self, name: str, attributes: dict[str, str]) -> None:
        self._start(name.removeprefix(self._prefix), attributes)

    def _end_prefixed(self, name: str) -> None:
        self._end(name.removeprefix(self._prefix))

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "c":
            cell = self._cell
            cell.column = self._column(attributes.get("r"))
            cell.kind = attributes.get("t", "n")
            style = attributes.get("s")
            cell.style = int(style) if style is not None and style.isdecimal() and len(style) < 10 else 0
            cell.formula = False
            if self._parts:
                self._parts.clear()
            self._size = 0
        elif name == "v" or (name == "t" and not self._skip):
            self._parser.CharacterDataHandler = self._add
        elif name == "f":
            self._cell.formula = True
        elif name == "row":
            self._start_row(attributes.get("r"))
        elif name == "rPh":
            self._skip += 1

    def _end(self, name: str) -> None:
        if name == "v" or name == "t":
            self._parser.CharacterDataHandler = None
        elif name == "c":
            if self._parts or self._cell.formula:
                self._end_cell()
        elif name == "row":
            self._end_row()
        elif name == "rPh":
            self._skip -= 1

    def _add(self, text: str) -> None:
        self._size += len(text)
        if self._size <= self._book.limits.cell * 8:
            self._parts.append(text)

    def _start_row(self, number: str | None) -> None:
        row = int(number[:9]) if number is not None and number.isdecimal() else self._row + 1
        if row > 10_000_000:
            raise UnreadableFile("damaged", "the sheet has a row with an impossible number")
        self._row = row
        self._cell.column = -1
        self._cells = []
        self._faults = []

    def _column(self, reference: str | None) -> int:
        found = _REFERENCE.fullmatch(reference) if reference is not None else None
        if found is None:
            column = self._cell.column + 1
        else:
            column = 0
            for letter in found[1]:
                column = column * 26 + ord(letter) - 64
            column -= 1
        if column >= COLUMNS:
            raise UnreadableFile(
                "too_many_columns", "a cell is beyond the last column that sheets have", line=self._row
            )
        return column

    def _end_cell(self) -> None:
        column = self._cell.column
        text = self._text("".join(self._parts))
        if len(text) > self._book.limits.cell:
            most = self._book.limits.cell
            self._faults.append(RowFault(column, "cell_too_long", f"the cell is longer than {most} characters"))
            text = text[:most]
        self._put(column, text)
        last = self._merged.get((self._row, column))
        if last is not None:
            self._filling[column] = (last, text)

    def _put(self, column: int, text: str) -> None:
        missing = column - len(self._cells)
        if missing >= 0:
            self._cells.extend([""] * missing)
            self._cells.append(text)
        else:
            self._cells[column] = text

    def _text(self, written: str) -> str:
        cell = self._cell
        kind = cell.kind
        if kind == "s":
            return self._shared(written)
        if kind == "n":
            return self._number(written)
        if kind == "b":
            return {"1": "TRUE", "0": "FALSE"}.get(written.strip(), written)
        if kind == "e":
            self._faults.append(RowFault(cell.column, "cell_error", f"the cell shows the error {written[:20]}"))
            return written
        if kind == "d":
            return iso_text(written)
        return unescaped(written)

    def _shared(self, written: str) -> str:
        try:
            return self._book.strings[int(written)]
        except (ValueError, IndexError):
            message = "the cell refers to a text that the file does not have; save the file again"
            self._faults.append(RowFault(self._cell.column, "damaged", message))
            return ""

    def _number(self, written: str) -> str:
        cell = self._cell
        if not written.strip():
            if cell.formula:
                message = "a formula without a stored value; open the file in a spreadsheet program and save it"
                self._faults.append(RowFault(cell.column, "formula", message))
            return ""
        formats = self._book.formats
        form = formats[cell.style] if cell.style < len(formats) else _GENERAL
        if form is _GENERAL and _PLAIN_INTEGER.fullmatch(written):
            return written
        return shown_number(written, form, since_1904=self._book.since_1904)

    def _end_row(self) -> None:
        if self._filling:
            self._fill()
        if self._cells:
            self._records.append((self._row, self._cells, tuple(self._faults)))
            self._cells = []

    def _fill(self) -> None:
        """Repeat the values of cells that are merged with those of the rows above."""
        for column, (last, text) in tuple(self._filling.items()):
            if self._row > last:
                del self._filling[column]
            elif column >= len(self._cells) or not self._cells[column]:
                self._put(column, text)
