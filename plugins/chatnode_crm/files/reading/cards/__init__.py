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
        with closing(self._lines()) as lines:
            for line in lines:
                if not line.text.startswith(f"{OWN};"):
                    continue
                read = read_property(line.text, self._byte_encoding, USED)
                if read is not None and is_column(read.label) and len(COLUMNS) + len(found) < self.limits.columns:
                    found[read.label] = None
        return tuple(found)

    @property
    def _is_wide(self) -> bool:
        return self.encoding.name.startswith(("utf-16", "utf-32"))

    @property
    def _byte_encoding(self) -> str:
        return "utf-8" if self._is_wide else self.encoding.name

    def _lines(self) -> Generator[CardLine]:
        wide = self._is_wide
        with self.path.open("rb") as file:
            file.seek(self.encoding.skip)
            name, errors = (self.encoding.name, "replace") if wide else ("latin-1", "strict")
            text = io.TextIOWrapper(file, name, errors, newline=self.line_end)

            def readline(most: int) -> str:
                line = text.readline(most)
                return line.encode("utf-8", "replace").decode("latin-1") if wide else line

            yield from CardLines(readline, self.limits.cell * 4)


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
            yield from self._read(line)
        if self._open:
            yield self._taken("the file ends within this card; END:VCARD is missing")

    def _read(self, line: CardLine) -> Iterator[RawRecord]:
        mark = line.text.strip()
        if self._open and self._begins_agent(mark):
            self._nested += 1
        elif begin := _BEGIN.fullmatch(mark):
            if self._open:
                yield self._taken(None if begin[1] else "END:VCARD is missing")
            self._begin, self._open, self._stray = line.number, True, False
        elif _END.fullmatch(mark):
            if self._nested:
                self._nested -= 1
            elif self._open:
                yield self._taken(None)
        elif self._open:
            if not self._nested and mark:
                self._read_property(line)
        elif mark and not self._stray:
            self._stray = True
            yield (
                line.number,
                [""] * (len(COLUMNS) + len(self._ours)),
                (RowFault(None, "bad_card", "lines that belong to no card"),),
            )

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
            self._add_fault("bad_card", f"line {line.number} is no property of a card: {line.text[:40]!r}")
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
