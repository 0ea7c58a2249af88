"""Dates as people write them."""

from __future__ import annotations

import re
from datetime import date

_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})")
_PARTS = re.compile(
    r"(\d{1,4})(?:\.\s?|\s?[/-]\s?|\s|年|月)(\d{1,2})(?:\.\s?|\s?[/-]\s?|\s|月)(\d{1,4})日?\.?(?:\s+[\d:.]+)?"
)
_ORDERS = {"iso": (0, 1, 2), "ymd": (0, 1, 2), "dmy": (2, 1, 0), "mdy": (2, 0, 1)}
_CENTURY = 70
"""Years of two digits from here on are of the last century."""


def read_date(text: str, form: str) -> str | None:
    """The date in ISO form; None if it is none. The time of day is left out."""
    iso = _ISO.fullmatch(text) or _COMPACT.fullmatch(text)
    found = iso or _PARTS.fullmatch(text)
    if found is None:
        return None
    parts = found.groups()
    order = (0, 1, 2) if iso or len(parts[0]) == 4 else _ORDERS[form]
    year, month, day = (parts[at] for at in order)
    if len(year) not in (2, 4):
        return None
    whole = int(year) if len(year) == 4 else int(year) + (1900 if int(year) >= _CENTURY else 2000)
    try:
        return date(whole, int(month), int(day)).isoformat()
    except ValueError:
        return None
