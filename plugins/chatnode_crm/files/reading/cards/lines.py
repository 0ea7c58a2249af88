"""Logical lines of vCards: what was folded, or broken within quoted-printable, is put together again.

A line is text in which each character is a byte (Latin-1): its value may be in an encoding of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from chatnode.api import record

_QUOTED_PRINTABLE = re.compile(r"[^:]*;(?:ENCODING=)?QUOTED-PRINTABLE[;:]", re.IGNORECASE)
_BINARY = re.compile(r"(?:[\w-]+\.)?(?:PHOTO|LOGO|SOUND|KEY)[;:]|[^:]*;(?:ENCODING=)?(?:B|BASE64)[;:]", re.IGNORECASE)
_HEX = re.compile("[0-9A-Fa-f]{2}")
_BINARY_NAMES = ("PHOTO", "LOGO", "SOUND", "KEY")


@record(frozen=True)
class CardLine:
    """A logical line. `cut`: it was longer than the limit, and only its beginning is there."""

    number: int
    text: str
    cut: bool = False


class CardLines:
    """The logical lines of a text, which comes line by line, long ones in pieces. Of pictures and other binary values
    only the beginning is kept."""

    def __init__(self, pieces: Iterable[str], most: int) -> None:
        self._pieces = pieces
        self._most = most
        self._number = 0
        self._start = 0
        self._parts: list[str] = []
        self._size = 0
        self._cut = False
        self._quoted = False
        self._binary = False

    def __iter__(self) -> Iterator[CardLine]:
        complete = True
        for piece in self._pieces:
            begins = complete
            complete = piece[-1] in "\r\n"
            text = piece.rstrip("\r\n")
            if not begins:
                self._append(text)
                continue
            self._number += 1
            if self._continues(text):
                continue
            if self._parts:
                yield self._taken()
            self._begin(text)
        if self._parts:
            yield self._taken()

    def _begin(self, text: str) -> None:
        self._start = self._number
        self._size = 0
        self._cut = False
        name, _, _ = text.partition(":")
        if ";" in name or name.upper().endswith(_BINARY_NAMES):  # of most lines neither is true
            self._quoted = _QUOTED_PRINTABLE.match(text) is not None
            self._binary = not self._quoted and _BINARY.match(text) is not None
        else:
            self._quoted = self._binary = False
        self._append(text)

    def _continues(self, text: str) -> bool:
        """Whether the line belongs to the one before; if so, it is added."""
        if not self._parts:
            return False
        folded = text[:1] in (" ", "\t")
        if self._quoted and self._parts[-1].endswith("="):
            if folded and _HEX.match(text, 1):
                self._append(text[1:])
            else:
                self._parts[-1] = self._parts[-1][:-1]
                self._append(text[1:] if folded and text[1:2] == "=" else text)
            return True
        if folded:
            self._append(text[1:])
            return True
        return self._binary and text != "" and ":" not in text

    def _append(self, text: str) -> None:
        if self._binary:
            if not self._parts:
                self._parts.append(text[:1_000])
            return
        self._size += len(text)
        if self._size > self._most:
            self._cut = True
        else:
            self._parts.append(text)

    def _taken(self) -> CardLine:
        line = CardLine(self._start, "".join(self._parts), self._cut)
        self._parts = []
        return line
