"""Numbers and dates as the person sees them who looks at the sheet."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation

from chatnode.api import record

_BUILT_IN = {
    9: "0%", 10: "0.00%", 14: "yyyy-mm-dd", 15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy", 18: "h:mm AM/PM",
    19: "h:mm:ss AM/PM", 20: "h:mm", 21: "h:mm:ss", 22: "m/d/yy h:mm", 45: "mm:ss", 46: "[h]:mm:ss", 47: "mmss.0",
    **dict.fromkeys((*range(27, 32), 36, *range(50, 55), 57, 58), "yyyy-mm-dd"),
    **dict.fromkeys((*range(32, 36), 55, 56), "h:mm:ss"),
}  # fmt: skip
"""Formats that files only number. The ones from 27 on are dates and times of East Asian languages."""
_NOT_SHOWN = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!h+\]|m+\]|s+\])[^\]]*\]', re.IGNORECASE)
_SECTION = re.compile(r'(?:"[^"]*"|\\.|[^;])*')
_CONDITION = re.compile(r"\[(<=|>=|<>|<|>|=)(\d+)\]")
_TOKEN = re.compile(r'"([^"]*)"|\\(.)|_.|\*.|\[[^\]]*\]|(.)')
_LAST_DAY = date.max.toordinal()


@record(frozen=True)
class NumberFormat:
    """How numbers of a style are shown."""

    code: str
    has_date: bool
    has_time: bool


def make_format(number: int, codes: dict[int, str]) -> NumberFormat:
    """The format with this number; `codes` are those that the workbook declares."""
    code = codes.get(number, _BUILT_IN.get(number, "General"))
    first = _SECTION.match(code)
    letters = _NOT_SHOWN.sub("", first[0] if first else code).lower()
    if "general" in letters or "@" in letters:
        return NumberFormat("", False, False)
    has_time = bool(re.search("[hs]", letters))
    has_date = bool(re.search("[yd]", letters)) or ("m" in letters and not has_time and not re.search("[0#?]", letters))
    return NumberFormat("" if has_date or has_time else code, has_date, has_time)


def shown_number(text: str, form: NumberFormat, *, since_1904: bool) -> str:
    """The number that is written in the file as `text`, in a format."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        return text
    if not value.is_finite() or abs(value.adjusted()) > 400:
        return text
    if form.has_date or form.has_time:
        shown = _shown_date(float(value), form, since_1904)
        if shown is not None:
            return shown
    if form.code:
        shown = _shown_by_code(value, form.code)
        if shown is not None:
            return shown
    return plain_number(value)


def plain_number(value: Decimal) -> str:
    """Without an exponent, and without what is an error of binary fractions."""
    if value == value.to_integral_value():
        return str(int(value))
    return format(Decimal(f"{float(value):.15g}"), "f")


def _shown_date(serial: float, form: NumberFormat, since_1904: bool) -> str | None:
    if not 0 <= serial < _LAST_DAY:
        return None
    days = int(serial)
    seconds = round((serial - days) * 86_400)
    clock = str(timedelta(seconds=seconds % 86_400)).rjust(8, "0")
    if not form.has_date:
        return clock if days == 0 else str(timedelta(days=days, seconds=seconds)) if serial >= 1 else clock
    if form.has_time:
        days += seconds // 86_400
    day = _day(days, since_1904)
    return None if day is None else f"{day}T{clock}" if form.has_time else day


def _day(days: int, since_1904: bool) -> str | None:
    """None after the year 9999. Day 60 of 1900 is 29 February, as in every spreadsheet since the first."""
    if days == 60 and not since_1904:
        return "1900-02-29"
    first = date(1904, 1, 1) if since_1904 else date(1899, 12, 30 if days > 60 else 31)
    number = first.toordinal() + days
    return date.fromordinal(number).isoformat() if number <= _LAST_DAY else None


def _shown_by_code(value: Decimal, code: str) -> str | None:
    """Percents, and digits in a form, such as those of post codes and phone numbers."""
    section = _chosen_section(value, code)
    marks = _NOT_SHOWN.sub("", section)
    if "%" in marks:
        return f"{plain_number(value * 100)}%"
    if value != value.to_integral_value() or value < 0 or re.search(r"[.,?/E%]", marks) or not re.search("[0#]", marks):
        return None
    return _digits_in_form(str(int(value)), section)


def _chosen_section(value: Decimal, code: str) -> str:
    sections = [found[0] for found in _SECTION.finditer(code) if found[0]]
    for section in sections:
        condition = _CONDITION.search(section)
        if condition is None or _holds(value, condition[1], int(condition[2])):
            return section
    return sections[-1] if sections else code


def _holds(value: Decimal, sign: str, other: int) -> bool:
    return {
        "<=": value <= other, ">=": value >= other, "<>": value != other, "<": value < other, ">": value > other,
        "=": value == other,
    }[sign]  # fmt: skip


def _digits_in_form(digits: str, section: str) -> str:
    """The digits in the places of a form, from the right; those that are left over stand before the first place."""
    shown: list[str] = []
    left = list(digits)
    places = 0
    tokens = list(_TOKEN.finditer(section))
    total = sum(1 for token in tokens if token[3] in ("0", "#"))
    for token in reversed(tokens):
        if token[3] in ("0", "#"):
            places += 1
            shown.append(left.pop() if left else "0" if token[3] == "0" else "")
            if places == total:
                shown.extend(reversed(left))
        else:
            shown.append(token[1] or token[2] or token[3] or "")
    return "".join(reversed(shown)).strip()


def iso_text(text: str) -> str:
    """A date that is written as text (`t="d"`)."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return text
    return found.date().isoformat() if found.time() == found.time().min and "T" not in text else found.isoformat()
