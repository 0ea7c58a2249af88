"""The words with which a recipient stops broadcasts, and starts them again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Literal
from unicodedata import category

from chatnode.api import folded, record

_LONGEST = 200
_MENTIONS = re.compile(r"\s*(?:@[^\s,:;]+(?:[\s,:;]+|$))+")
"""What an answer may begin with: the bot's handle."""
_QUOTE = ">"
"""Begins a line that quotes what is answered to."""


@record(frozen=True)
class Wish:
    """What a recipient asked for; `rest` is what follows the word: the name of a list, nothing, or something else."""

    what: Literal["stop", "start"]
    rest: str


def as_word(text: str) -> str:
    """What words are compared by: letters and digits alone, without case and accents, with a space for anything else
    that stands between them."""
    return " ".join("".join(letter if _is_of_word(letter) else " " for letter in folded(text)).split())


def _is_of_word(letter: str) -> bool:
    return letter.isalnum() or category(letter).startswith("M")


def wish_of(text: str, stop: Sequence[str], start: Sequence[str]) -> Wish | None:
    """What a message asks for: its first line that has words is one of the words, or begins with one. Quoted lines
    and mentions before it do not matter, if there is anything else, nor does what is below, such as a signature.

    A text that contains a word further on asks for nothing.
    """
    lines = text.splitlines()
    said = _first_words(_without_quotes(lines)) or _first_words(lines)
    if len(said) > _LONGEST:
        return None
    stopping, starting = _after(said, stop), _after(said, start)
    if stopping is not None:
        return Wish("stop", stopping)
    return Wish("start", starting) if starting is not None else None


def _without_quotes(lines: Sequence[str]) -> Iterator[str]:
    """What the recipient wrote, without mentions."""
    for line in lines:
        if not line.lstrip().startswith(_QUOTE):
            mentions = _MENTIONS.match(line)
            yield line[mentions.end() :] if mentions is not None else line


def _first_words(lines: Iterable[str]) -> str:
    return next((words for line in lines if (words := as_word(line))), "")


def _after(said: str, words: Sequence[str]) -> str | None:
    """What follows the longest of the words with which it begins; None if there is none."""
    for each in _longest_first(tuple(words)):
        if f"{said} ".startswith(f"{each} "):
            return said.removeprefix(each).strip()
    return None


@lru_cache(16)
def _longest_first(words: tuple[str, ...]) -> list[str]:
    """The words of a setting, made comparable: every answer is compared with them all."""
    return sorted(filter(None, map(as_word, words)), key=len, reverse=True)
