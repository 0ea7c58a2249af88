"""Tables of text for a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

import click

_WIDE = frozenset("WF")


def print_table(headers: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[int] = ()) -> None:
    """Print rows in columns; those with the numbers `right` are aligned to the right. Nothing but `none` if there are
    no rows."""
    cells = [[plain(cell) for cell in row] for row in rows]
    if not cells:
        click.echo("none")
        return
    table = [list(headers), *cells]
    widths = [max(_width(row[column]) for row in table) for column in range(len(headers))]
    for row in table:
        padded = [
            _padded(cell, width, to_the_right=column in right)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        click.echo("  ".join(padded).rstrip())


def plain(value: object) -> str:
    """A value as text in one line, without what a terminal would obey."""
    text = (
        f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str("" if value is None else value)
    )
    return "".join(" " if unicodedata.category(each) in ("Cc", "Cf", "Zl", "Zp") else each for each in text)


def _width(text: str) -> int:
    """Columns on a terminal."""
    return sum(0 if unicodedata.combining(each) else 1 + (unicodedata.east_asian_width(each) in _WIDE) for each in text)


def _padded(text: str, width: int, *, to_the_right: bool) -> str:
    room = " " * (width - _width(text))
    return room + text if to_the_right else text + room
