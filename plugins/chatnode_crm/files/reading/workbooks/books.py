"""A workbook: its sheets, styles and texts, and one sheet as a table."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Generator
from contextlib import closing
from itertools import islice
from pathlib import Path

from chatnode.api import record
from chatnode_crm.files.reading.archives import ZipMembers, open_archive
from chatnode_crm.files.reading.dialects import SAMPLE_RECORDS
from chatnode_crm.files.reading.layouts import find_layout
from chatnode_crm.files.reading.model import ReadLimits, ReadOptions, UnreadableFile
from chatnode_crm.files.reading.tables import FileTable, RawRecord, checked_layout
from chatnode_crm.files.reading.workbooks.formats import NumberFormat, make_format
from chatnode_crm.files.reading.workbooks.sheets import Book, SheetReader
from chatnode_crm.files.reading.workbooks.strings import SharedStrings
from chatnode_crm.files.reading.workbooks.xml import elements

_MERGE_TAG = re.compile(rb"<(?:\w{1,60}:)?mergeCell\s[^<>]*>")
_MERGED = re.compile(rb"\sref=[\"']\$?([A-Z]{1,3})\$?(\d{1,7}):\$?[A-Z]{1,3}\$?(\d{1,7})[\"']")
_SMALL_PART = 16_000_000
"""Bytes of a part of the workbook other than sheets and texts."""
_MOST_MERGED = 100_000
_MOST_STYLES = 100_000


@record(frozen=True)
class _Sheet:
    name: str
    part: str
    hidden: bool


@record(frozen=True)
class _Rows:
    path: Path
    part: str
    book: Book
    merged: dict[tuple[int, int], int]

    def __iter__(self) -> Generator[RawRecord]:
        with open_archive(self.path, self.book.limits) as archive:
            yield from SheetReader(self.book, self.merged).records(archive.pieces(self.part))


def open_workbook(path: Path, options: ReadOptions, limits: ReadLimits, scratch: Path | None) -> FileTable:
    """The table of a sheet: the one that is asked for, or the first visible one that is not empty."""
    with open_archive(path, limits) as archive:
        root = _workbook_part(archive)
        parts = _related(archive, root)
        sheets, since_1904 = _sheets(archive, root, parts)
        strings = SharedStrings(scratch)
        try:
            texts = next((part for kind, part in parts.values() if kind == "sharedStrings"), None)
            if texts in archive.names:
                strings.load(archive.pieces(texts), limits)
            styles = next((part for kind, part in parts.values() if kind == "styles"), None)
            formats = _formats(archive, styles) if styles in archive.names else []
            book = Book(strings, formats, since_1904, limits)
            return _open_sheet(path, archive, book, sheets, options)
        except BaseException:
            strings.close()
            raise


def _open_sheet(path: Path, archive: ZipMembers, book: Book, sheets: list[_Sheet], options: ReadOptions) -> FileTable:
    chosen = [sheet for sheet in sheets if options.sheet is None or sheet.name == options.sheet]
    if not chosen:
        names = ", ".join(sheet.name for sheet in sheets)
        raise UnreadableFile("no_sheet", f"there is no sheet {options.sheet!r}; the sheets are: {names}")
    for sheet in sorted(chosen, key=lambda each: each.hidden):
        rows = _Rows(path, sheet.part, book, _merged(archive, sheet.part))
        with closing(iter(rows)) as records:
            first = [cells for _, cells, _ in islice(records, SAMPLE_RECORDS)]
        if not first:
            continue
        layout = checked_layout(find_layout(first, options.header, delimited=False), book.limits)
        return FileTable(
            kind="xlsx",
            columns=layout.columns,
            header=layout.header,
            sheet=sheet.name,
            sheets=tuple(each.name for each in sheets),
            notes=(f"the sheet {sheet.name!r} is hidden",) if sheet.hidden else (),
            source=rows,
            first=layout.first,
            limits=book.limits,
            closing=[book.strings.close],
        )
    raise UnreadableFile("empty", "there is no row in the workbook")


def _workbook_part(archive: ZipMembers) -> str:
    found = [part for kind, part in _related(archive, "").values() if kind == "officeDocument"]
    for part in (*found, "xl/workbook.xml"):
        if part in archive.names:
            return part
    raise UnreadableFile("damaged", "the workbook is damaged: it has no list of sheets")


def _related(archive: ZipMembers, part: str) -> dict[str, tuple[str, str]]:
    """What a part of the workbook refers to: kind and part by the id of the reference."""
    folder, name = posixpath.split(part)
    relations = posixpath.join(folder, "_rels", f"{name}.rels")
    if relations not in archive.names:
        return {}
    found: dict[str, tuple[str, str]] = {}
    for element, attributes in elements(archive.pieces(relations, _SMALL_PART), "the workbook"):
        if element == "Relationship" and attributes.get("TargetMode") != "External":
            target = attributes.get("Target", "").replace("\\", "/")
            path = target.lstrip("/") if target.startswith("/") else posixpath.normpath(posixpath.join(folder, target))
            found[attributes.get("Id", "")] = (attributes.get("Type", "").rpartition("/")[2], path)
    return found


def _sheets(archive: ZipMembers, root: str, parts: dict[str, tuple[str, str]]) -> tuple[list[_Sheet], bool]:
    found: list[_Sheet] = []
    since_1904 = False
    for element, attributes in elements(archive.pieces(root, _SMALL_PART), "the workbook"):
        if element == "workbookPr":
            since_1904 = attributes.get("date1904", "0").lower() in ("1", "true", "on")
        elif element == "sheet":
            kind, part = parts.get(attributes.get("id", ""), ("", ""))
            if kind == "worksheet" and part in archive.names:
                hidden = attributes.get("state", "visible") != "visible"
                found.append(_Sheet(attributes.get("name", ""), part, hidden))
    if not found:
        raise UnreadableFile("empty", "there is no sheet in the workbook")
    return found, since_1904


def _formats(archive: ZipMembers, part: str) -> list[NumberFormat]:
    """The formats of the styles of cells, in their order."""
    codes: dict[int, str] = {}
    known: dict[int, NumberFormat] = {}
    found: list[NumberFormat] = []
    inside = ""
    for element, attributes in elements(archive.pieces(part, _SMALL_PART), "the workbook"):
        if element in ("cellXfs", "cellStyleXfs", "cellStyles", "dxfs"):
            inside = element
        elif element == "numFmt" and inside != "dxfs":
            codes[_whole(attributes.get("numFmtId"))] = attributes.get("formatCode", "")[:500]
        elif element == "xf" and inside == "cellXfs" and len(found) < _MOST_STYLES:
            number = _whole(attributes.get("numFmtId"))
            if number not in known:
                known[number] = make_format(number, codes)
            found.append(known[number])
    return found


def _merged(archive: ZipMembers, part: str) -> dict[tuple[int, int], int]:
    """The ranges of several rows that are merged. They are at the end of the sheet, so all of it is looked at."""
    found: dict[tuple[int, int], int] = {}
    tail = b""
    for piece in archive.pieces(part):
        tail += piece
        if b"mergeCell" in tail:
            for tag in _MERGE_TAG.findall(tail):
                merged = _MERGED.search(tag)
                if merged is not None and len(found) < _MOST_MERGED:
                    _note_merged(found, *merged.groups())
        tail = tail[-200:]
    return found


def _note_merged(found: dict[tuple[int, int], int], letters: bytes, first: bytes, last: bytes) -> None:
    if int(last) > int(first):
        column = 0
        for letter in letters:
            column = column * 26 + letter - 64
        found[int(first), column - 1] = int(last)


def _whole(text: str | None) -> int:
    return int(text) if text is not None and text.isdecimal() and len(text) < 10 else 0
