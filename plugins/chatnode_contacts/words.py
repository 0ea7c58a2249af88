"""What names are sorted and found by: the same for texts that read alike."""

from __future__ import annotations

import re

from chatnode.api import folded, is_blank

_NO_DIGIT = re.compile(r"[^0-9]+")
_LIKE_A_NUMBER = re.compile(r"[+0-9 ()./-]*[0-9][+0-9 ()./-]*")
_TRUNK_ZERO = "(0)"  # as in +49 (0)30


def called(name: str, handle: str) -> str:
    """What every user finds a person by."""
    return folded(f"{name}\n{handle}")


def sort_name(nickname: str | None, name: str) -> str:
    return folded(nickname or name)


def own_words(nickname: str | None, number: str | None) -> str:
    """By what the owner of an entry finds it beside that; a number also as it is dialled."""
    return folded("\n".join(part for part in (nickname, number, dialled(number or "")) if part))


def dialled(number: str) -> str:
    """The digits of a telephone number, with a + before those of one that names its country: 0049 is +49."""
    number = folded(number)
    digits = _NO_DIGIT.sub("", number.replace(_TRUNK_ZERO, ""))
    if digits and number.lstrip(" (").startswith("+"):
        return f"+{digits}"
    return f"+{digits[2:]}" if digits.startswith("00") else _NO_DIGIT.sub("", number)


def terms_of(query: str) -> list[tuple[str, ...]]:
    """What must all be contained: of each, one of its spellings.

    What can be a telephone number is one term, and is also looked for as it is dialled, in the country and from abroad.
    """
    text = folded(query).strip()
    terms = [text] if _LIKE_A_NUMBER.fullmatch(text) else text.split()
    return [_spellings(term) if _LIKE_A_NUMBER.fullmatch(term) else (term,) for term in terms]


def _spellings(number: str) -> tuple[str, ...]:
    """030 1234 is part of +49 30 1234, without the zero that is dialled only within the country."""
    digits = dialled(number)
    without_zero = digits.removeprefix("0")
    return (number, digits, without_zero) if len(without_zero) > 1 else (number, digits)


def label(name: str) -> str:
    """By what groups and tags are the same."""
    return " ".join(folded(name).split())


def listed(names: list[str]) -> dict[str, str]:
    """Names of groups or tags, without spaces around them, each once: by what they are the same."""
    found: dict[str, str] = {}
    for name in names:
        if not is_blank(name):
            found.setdefault(label(name), " ".join(name.split()))
    return found


FUNCTIONS = {
    "contacts_called": called, "contacts_sort_name": sort_name, "contacts_own_words": own_words,
    "contacts_label": label,
}  # fmt: skip
"""The functions that steps in `schema/` call to rebuild it all."""
