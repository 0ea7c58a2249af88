"""Numbers as people and spreadsheets write them."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from typing import Literal

DecimalSign = Literal[".", ","]

_LONGEST = 400
_MARK = r"(?:[A-Z]{0,3}[$€£¥₩₽₹₺₴₪₫₱₦¢฿₡₲₵₸₼₾]|[A-Z]{3}|kr\.?|zł|Kč|Ft|Fr\.?|lei|лв\.?|руб\.?|р\.|元|円|원)"
"""What stands for a currency."""
# Each part has one way only to be tried: a cell of spaces would take seconds.
_SIGN = r"([+-])"
_DIGITS = r"([.,]?\d(?:[.,'’ ]?\d)*[.,]?)"
_AROUND = re.compile(rf"(?:{_MARK}\s*)?(?:{_SIGN}\s*)?(?:{_MARK}\s*)?{_DIGITS}(?:[eE]([+-]?\d{{1,3}}))?\s*{_MARK}?(-?)")
_GROUPS = re.compile(r"\d{1,3}(?:[ '’]\d{3})+(?![\d '’])")
_AMBIGUOUS = re.compile(r"[1-9]\d{0,2}[.,]\d{3}")
_MOST_EXPONENT = 400


def read_number(text: str, decimal: DecimalSign | None = None) -> int | float | None:
    """The number; None if it is none, or may be two. A percentage is a part of one: `12 %` is 0.12.

    Without `decimal`, the sign is found by what is written: a comma before three digits may be either sign and is not
    read, while a single point is the decimal sign, as programs write it.
    """
    text = unicodedata.normalize("NFKC", text[: _LONGEST + 1]).replace("\u2212", "-").strip()
    if len(text) > _LONGEST:
        return None
    negative = text.startswith("(") and text.endswith(")")
    if negative:
        text = text[1:-1].strip()
    part = text.startswith("%") or text.endswith("%")
    if part:
        text = (text[1:] if text.startswith("%") else text[:-1]).strip()
    found = _AROUND.fullmatch(text)
    if found is None:
        return None
    sign, digits, exponent, after = found.groups()
    plain = _plain(digits, decimal)
    if plain is None:
        return None
    power = int(exponent or 0) - (2 if part else 0)
    value = Decimal(f"{plain}e{power}")
    if negative or "-" in (sign, after):
        value = -value
    if value and abs(value.adjusted()) > _MOST_EXPONENT:
        return None
    return int(value) if value == value.to_integral_value() else float(value)


def decimal_sign(text: str) -> DecimalSign | None:
    """The sign, where a number says clearly which it is."""
    text = text.strip()
    if len(text) > _LONGEST or _AMBIGUOUS.fullmatch(text):
        return None
    by_point, by_comma = read_number(text, "."), read_number(text, ",")
    if (by_point is None) == (by_comma is None):
        return None
    return "," if by_point is None else "."


def is_ambiguous(text: str) -> bool:
    """Whether the point or comma in it may separate thousands, or decimals."""
    return _AMBIGUOUS.fullmatch(text.strip()) is not None


def _plain(digits: str, decimal: DecimalSign | None) -> str | None:
    """Without what separates thousands, and with a point as the decimal sign."""
    if " " in digits or "'" in digits or "’" in digits:
        found = _GROUPS.match(digits)
        if found is None:
            return None
        digits = re.sub("[ '’]", "", found[0]) + digits[found.end() :]
    decimal = decimal or _sign_of(digits)
    if decimal is None:
        return None
    group = "," if decimal == "." else "."
    whole, _, fraction = digits.partition(decimal)
    if not fraction.isdigit() and fraction:
        return None
    if group in whole:
        if not re.fullmatch(rf"\d{{1,3}}(?:{re.escape(group)}\d{{2,3}})*{re.escape(group)}\d{{3}}", whole):
            return None
        whole = whole.replace(group, "")
    if whole and not whole.isdigit():
        return None
    return f"{whole or 0}.{fraction or 0}"


def _sign_of(digits: str) -> DecimalSign | None:
    """The last of the two signs; one that is there several times separates thousands."""
    points, commas = digits.count("."), digits.count(",")
    if points and commas:
        return "." if digits.rindex(".") > digits.rindex(",") else ","
    if commas > 1:
        return "."
    if points > 1:
        return ","
    if commas:
        return None if is_ambiguous(digits) else ","
    return "."
