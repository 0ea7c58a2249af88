"""Dates as people write them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from functools import cache
from typing import Literal

from chatnode.api import folded

DateForm = Literal["iso", "dmy", "mdy", "ymd"]
"""In which order the parts of a date are. With `iso`, those that can be read in one way only are read."""

_TIME = r"(?:,?\s+(?:at |um |à )?\d{1,2}[:.h]\d{2}.*)?"
_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})")
_NUMBERS = re.compile(
    rf"(\d{{1,4}})(\.\s?|\s?[/-]\s?|\s|年|月)(\d{{1,2}})(?:\.\s?|\s?[/-]\s?|\s|月)(\d{{1,4}})日?\.?{_TIME}"
)
_WEEKDAY = r"(?:[^\W\d]{2,}\.?,?\s+)?"
_BETWEEN = r"(?:[\s/.-]\s?|\s?(?:de|del|of)\s)"
_DAY_FIRST = re.compile(
    rf"{_WEEKDAY}(\d{{1,2}})(?:st|nd|rd|th|er|º|ª)?\.?{_BETWEEN}([^\W\d]{{3,}})\.?,?{_BETWEEN}(\d{{2}}|\d{{4}}){_TIME}",
    re.IGNORECASE,
)
_MONTH_FIRST = re.compile(
    rf"{_WEEKDAY}([^\W\d]{{3,}})\.?\s+(\d{{1,2}})(?:st|nd|rd|th)?,?\s+(\d{{4}}){_TIME}", re.IGNORECASE
)
_YEAR_FIRST = re.compile(rf"(\d{{4}})[\s/.-]\s?([^\W\d]{{3,}})\.?[\s/.-]\s?(\d{{1,2}})\.?{_TIME}")
_ORDERS = {"ymd": (0, 1, 2), "dmy": (2, 1, 0), "mdy": (2, 0, 1)}
_CENTURY = 70
"""Years of two digits from here on are of the last century."""
_LONGEST = 60
_MONTHS = (
    "january januar jänner janvier enero gennaio janeiro januari styczeń stycznia январь января",
    "february februar février febrero febbraio fevereiro februari luty lutego февраль февраля",
    "march märz mrz mars marzo março maart marzec marca март марта",
    "april avril abril aprile kwiecień kwietnia апрель апреля",
    "may mai mayo maggio maio mei maj maja май мая",
    "june juni juin junio giugno junho czerwiec czerwca июнь июня",
    "july juli juillet julio luglio julho lipiec lipca июль июля",
    "august août agosto augustus sierpień sierpnia август августа",
    "september septembre septiembre settembre setembro wrzesień września сентябрь сентября",
    "october oktober octobre octubre ottobre outubro październik października октябрь октября",
    "november novembre noviembre novembro listopad listopada ноябрь ноября",
    "december dezember décembre diciembre dicembre dezembro grudzień grudnia декабрь декабря",
)


def read_date(text: str, form: DateForm) -> str | None:
    """The date in ISO form; None if it is none, or may be several. The time of day is left out."""
    if len(text) > _LONGEST:
        return None
    if found := _ISO.fullmatch(text) or _COMPACT.fullmatch(text):
        return _date(found.groups())
    if found := _NUMBERS.fullmatch(text):
        first, separator, second, third = found.groups()
        return _of_numbers((first, second, third), separator, form)
    if found := _YEAR_FIRST.fullmatch(text):
        return _with_name(*found.groups())
    if found := _DAY_FIRST.fullmatch(text):
        day, name, year = found.groups()
        return _with_name(year, name, day)
    if found := _MONTH_FIRST.fullmatch(text):
        name, day, year = found.groups()
        return _with_name(year, name, day)
    return None


def _of_numbers(parts: Sequence[str], separator: str, form: DateForm) -> str | None:
    if len(parts[0]) == 4:
        return _date(parts)
    if form != "iso":
        return _date([parts[at] for at in _ORDERS[form]])
    if len(parts[2]) != 4:  # any part of it may be the year
        return None
    forms = ("dmy",) if separator.startswith(".") else ("dmy", "mdy")
    found = {_date([parts[at] for at in _ORDERS[each]]) for each in forms} - {None}
    return found.pop() if len(found) == 1 else None


def _with_name(year: str, name: str, day: str) -> str | None:
    month = _months().get(folded(name))
    return None if month is None else _date((year, str(month), day))


def _date(parts: Sequence[str]) -> str | None:
    year, month, day = parts
    if len(year) not in (2, 4):
        return None
    whole = int(year) if len(year) == 4 else int(year) + (1900 if int(year) >= _CENTURY else 2000)
    with suppress(ValueError):
        return date(whole, int(month), int(day)).isoformat()
    return None


@cache
def _months() -> dict[str, int]:
    """The number of each month by its name, and by what it is shortened to."""
    found: dict[str, set[int]] = {}
    for number, names in enumerate(_MONTHS, 1):
        for name in map(folded, names.split()):
            for length in range(3, len(name) + 1):
                found.setdefault(name[:length], set()).add(number)
    return {name: months.pop() for name, months in found.items() if len(months) == 1}
