"""Cells of CSV files that a spreadsheet would run as formulas: how they are neutralised, and read back exactly.

A cell is neutralised with an apostrophe in front. Text that has apostrophes before a formula already gets one more, so
that nothing but `restored` is needed to read back what was there. Phone numbers and negative numbers stay as they are:
a spreadsheet can do nothing with them but calculate, and other programs expect them without an apostrophe.

This is for CSV only. A cell of an XLSX file says itself that it is text, and a vCard is not calculated.
"""

from __future__ import annotations

import re

_STARTS = frozenset("'=+-@\t\r\n＝＋－＠")
"""Quick to look up: what no harmless text begins with, and the apostrophe."""
_FORMULA = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")
_AS_TEXT = re.compile('="((?:[^"]|"")*)"')
"""What programs write so that a spreadsheet keeps the zeros of `="00123"`."""
_NUMBER = re.compile(r"\+[0-9](?:[ ().-]{0,2}[0-9]){4,19}|-[0-9]+(?:[.,][0-9]+)?")


def neutralised(text: str) -> str:
    """`text` as a cell that no spreadsheet runs."""
    if text[:1] not in _STARTS or _FORMULA.match(text) is None or _NUMBER.fullmatch(text):
        return text
    return f"'{text}"


def restored(cell: str) -> str:
    """The text of a cell that `neutralised` made. Other cells stay as they are, except for an apostrophe before a
    formula, which people put there for the same reason, and formulas that are nothing but a text."""
    if cell[:1] == "'":
        return cell[1:] if _FORMULA.match(cell) else cell
    found = _AS_TEXT.fullmatch(cell) if cell[:2] == '="' else None
    return cell if found is None else found[1].replace('""', '"')
