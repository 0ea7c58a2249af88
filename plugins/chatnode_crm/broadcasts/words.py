"""The words with which a recipient stops broadcasts, and starts them again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from chatnode.api import folded, record

_LONGEST = 200
_AROUND = " \t\r\n.,;:!?\"'()<>*_-¡¿"


@record(frozen=True)
class Wish:
    """What a recipient asked for; `rest` is what follows the word: the name of a list, or nothing."""

    what: Literal["stop", "start"]
    rest: str


def as_word(text: str) -> str:
    """What words are compared by: without case and accents, and what stands around them."""
    return " ".join(folded(text).strip(_AROUND).split())


def wish_of(text: str, stop: Sequence[str], start: Sequence[str]) -> Wish | None:
    """What a message asks for: it is one of the words, or begins with one that a list's name follows in the same line.

    A longer text that merely contains a word asks for nothing.
    """
    if len(text) > _LONGEST:
        return None
    said = as_word(text)
    for what, words in (("stop", stop), ("start", start)):
        for each in sorted((as_word(word) for word in words), key=len, reverse=True):
            if each and said == each:
                return Wish("stop" if what == "stop" else "start", "")
            if each and said.startswith(f"{each} "):
                return Wish("stop" if what == "stop" else "start", said.removeprefix(each).strip(_AROUND))
    return None
