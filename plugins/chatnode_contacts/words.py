"""What names are sorted and found by: the same for texts that differ only in case, or in the accents of letters."""

from __future__ import annotations

import re
from unicodedata import normalize

from chatnode.api import caseless

_NO_DIGIT = re.compile(r"[^0-9]+")
_LIKE_A_NUMBER = re.compile(r"[+0-9 ()./-]*[0-9][+0-9 ()./-]*")


_ACCENTS = re.compile("[\u0300-\u036f]+")


def folded(text: str) -> str:
    """So that Zoë stands beside zoe, and is found by either. Marks of scripts that need them to be read stay."""
    text = caseless(text)
    return text if text.isascii() else normalize("NFC", _ACCENTS.sub("", normalize("NFD", text)))


def called(name: str, handle: str) -> str:
    """By what a person is found, whoever looks for them."""
    return folded(f"{name}\n{handle}")


def sort_name(nickname: str | None, name: str) -> str:
    return folded(nickname or name)


def own_words(nickname: str | None, number: str | None) -> str:
    """By what the owner of an entry finds it beside that; a number also by its digits alone."""
    digits = _NO_DIGIT.sub("", number) if number else ""
    return folded("\n".join(part for part in (nickname, number, digits) if part))


def terms_of(query: str) -> list[str]:
    """What must all be contained. A telephone number is one term, however it is written."""
    if _LIKE_A_NUMBER.fullmatch(query.strip()):
        return [_NO_DIGIT.sub("", query)]
    return [term for term in folded(query).split() if term]


def listed(names: list[str]) -> dict[str, str]:
    """Names of groups or tags, without spaces around them, each once: by what they are in any case."""
    found: dict[str, str] = {}
    for name in names:
        if trimmed := " ".join(name.split()):
            found.setdefault(caseless(trimmed), trimmed)
    return found
