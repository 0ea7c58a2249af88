"""vCards of the versions 2.1, 3.0 and 4.0 as a table: a card is a row, and a bad card is a row with a fault."""

from __future__ import annotations

import io
import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import attrs

from chatnode.api import record
from chatnode_crm.files.reading.cards.lines import CardLine, CardLines
from chatnode_crm.files.reading.cards.properties import Property, read_property
from chatnode_crm.files.reading.cards.rows import COLUMNS, OWN, USED, is_column, row_of_card
from chatnode_crm.files.reading.encodings import Encoding
from chatnode_crm.files.reading.model import ReadLimits, RowFault
from chatnode_crm.files.reading.tables import FileTable, RawRecord

# A line of its own, perhaps in a group. Files that were put together may have no line end, or a BOM, between cards.
_BEGIN = re.compile(r"(END:VCARD)?(?:\xef\xbb\xbf)?(?:[\w-]+\.)?BEGIN:VCARD", re.IGNORECASE)
_END = re.compile(r"(?:[\w-]+\.)?END:VCARD", re.IGNORECASE)
_AGENT = re.compile(r"(?:[\w-]+\.)?AGENT(?:;[^:]*)?:\s*BEGIN:VCARD", re.IGNORECASE)
"""A card within a card, in one line with its name."""
_MOST_LINES = 2_000
_MOST_FAULTS = 10
_PIECE = 65_536


def open_cards(path: Path, encoding: Encoding, sample: str, limits: ReadLimits) -> FileTable:
    """The table of a file of vCards."""
    line_end = "\r" if "\n" not in sample and "\r" in sample else "\n"
    source = _Cards(path, encoding, line_end, limits)
    ours = source.find_ours()
    return FileTable(
        kind="vcard",
        columns=(*COLUMNS, *ours),
        header=True,
        encoding=encoding.name,
        source=attrs.evolve(source, ours=ours),
        first=0,
        limits=limits,
    )


@record(frozen=True)
class _Cards:
    path: Path
    encoding: Encoding
    line_end: str
    limits: ReadLimits
    ours: tuple[str, ...] = ()
    """The columns that only cards of a node have."""

    def __iter__(self) -> Generator[RawRecord]:
        yield from _CardReader(self._byte_encoding, self.limits, self.ours).records(self._lines())

    def find_ours(self) -> tuple[str, ...]:
        """The columns of a node's own lines, in their order. The whole file is read for them, as any card may be
        the first that has one."""
        found: dict[str, None] = {}
        seen = set[str]()
        with closing(self._own_lines()) as lines:
            for line in lines:
                begin = line[: line.find('":')]
                if begin in seen:
                    continue
                seen.add(begin)
                read = read_property(line, self._byte_encoding, USED)
                if read is not None and is_column(read.label) and len(COLUMNS) + len(found) < self.limits.columns:
                    found[read.label] = None
        return tuple(found)

    def _own_lines(self) -> Generator[str]:
        """A node's own lines, put together again; the others are only skipped."""
        own, begins = "", True
        with closing(self._pieces()) as pieces:
            for piece in pieces:
                text = piece.rstrip("\r\n")
                if begins and not text.startswith((" ", "\t")):
                    if own:
                        yield own
                    own = text if text.startswith(f"{OWN};") else ""
                elif own and len(own) < self.limits.cell:
                    own += text[1:] if begins else text
                begins = piece[-1] in "\r\n"
        if own:
            yield own

    @property
    def _is_wide(self) -> bool:
        return self.encoding.name.startswith(("utf-16", "utf-32"))

    @property
    def _byte_encoding(self) -> str:
        return "utf-8" if self._is_wide else self.encoding.name

    def _lines(self) -> Generator[CardLine]:
        with closing(self._pieces()) as pieces:
            yield from CardLines(pieces, self.limits.cell * 4)

    def _pieces(self) -> Generator[str]:
        """The lines of the file, long ones in pieces. Each character is a byte."""
        wide = self._is_wide
        with self.path.open("rb") as file:
            file.seek(self.encoding.skip)
            name, errors = (self.encoding.name, "replace") if wide else ("latin-1", "strict")
            text = io.TextIOWrapper(file, name, errors, newline=self.line_end)
            while piece := text.readline(_PIECE):
                yield piece.encode("utf-8", "replace").decode("latin-1") if wide else piece


class _CardReader:
    """Makes a record of each card, and of what is between cards and belongs to none."""

    def __init__(self, encoding: str, limits: ReadLimits, ours: Sequence[str]) -> None:
        self._encoding = encoding
        self._ours = ours
        self._limits = limits
        self._begin = 0
        self._open = False
        self._nested = 0
        self._lines = 0
        self._properties: list[Property] = []
        self._faults: list[RowFault] = []
        self._stray = False

    def records(self, lines: Iterable[CardLine]) -> Iterator[RawRecord]:
        for line in lines:
            record = self._read(line)
            if record is not None:
                yield record
        if self._open:
            yield self._taken("the file ends within this card; END:VCARD is missing")

    def _read(self, line: CardLine) -> RawRecord | None:
        """The record that ends with this line, if one does."""
        text = line.text.strip()
        mark = text if text[-5:].upper() == "VCARD" else ""  # few lines begin or end a card
        if mark and self._open and self._begins_agent(mark):
            self._nested += 1
        elif mark and (begin := _BEGIN.fullmatch(mark)):
            unended = self._taken(None if begin[1] else "END:VCARD is missing") if self._open else None
            self._begin, self._open, self._stray = line.number, True, False
            return unended
        elif mark and _END.fullmatch(mark):
            if not self._nested:
                return self._taken(None) if self._open else None
            self._nested -= 1
        elif self._open:
            if not self._nested and text:
                self._read_property(line)
        elif text and not self._stray:
            self._stray = True
            nothing = [""] * (len(COLUMNS) + len(self._ours))
            return line.number, nothing, (RowFault(None, "bad_card", "lines that belong to no card"),)
        return None

    def _begins_agent(self, mark: str) -> bool:
        if _AGENT.fullmatch(mark):
            return True
        return bool(self._properties) and self._properties[-1].name == "AGENT" and _BEGIN.fullmatch(mark) is not None

    def _read_property(self, line: CardLine) -> None:
        self._lines += 1
        if self._lines > _MOST_LINES:
            if self._lines == _MOST_LINES + 1:
                self._add_fault("bad_card", f"more than {_MOST_LINES} lines; is END:VCARD missing?")
            return
        found = read_property(line.text, self._encoding, USED)
        if found is None:
            self._add_fault("bad_card", f"line {line.number} is not a property of a card: {line.text[:40]!r}")
        elif line.cut:
            self._add_fault("cell_too_long", f"line {line.number} is too long")
        else:
            self._properties.append(found)

    def _add_fault(self, code: str, message: str) -> None:
        if len(self._faults) < _MOST_FAULTS:
            self._faults.append(RowFault(None, code, message))

    def _taken(self, problem: str | None) -> RawRecord:
        values, faults = row_of_card(self._properties, self._limits.cell, self._ours)
        faults.extend(self._faults)
        if problem is not None:
            faults.append(RowFault(None, "bad_card", problem))
        self._open, self._nested, self._lines = False, 0, 0
        self._properties, self._faults = [], []
        return self._begin, values, tuple(faults)
