"""Records of a text, one after the other, in little memory whatever the text is."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator

from chatnode.api import record
from chatnode_crm.files.reading.model import ReadLimits, UnreadableFile


@record(frozen=True, kw_only=True)
class Dialect:
    """How records are written."""

    delimiter: str = ","
    quote: str | None = '"'
    escape: bool = False
    """Whether a backslash, too, keeps a quote from ending a cell."""
    skip_space: bool = False
    """Whether the spaces after a delimiter are no part of the cell."""
    line_end: str = "\n"
    """`\\r` if lines end with it alone. A CR before an LF is part of the end."""
    skip_lines: int = 0
    """1 if the first line only says which delimiter there is."""
    wrapped: bool = False
    """Whether each record stands in one cell, in quotes, as spreadsheets write a table that they took for a column."""


class Records:
    """The records of a text: `(line, cells)`, where `line` is the first line of the record.

    `readline` gives the next line, at most as many characters of it as it is asked for, and nothing at the end.
    """

    def __init__(self, readline: Callable[[int], str], dialect: Dialect, limits: ReadLimits) -> None:
        self._readline = readline
        self._dialect = dialect
        self._limits = limits
        self._inside = False
        self._size = 0
        self._start = 1
        self._line = 0
        self._quotes = 0

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        cell_limit = self._limits.cell
        try:
            for cells in self._parser():
                if self._size > cell_limit and max(map(len, cells)) > cell_limit:
                    raise self._too_long()
                if self._inside and self._ended:
                    raise self._refusal("open_quote", "a quote is opened in this row and never closed")
                yield self._start, self._unwrapped(cells[0]) if self._dialect.wrapped and len(cells) == 1 else cells
                self._inside = False
        except csv.Error as refused:
            if "limit" in str(refused):
                raise self._too_long() from None
            raise self._refusal("bad_csv", str(refused)) from None
        except UnicodeError as refused:
            raise self._refusal("encoding", f"not in the encoding of the file: {refused}") from None

    def _parser(self) -> Iterator[list[str]]:
        dialect = self._dialect
        return csv.reader(
            self._lines(),
            delimiter=dialect.delimiter,
            quotechar=dialect.quote,
            quoting=csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE,
            escapechar="\\" if dialect.escape else None,
            skipinitialspace=dialect.skip_space,
        )

    def _unwrapped(self, cell: str) -> list[str]:
        return next(csv.reader(cell.splitlines(keepends=True), delimiter=self._dialect.delimiter), [""])

    _ended = False

    def _lines(self) -> Iterator[str]:
        """The lines, as the parser asks for them: it asks for another one within a record while a quote is open."""
        most = self._limits.record
        quote, end = self._dialect.quote, self._dialect.line_end
        other, last = ("\r", -2) if end == "\n" else ("\n", -1)
        for _ in range(self._dialect.skip_lines):
            self._readline(most)
            self._line += 1
        while line := self._readline(most):
            self._line += 1
            if self._inside:
                self._size += len(line)
            else:
                self._inside, self._size, self._start, self._quotes = True, len(line), self._line, 0
            if self._size >= most:
                raise self._too_long()
            if line.find(other, 0, last) >= 0 or line[-1] != end:
                line = self._without_breaks(line, other)
            if quote is not None:
                self._quotes += line.count(quote)
            yield line
        self._ended = True

    def _without_breaks(self, line: str, other: str) -> str:
        """The line with spaces for line ends of the other kind that are not in quotes: the parser refuses those."""
        body = line.rstrip("\r\n")
        parts = body.split(self._dialect.quote) if self._dialect.quote else [body]
        for at in range(self._quotes % 2, len(parts), 2):
            parts[at] = parts[at].replace(other, " ")
        return (self._dialect.quote or "").join(parts) + line[len(body) :]

    def _too_long(self) -> UnreadableFile:
        message = f"a cell is longer than {self._limits.cell} characters; is a quote not closed, or a line end missing?"
        return self._refusal("cell_too_long", message)

    def _refusal(self, code: str, message: str) -> UnreadableFile:
        return UnreadableFile(code, message, line=self._start)
