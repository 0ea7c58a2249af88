"""XLSX (ECMA-376), written as it is read: row by row, straight into the archive.

Every text is an inline string, so nothing can become a formula, a link or a number, and nothing is kept in memory for a
table of strings. That is also many times as fast as a library that keeps a model of the cells.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import IO, Any, BinaryIO
from xml.sax.saxutils import escape, quoteattr
from zipfile import ZIP_DEFLATED, ZipFile

from chatnode.api import DAY_MS
from chatnode_crm.files.writing.columns import CannotWrite, Column, ColumnKind, Value
from chatnode_crm.files.writing.texts import AS_TEXT

ROWS = 1_048_576
"""A sheet has no more rows, with its header; what is left begins another sheet."""
SHEET_BYTES = 1 << 30
"""A sheet larger than this ends, because programs that cannot read ZIP64 exist."""
CELL_UNITS = 32_767
"""UTF-16 code units that a cell can hold."""
_MIDNIGHT_1970 = 25_569
_FIRST_DAY = 61
"""1 March 1900: programs disagree about the days before it, as some count 29 February 1900."""
_EXACT = 1 << 53
_COMPRESSION = 3

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPES = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_STYLES = (
    f'{_XML}<styleSheet xmlns="{_MAIN}">'
    '<numFmts count="2"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd hh:mm:ss"/>'
    '<numFmt numFmtId="165" formatCode="yyyy\\-mm\\-dd"/></numFmts>'
    '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="4"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/>'
    '<xf numFmtId="165" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)
_TIME_STYLE, _HEADER_STYLE, _DAY_STYLE = 1, 2, 3
_RELATIONS = (
    f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
)
_CANNOT_BE_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff\r]|_(?=x[0-9A-Fa-f]{4}_)")
"""Also a carriage return, which XML readers turn into a line feed, and what would be read as such an escape."""


class XlsxWriter:
    """Contacts in one sheet, and in further ones if there are too many rows for one. Times are in UTC."""

    def __init__(self, file: BinaryIO, columns: Sequence[Column], *, title: str = "Contacts") -> None:
        self._archive = ZipFile(file, "w", ZIP_DEFLATED, compresslevel=_COMPRESSION)
        self._columns = columns
        self._letters = [_letters(number) for number in range(len(columns))]
        self._cells = [_CELLS[column.kind] for column in columns]
        self._title = title
        self._sheet: IO[bytes] | None = None
        self._sheets = 0
        self._rows = 0
        self._bytes = 0
        self._written = 0
        self._begin_sheet()

    def write(self, rows: list[tuple[Value, ...]]) -> None:
        while rows:
            if self._rows >= ROWS or self._bytes >= SHEET_BYTES:
                self._end_sheet()
                self._begin_sheet()
            now, rows = rows[: ROWS - self._rows], rows[ROWS - self._rows :]
            self._put("".join([self._row(row) for row in now]))

    def finish(self) -> None:
        self._end_sheet()
        for name, content in (
            ("[Content_Types].xml", self._content_types()),
            ("_rels/.rels", _RELATIONS),
            ("xl/workbook.xml", self._workbook()),
            ("xl/_rels/workbook.xml.rels", self._workbook_relations()),
            ("xl/styles.xml", _STYLES),
        ):
            self._archive.writestr(name, content)
        self._archive.close()

    def _row(self, row: tuple[Value, ...]) -> str:
        self._rows += 1
        self._written += 1
        number = self._rows
        parts: list[str] = []
        for letters, cell, value in zip(self._letters, self._cells, row, strict=True):
            if value is not None:
                try:
                    parts.append(f'<c r="{letters}{number}"{cell(value)}</c>')
                except _TooLong:
                    raise self._too_long(letters) from None
        return f'<row r="{number}">{"".join(parts)}</row>'

    def _too_long(self, letters: str) -> CannotWrite:
        header = self._columns[self._letters.index(letters)].header
        return CannotWrite(
            f"contact {self._written}: {header} is longer than the {CELL_UNITS:,} characters that a cell of XLSX can "
            "hold; export to CSV instead"
        )

    def _begin_sheet(self) -> None:
        self._sheets += 1
        self._sheet = self._archive.open(f"xl/worksheets/sheet{self._sheets}.xml", "w")
        self._bytes = 0
        self._put(
            f'{_XML}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">'
            '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>'
            "<sheetData>"
        )
        headers = [
            f'<c r="{letters}1" s="{_HEADER_STYLE}"{_text(column.header)}</c>'
            for letters, column in zip(self._letters, self._columns, strict=True)
        ]
        self._rows = 1
        self._put(f'<row r="1">{"".join(headers)}</row>')

    def _end_sheet(self) -> None:
        assert self._sheet is not None
        self._put("</sheetData></worksheet>")
        self._sheet.close()

    def _put(self, xml: str) -> None:
        assert self._sheet is not None
        data = xml.encode()
        self._bytes += len(data)
        self._sheet.write(data)

    def _content_types(self) -> str:
        sheets = "".join(
            f'<Override PartName="/xl/worksheets/sheet{each}.xml" ContentType="{_TYPES}.worksheet+xml"/>'
            for each in range(1, self._sheets + 1)
        )
        return (
            f'{_XML}<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
            'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            '<Default Extension="xml" ContentType="application/xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPES}.sheet.main+xml"/>'
            f'<Override PartName="/xl/styles.xml" ContentType="{_TYPES}.styles+xml"/>{sheets}</Types>'
        )

    def _workbook(self) -> str:
        names = [self._title if each == 1 else f"{self._title} {each}" for each in range(1, self._sheets + 1)]
        sheets = "".join(
            f'<sheet name={quoteattr(name)} sheetId="{each}" r:id="rId{each}"/>' for each, name in enumerate(names, 1)
        )
        return f'{_XML}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{sheets}</sheets></workbook>'

    def _workbook_relations(self) -> str:
        sheets = "".join(
            f'<Relationship Id="rId{each}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{each}.xml"/>'
            for each in range(1, self._sheets + 1)
        )
        styles = f'<Relationship Id="rId{self._sheets + 1}" Type="{_OFFICE}/styles" Target="styles.xml"/>'
        return f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">{sheets}{styles}</Relationships>'


class _TooLong(Exception):
    """A text does not fit into a cell."""


def _text(text: str) -> str:
    """The end of a cell's first tag, and its content."""
    if len(text) > CELL_UNITS // 2 and len(text.encode("utf-16-le", "surrogatepass")) > 2 * CELL_UNITS:
        raise _TooLong
    plain = _CANNOT_BE_XML.sub(lambda found: f"_x{ord(found[0]):04X}_", text)
    return f' t="inlineStr"><is><t xml:space="preserve">{escape(plain)}</t></is>'


