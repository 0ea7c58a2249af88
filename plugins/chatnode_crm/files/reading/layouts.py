"""Where a table begins: lines before the header, the header, and columns without anything."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from chatnode.api import record
from chatnode_crm.files.headers import ERROR_COLUMNS
from chatnode_crm.files.reading.dialects import HEADER_WITHIN, known_names

# The dot is the first one, so that there is nothing else to be tried in a long cell.
_DATA = re.compile(
    r"[^@\s]+@[^@\s][^@\s.]*\.[^@\s]+|[+(]?\d[\d .,/()\-:]*|https?://.*|(?:true|false|yes|no|null)", re.IGNORECASE
)
"""What stands in cells, and is the name of no column."""
_SEVERAL = 3
"""So many rows, and most of all, have a column without a name; in fewer, a delimiter may not be quoted."""


@record(frozen=True)
class TableLayout:
    """`first`: how many records are before the first one with data. If there is a header, it is the last of them."""

    columns: tuple[str, ...]
    header: bool
    first: int


def find_layout(records: Sequence[Sequence[str]], header: bool | None, *, delimited: bool) -> TableLayout:
    """The layout of a table that begins with these records, some of which may be empty.

    `delimited`: a cell that has the delimiter in it may have become two, so that those behind it are in wrong columns.
    """
    filled = [sum(1 for cell in cells if cell.strip()) for cells in records]
    begin = _begin(records, filled)
    if begin is None:
        return TableLayout((), False, len(records))
    if header is None:
        header = _is_header(records, begin)
    width = _width(records[begin:], header, delimited)
    names = [cell.strip().lstrip("\ufeff") for cell in records[begin]] if header else []
    names += [""] * (width - len(names))
    return TableLayout(tuple(names[:width]), header, begin + 1 if header else begin)


def _begin(records: Sequence[Sequence[str]], filled: list[int]) -> int | None:
    """The first record of the table: titles and dates before it fill few columns."""
    known = [known_names(list(cells)) for cells in records[:HEADER_WITHIN]]
    best = max(known, default=0)
    if best >= 2:
        return known.index(best)
    counts = Counter(count for count in filled if count)
    if not counts:
        return None
    usual = max(counts.items(), key=lambda item: (item[1], item[0]))[0]
    return next(at for at, count in enumerate(filled) if count * 2 >= usual and count)


def _is_header(records: Sequence[Sequence[str]], begin: int) -> bool:
    cells = [cell.strip() for cell in records[begin] if cell.strip()]
    if any(_DATA.fullmatch(cell) for cell in cells):
        return known_names(cells) >= 2 and not any("@" in cell for cell in cells)
    return True


def _width(records: Sequence[Sequence[str]], header: bool, delimited: bool) -> int:
    """How many columns there are: below a header as many as it names, or more if that is usual."""
    widths = [_filled_width(cells) for cells in records]
    if not header:
        most = _usual(Counter(len(cells) for cells in records if any(cells))) if delimited else None
        return max(width for width, cells in zip(widths, records, strict=True) if most is None or len(cells) <= most)
    named, below = widths[0], Counter(width for width in widths[1:] if width)
    if not delimited:
        return max(named, max(below, key=lambda width: (below[width], width), default=0))
    if records[0][named - 1].strip() == ERROR_COLUMNS[-1]:
        return named
    return max(named, _usual(below) or 0)


def _usual(counts: Counter[int]) -> int | None:
    """What most of several rows have."""
    found, count = counts.most_common(1)[0] if counts else (0, 0)
    return found if count >= _SEVERAL and count * 2 > counts.total() else None


def _filled_width(cells: Sequence[str]) -> int:
    return next((at for at in range(len(cells), 0, -1) if cells[at - 1].strip()), 0)
