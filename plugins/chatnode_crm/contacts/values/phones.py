"""Phone numbers: how they are shown, and their E.164 form, by which they are compared.

`phonenumbers` decides. It takes some 40 µs for a number, so numbers in the ordinary forms are recognized before by an
expression for each calling code, made from the library's own data. It knows only a part of the valid numbers; the
library has the word on the rest. The result is the same (a test proves it).
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from chatnode.api import record

_FLOAT = re.compile(r"\+?\d{5,}[.,]0+")
_SCIENTIFIC = re.compile(r"(\d)(?:[.,](\d+))?[eE]\+?(\d{1,2})")
_INTERNATIONAL = re.compile(r"\+[1-9](?:[ \-.()]{0,2}\d){5,15}")
_NATIONAL = re.compile(r"\(?\d(?:[ \-.()]{0,2}\d){4,15}")
_NOT_DIGIT = re.compile(r"\D+", re.ASCII)
_MANY_DIGITS = 11
_SHORTENED = "a spreadsheet has shortened this number; format the column as text and save it again"


@record(frozen=True)
class PhoneText:
    """A phone number as it is shown, its E.164 form if it is valid, and what is to be said of it if it is not."""

    shown: str
    key: str | None
    problem: str | None = None


def normalize_phone(text: str, region: str | None) -> PhoneText:
    """Read a number: `region` is the country ("FR") of numbers without a country code.

    A number with its country code stays as it is written. Others get theirs, as they could not be read again without
    knowing the region. A text that is no valid number is kept.
    """
    quick = _quick(text, region)
    if quick is not None:
        return PhoneText(text if text[0] == "+" else quick, quick)
    digits = _digits_of_number(text)
    if digits is not None:
        text = digits
    elif _SCIENTIFIC.fullmatch(text):
        return PhoneText(text, None, _SHORTENED)
    for candidate in _readings(text, region):
        found = _by_library(candidate, region)
        if found is not None:
            key, extension = found
            complete = text[0] == "+" and (region is None or _by_library(text, None) == found)
            return PhoneText(text if complete else key + (f" ext. {extension}" if extension else ""), key)
    if region is None and text[0] != "+":
        return PhoneText(text, None, "no country code; write the number with + in front, or give a default region")
    return PhoneText(text, None, "not a valid phone number; kept as it is")


def phone_key(text: str, region: str | None = None) -> str | None:
    """The E.164 form, None if the text is no valid number."""
    return normalize_phone(text, region).key if text else None


def _digits_of_number(text: str) -> str | None:
    """The digits of a number that a spreadsheet wrote: `33612345678.0`, `3.3612345678E+10`."""
    if _FLOAT.fullmatch(text):
        return re.split("[.,]", text)[0]
    scientific = _SCIENTIFIC.fullmatch(text)
    if scientific is None:
        return None
    first, rest, exponent = scientific.groups()
    rest = rest or ""
    return first + rest.ljust(int(exponent), "0") if _exact(rest, int(exponent)) else None


def _exact(rest: str, exponent: int) -> bool:
    """Whether no digits are missing: a spreadsheet shows six of them, if it shortens a number."""
    return 6 <= exponent <= 15 and exponent - 2 <= len(rest) <= exponent


def _readings(text: str, region: str | None) -> list[str]:
    """What the text may mean, the likeliest first."""
    digits = _NOT_DIGIT.sub("", text)
    if text.startswith("00"):
        return ["+" + text[2:], text]
    if text[0] != "+" and len(digits) >= _MANY_DIGITS and digits[0] != "0" and region is not None:
        return [text, "+" + text]
    return [text]


def _by_library(text: str, region: str | None) -> tuple[str, str | None] | None:
    import phonenumbers

    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164), number.extension


def _quick(text: str, region: str | None) -> str | None:
    """The E.164 form of a number in an ordinary form, None if the library has to look at it."""
    if text[0] == "+":
        if not text.isascii() or _INTERNATIONAL.fullmatch(text) is None:
            return None
        digits = text[1:] if text[1:].isdigit() else _NOT_DIGIT.sub("", text)
        for length in (2, 1, 3):
            pattern = _plan(int(digits[:length]))
            if pattern is not None:
                return f"+{digits}" if pattern.fullmatch(digits, length) else None
        return None
    if region is None or not text.isascii() or _NATIONAL.fullmatch(text) is None:
        return None
    national = _region_plan(region)
    if national is None:
        return None
    found = national[1].fullmatch(text if text.isdigit() else _NOT_DIGIT.sub("", text))
    return f"+{national[0]}{found[1]}" if found else None


@cache
def _plan(code: int) -> re.Pattern[str] | None:
    """What matches only valid national numbers of the main region of a calling code."""
    import phonenumbers

    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(code, ("001",))
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(regions[0], None)
    if metadata is None or metadata.leading_digits is not None:
        return None
    return re.compile(_unprefixed(metadata) + _valid(metadata))


@cache
def _region_plan(region: str) -> tuple[int, re.Pattern[str]] | None:
    """The calling code, and what matches only numbers as they are dialled in the region: the group is the number."""
    import phonenumbers

    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region, None)
    code = phonenumbers.country_code_for_region(region)
    if metadata is None or phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code][0] != region:
        return None
    prefix = metadata.national_prefix_for_parsing or ""
    prefixed = f"(?:{prefix})?" if prefix.isdigit() else ""
    abroad = f"(?!{metadata.international_prefix or '$'}|{code})"
    return code, re.compile(f"{abroad}{prefixed}({_unprefixed(metadata)}{_valid(metadata)})")


def _unprefixed(metadata: Any) -> str:
    prefix = metadata.national_prefix_for_parsing
    return f"(?!{prefix})" if prefix else ""


def _valid(metadata: Any) -> str:
    kinds = (
        metadata.fixed_line, metadata.mobile, metadata.toll_free, metadata.premium_rate, metadata.shared_cost,
        metadata.voip, metadata.personal_number, metadata.pager, metadata.uan, metadata.voicemail,
    )  # fmt: skip
    patterns = [_described(kind) for kind in kinds if kind is not None and kind.national_number_pattern]
    return f"(?={_described(metadata.general_desc)})(?:{'|'.join(patterns)})"


def _described(kind: Any) -> str:
    lengths = "|".join(rf"\d{{{length}}}\Z" for length in kind.possible_length if length > 0)
    return rf"(?:{f'(?={lengths})' if lengths else ''}(?:{kind.national_number_pattern})\Z)"
