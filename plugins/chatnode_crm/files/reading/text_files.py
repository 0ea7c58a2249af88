"""CSV and its relatives as tables."""

from __future__ import annotations

import io
import re
from collections.abc import Generator
from contextlib import closing
from itertools import islice
from pathlib import Path

from chatnode.api import record
from chatnode_crm.files.reading.dialects import SAMPLE_RECORDS, find_dialect
from chatnode_crm.files.reading.encodings import Encoding
from chatnode_crm.files.reading.layouts import find_layout
from chatnode_crm.files.reading.model import ReadLimits, ReadOptions, RowFault, UnreadableFile
from chatnode_crm.files.reading.records import Dialect, Records
from chatnode_crm.files.reading.tables import FileTable, RawRecord, checked_layout
from chatnode_crm.files.safety import restored

_SAMPLE = 256_000
_END_OF_DOS_FILE = "\x1a"
_LOST = re.compile("[\udc80-\udcff]")


def open_text(path: Path, encoding: Encoding, line_end: str = "\n") -> io.TextIOWrapper:
    """The text after its BOM. Bytes that are not in the encoding become lone surrogates."""
    file = path.open("rb")
    file.seek(encoding.skip)
    errors = "surrogateescape" if encoding.broken else "strict"
    return io.TextIOWrapper(file, encoding.name, errors, newline=line_end)


def read_sample(path: Path, encoding: Encoding) -> tuple[str, bool]:
    """The beginning of the text, and whether it is all of it."""
    with open_text(path, encoding, "") as text:
        try:
            sample = text.read(_SAMPLE)
            return sample, not text.read(1)
        except UnicodeError as refused:
            raise UnreadableFile("encoding", f"the text is not {encoding.name}: {refused}") from None


def open_delimited(path: Path, encoding: Encoding, options: ReadOptions, limits: ReadLimits) -> FileTable:
    """The table of a text with delimiters."""
    sample, complete = read_sample(path, encoding)
    dialect = find_dialect(sample, limits, complete=complete, delimiter=options.delimiter)
    source = _Delimited(path, encoding, dialect, limits)
    layout = checked_layout(find_layout(_first_records(source), options.header, delimited=True), limits)
    return FileTable(
        kind="csv",
        columns=layout.columns,
        header=layout.header,
        encoding=encoding.name,
        delimiter=dialect.delimiter,
        notes=_notes(encoding),
        source=source,
        first=layout.first,
        limits=limits,
    )


def _first_records(source: _Delimited) -> list[list[str]]:
    """The records from which the layout is found. What is wrong after the first of them is told to who reads on."""
    records: list[list[str]] = []
    try:
        with closing(iter(source)) as found:
            for _, cells, _ in islice(found, SAMPLE_RECORDS):
                records.append(cells)
    except UnreadableFile as refused:
        if not records:
            raise refused.in_row(1) from None
    return records


def _notes(encoding: Encoding) -> tuple[str, ...]:
    if not encoding.broken:
        return ()
    if encoding.repair is None:
        return (f"some bytes are not {encoding.name}; rows with them are faulty",)
    return (f"some bytes are not {encoding.name}; they are read as {encoding.repair}",)


@record(frozen=True)
class _Delimited:
    path: Path
    encoding: Encoding
    dialect: Dialect
    limits: ReadLimits

    def __iter__(self) -> Generator[RawRecord]:
        with open_text(self.path, self.encoding, self.dialect.line_end) as text:
            broken = self.encoding.broken
            for line, cells in Records(text.readline, self.dialect, self.limits):
                if cells == [_END_OF_DOS_FILE]:
                    continue
                faults = ()
                if broken:
                    cells, faults = mended(cells, self.encoding)
                if "'" in (together := "".join(cells)) or '="' in together:
                    cells = [restored(cell) for cell in cells]
                yield line, cells, faults


def mended(cells: list[str], encoding: Encoding) -> tuple[list[str], tuple[RowFault, ...]]:
    """The cells with the bytes that could not be decoded, and what is to be said of them."""
    if not _LOST.search("".join(cells)):
        return cells, ()
    faults: list[RowFault] = []
    found: list[str] = []
    for column, cell in enumerate(cells):
        if _LOST.search(cell):
            faults.append(_lost(column, encoding))
            cell = _LOST.sub(lambda match: _read_alone(match[0], encoding.repair), cell)
        found.append(cell)
    return found, tuple(faults)


def _lost(column: int, encoding: Encoding) -> RowFault:
    if encoding.repair is None:
        return RowFault(column, "encoding", f"bytes that are not {encoding.name}; choose the encoding of the file")
    message = f"bytes that are not {encoding.name} are read as {encoding.repair}"
    return RowFault(column, "encoding", message, warning=True)


def _read_alone(lost: str, repair: str | None) -> str:
    if repair is None:
        return "\ufffd"
    byte = bytes([ord(lost) - 0xDC00])
    try:
        return byte.decode(repair)
    except UnicodeError:
        return byte.decode("latin-1")