def _time(ms: int) -> str:
    return f' s="{_TIME_STYLE}"><v>{_MIDNIGHT_1970 + ms // 1000 * 1000 / DAY_MS!r}</v>'


def _day(ms: int) -> str:
    """A day that every program shows alike; an earlier one as text."""
    day = _MIDNIGHT_1970 + ms // DAY_MS
    return f' s="{_DAY_STYLE}"><v>{day}</v>' if day >= _FIRST_DAY else _text(AS_TEXT[ColumnKind.DAY](ms))


def _number(number: int | float) -> str:
    """A number that the cell's 64 bits would change, or the 15 digits that programs read, is written as text."""
    changes = abs(number) > _EXACT if isinstance(number, int) else float(f"{number:.15g}") != number
    return _text(AS_TEXT[ColumnKind.NUMBER](number)) if changes else f"><v>{number!r}</v>"


def _letters(number: int) -> str:
    """The name of a column by its number from 0: A to Z, AA and so on."""
    letters = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


_CELLS: dict[ColumnKind, Callable[[Any], str]] = {
    ColumnKind.TEXT: _text,
    ColumnKind.NAMES: lambda names: _text(AS_TEXT[ColumnKind.NAMES](names)),
    ColumnKind.NUMBER: _number,
    ColumnKind.FLAG: lambda flag: f' t="b"><v>{int(flag)}</v>',
    ColumnKind.TIME: _time,
    ColumnKind.DAY: _day,
}
