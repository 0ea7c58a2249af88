"""The words that contacts are found by: those of names and company, email address and its domain, phone number.

They are stored with the contact. When this module makes other words of the same contact, add a step that makes those of
all contacts again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from chatnode.api import folded

MOST = 60
"""Maximum number of words of a contact; those after it cannot be found."""
LONGEST = 80

_WORD = re.compile(r"[^\W_]+")
_NOT_IN_ADDRESS = re.compile(r"[^\w@.+-]")
_NO_DIGIT = re.compile(r"[^0-9]+")
_LIKE_A_NUMBER = re.compile(r"[+ ()./-]*[0-9][+0-9 ()./-]*")
_SHORT_CODES = frozenset(
    str(code)
    for code in (
        20, 27, *range(30, 35), 36, *range(39, 42), *range(43, 50), *range(51, 59), *range(60, 67), 81, 82, 84, 86,
        *range(90, 96), 98,
    )
)  # fmt: skip
"""Country calling codes with two digits. 1 and 7 have one, all others three."""


def words_of(values: Mapping[str, Any]) -> str:
    """The words of a contact, in one text."""
    get = values.get
    text = folded(f"{get('first_name') or ''} {get('last_name') or ''} {get('company') or ''}")
    found = _WORD.findall(text)
    if "'" in text:
        found += (word.replace("'", "") for word in text.split() if "'" in word.strip("'"))
    if email := get("email_key"):
        address = _NOT_IN_ADDRESS.sub("_", folded(email))
        found += (address, address.rpartition("@")[2])
    if phone := (get("phone_key") or get("phone")):
        found += _numbers(phone)
    words = " ".join(found)
    if len(words) > LONGEST and (len(found) > MOST or max(map(len, found)) > LONGEST):
        return " ".join(word[:LONGEST] for word in found[:MOST])
    return words


def name_words(values: Mapping[str, Any]) -> str:
    """Those of the name, with which the words of a contact begin."""
    found = _WORD.findall(folded(f"{values.get('first_name') or ''} {values.get('last_name') or ''}"))
    return " ".join(word[:LONGEST] for word in found[:MOST])


def _numbers(phone: str) -> list[str]:
    """The digits of a phone number, and those without the country's code, as it is dialled in the country."""
    if not (phone[0] == "+" and phone.isascii() and (digits := phone[1:]).isdecimal()):
        digits = _NO_DIGIT.sub("", folded(phone)).lstrip("0")
    if phone[0] != "+":
        return [digits] if digits else []
    code = 1 if digits[:1] in ("1", "7") else 2 if digits[:2] in _SHORT_CODES else 3
    return [digits, digits[code:]] if digits[code:] else [digits]


Term = tuple[tuple[str, ...], ...]
"""What one word of a query means: one of several ways, each a few beginnings of words, all of which must be there."""


def terms_of(query: str) -> list[Term]:
    """The terms of a query, all of which must be found. Empty for a query without letters and digits."""
    text = folded(query).strip()
    if _LIKE_A_NUMBER.fullmatch(text) and len(digits := _NO_DIGIT.sub("", text)) > 2:
        return [((digits.lstrip("0") or digits,),)]
    return [term for word in dict.fromkeys(text.split()) if (term := _term(word))]


def _term(word: str) -> Term:
    parts = tuple(part[:LONGEST] for part in _WORD.findall(word))
    if not parts:
        return ()
    address = (_NOT_IN_ADDRESS.sub("_", word).lstrip("@")[:LONGEST],)
    if "@" in word and address[0]:
        return (address,)
    ways = [parts, address] if address != parts else [parts]
    if word.isdecimal() and word[0] == "0" and word.lstrip("0"):
        ways.append((word.lstrip("0"),))
    return tuple(ways)
