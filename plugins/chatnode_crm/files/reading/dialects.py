"""The dialect of a text: delimiter, quotes, escapes and line ends, found by reading its beginning in each way."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from math import log2

import attrs

from chatnode_crm.files.headers import field_of
from chatnode_crm.files.reading.model import ReadLimits, UnreadableFile
from chatnode_crm.files.reading.records import Dialect, Records

SAMPLE_RECORDS = 200
HEADER_WITHIN = 20
"""Rows among which the header is."""
_DELIMITERS = ",;\t|"
_SEP = re.compile(r'"?sep=([^"\r\n]?)"?(?:\r\n|\r|\n|\Z)', re.IGNORECASE)
_QUOTED = re.compile('"(?:[^"]|"")*"')
_LONE_CR = re.compile(r"\r(?!\n)")


def find_dialect(sample: str, limits: ReadLimits, *, complete: bool, delimiter: str | None = None) -> Dialect:
    """The dialect in which the sample, the beginning of a text, makes the best table.

    `complete`: the sample is all of the text, so a quote that is still open at its end is not closed at all.
    """
    line_end = _line_end(sample)
    said = _SEP.match(sample)
    if said is not None:
        sample = sample[said.end() :]
        delimiter = delimiter or said[1] or None
    lines = re.findall(f"[^{line_end}]*{line_end}|[^{line_end}]+", sample)
    if not complete and len(lines) > 1:
        lines.pop()
    dialects = [attrs.evolve(each, line_end=line_end) for each in _dialects(sample, delimiter)]
    best = max(dialects, key=lambda dialect: _score(dialect, lines, limits, complete))
    return attrs.evolve(best, skip_lines=1 if said is not None else 0)


def known_names(cells: list[str]) -> int:
    """How many cells are names that columns of contacts have."""
    return sum(1 for cell in cells if 0 < len(cell) < 40 and field_of(cell) is not None)


def _line_end(sample: str) -> str:
    outside = _QUOTED.sub("", sample)
    return "\r" if len(_LONE_CR.findall(outside)) > outside.count("\n") else "\n"


def _dialects(sample: str, delimiter: str | None) -> Iterator[Dialect]:
    for each in delimiter or _DELIMITERS:
        mark = re.escape(each)
        single = len(re.findall(rf"(?:^|{mark})'|'(?:{mark}|\r?$)", sample, re.MULTILINE)) > len(sample) / 100
        for quote in ('"', "'") if single else ('"',):
            yield Dialect(
                delimiter=each,
                quote=quote,
                escape=re.search(rf"\\{quote}(?!{mark}|\r|\n|{quote}|\Z)", sample) is not None,
                skip_space=each != " " and re.search(rf"{mark} +{quote}", sample) is not None,
                wrapped=quote == '"' and _is_wrapped(sample, each),
            )
        yield Dialect(delimiter=each, quote=None)


def _is_wrapped(sample: str, delimiter: str) -> bool:
    """Whether nearly all lines are one quoted cell with delimiters in it, and one of the first names columns."""
    lines = [line.rstrip() for line in sample.splitlines()[:SAMPLE_RECORDS] if line.strip()]
    wrapped = [line[1:-1] for line in lines if delimiter in line and _QUOTED.fullmatch(line)]
    if len(wrapped) < 0.9 * len(lines):
        return False
    return any(known_names(line.split(delimiter)) >= 2 for line in wrapped[:HEADER_WITHIN])


def _score(dialect: Dialect, lines: list[str], limits: ReadLimits, complete: bool) -> float:
    """How good a table it is: most records have as many cells, and one of the first has names that are known."""
    records: list[list[str]] = []
    left = iter(lines)
    broken = 0.0
    empty = False
    try:
        for _, cells in islice(Records(lambda _: next(left, ""), dialect, limits), SAMPLE_RECORDS):
            empty = empty or len(cells) > 1
            if any(cells):
                records.append(cells)
    except UnreadableFile as refused:
        broken = 0.3 if complete or refused.code != "open_quote" or not records else 0.0
    if not records:
        return (0.5 if empty else 0.0) - broken
    widths = Counter(len(cells) for cells in records)
    width, times = max(widths.items(), key=lambda item: (item[1] * (item[0] > 1), item[0]))
    score = times / len(records) * (1.0 + log2(width) / 20) if width > 1 else 0.3
    score += 0.05 * min(max(map(known_names, records[:HEADER_WITHIN])), 6)
    return score - broken - _misread_quotes(records, dialect)


def _misread_quotes(records: list[list[str]], dialect: Dialect) -> float:
    """How likely the quotes are not those of the text: cells are still in quotes."""
    cells = [cell.strip() for cells in records for cell in cells]
    if dialect.quote is None:
        return 1.0 if any(len(cell) > 1 and cell[0] == cell[-1] == '"' for cell in cells) else 0.1
    unusual = 0.05 if dialect.quote == "'" else 0.0
    left = sum(
        1
        for cell in cells
        if len(cell) > 1 and ('"' in (cell[0], cell[-1]) or cell[0] == cell[-1] == "'") and cell[:2] != '="'
    )
    return unusual + 0.5 * left / max(len(cells), 1)
