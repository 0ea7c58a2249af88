"""The table of a file, whatever kind of file it is."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from itertools import islice
from typing import Protocol

import attrs

from chatnode.api import record
from chatnode_crm.files.reading.layouts import TableLayout
from chatnode_crm.files.reading.model import RawRow, ReadLimits, RowFault, UnreadableFile

RawRecord = tuple[int, list[str], tuple[RowFault, ...]]
"""The line where it begins, its cells and what is wrong with them."""


class RecordSource(Protocol):
    """What the readers of the kinds of files are: each iteration begins at the start of the file."""

    def __iter__(self) -> Generator[RawRecord]: ...


@record(kw_only=True)
class FileTable:
    """The rows of a file. Close it when it is not needed any more, as it may own a temporary file."""

    kind: str
    """`csv`, `xlsx` or `vcard`."""
    columns: tuple[str, ...]
    """The names in the header; empty where there is none."""
    header: bool
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    sheets: tuple[str, ...] = ()
    """All that have rows; `sheet` is the one that is read."""
    notes: tuple[str, ...] = ()
    """What a person should know of how the file was read."""
    _source: RecordSource = attrs.field(alias="source", repr=False)
    _first: int = attrs.field(alias="first", repr=False)
    _limits: ReadLimits = attrs.field(alias="limits", repr=False)
    _closing: list[Callable[[], object]] = attrs.field(factory=list[Callable[[], object]], alias="closing", repr=False)

    def rows(self, after: int = 0) -> Generator[RawRow]:
        """The rows, from the one after the row with this number on. May be called several times, also at once."""
        number = 0
        width = len(self.columns)
        most = self._limits.rows
        with closing(iter(self._source)) as records:
            try:
                for line, cells, faults in islice(records, self._first, None):
                    surplus: tuple[str, ...] = ()
                    if len(cells) != width:
                        cells, surplus, faults = _fitted(cells, faults, width)
                    if not faults and not "".join(cells).strip():
                        continue
                    number += 1
                    if most and number > most:
                        message = f"more rows than the maximum of {most}"
                        raise UnreadableFile("too_many_rows", message, row=number, line=line)
                    if number > after:
                        yield RawRow(number, line, cells, faults, surplus)
            except UnreadableFile as refused:
                if refused.row is not None:
                    raise
                raise refused.in_row(number + 1) from None

    def close(self) -> None:
        """Remove what the table keeps on disk."""
        while self._closing:
            self._closing.pop()()

    def close_also(self, step: Callable[[], object]) -> None:
        """Do this, too, when the table is closed."""
        self._closing.insert(0, step)

    def __enter__(self) -> FileTable:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def checked_layout(layout: TableLayout, limits: ReadLimits) -> TableLayout:
    """The layout, if it has columns and not too many."""
    if not layout.columns:
        raise UnreadableFile("empty", "there is no row in the file")
    if len(layout.columns) > limits.columns:
        raise UnreadableFile("too_many_columns", f"{len(layout.columns)} columns; the maximum is {limits.columns}")
    return layout


def _fitted(
    cells: list[str], faults: tuple[RowFault, ...], width: int
) -> tuple[list[str], tuple[str, ...], tuple[RowFault, ...]]:
    """As many cells as there are columns, and those that are too many. Empty ones at the end do not matter."""
    if len(cells) < width:
        return cells + [""] * (width - len(cells)), (), faults
    end = len(cells) - next((at for at, cell in enumerate(reversed(cells)) if cell.strip()), len(cells))
    if end <= width:
        return cells[:width], (), faults
    message = f"{end} cells, but {width} columns; a cell that has the delimiter in it must be quoted"
    return cells[:width], tuple(cells[width:end]), (*faults, RowFault(None, "too_many_cells", message))
