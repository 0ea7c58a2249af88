"""Text as it is kept: in NFC, trimmed, without characters that nobody can see."""

from __future__ import annotations

import re
import unicodedata

_INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
"""Soft hyphens, marks of direction and of no width: what copying from a page or an address book leaves behind.

The joiners U+200C and U+200D stay: Persian and emoji are written with them.
"""
_CONTROL = re.compile("[\0-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")
_BLANK = re.compile(r"[^\S ]")
_BETWEEN = re.compile(r"[\W_]+")
_LINE_ENDS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")


def clean_line(text: str) -> str:
    """The text in one line: line ends, tabs and wide spaces become spaces."""
    if text.isprintable() and (text.isascii() or unicodedata.is_normalized("NFC", text)):
        return text.strip()
    return _trimmed(_BLANK.sub(" ", _LINE_ENDS.sub(" ", text)))


def clean_lines(text: str) -> str:
    """The text with its line ends as `\\n`, its tabs and its indentation."""
    if text.isprintable() and text.isascii():
        return text.strip()
    return _trimmed(_LINE_ENDS.sub("\n", text))


def has_control(text: str) -> bool:
    """Whether there are characters that no text has, such as NUL."""
    return not text.isprintable() and _CONTROL.search(text) is not None


def words_only(text: str) -> str:
    """The text without case and accents, and with one space for what is between its words: to look up known names."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(each for each in plain if not unicodedata.combining(each))
    return _BETWEEN.sub(" ", plain).strip()


def _trimmed(text: str) -> str:
    return unicodedata.normalize("NFC", _INVISIBLE.sub("", _CONTROL.sub("", text))).strip()
