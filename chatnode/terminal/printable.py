"""Other people's words, made safe to print: nothing in them may steer the terminal."""

from __future__ import annotations

import re

_UNSAFE = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f"  # control characters: escape sequences begin with one of them
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # turn the direction of writing, and so what is read
    "\u2028\u2029\ud800-\udfff\ufff9-\ufffb]"  # line breaks of their own kind, halves of characters, annotations
)


def printable(text: str) -> str:
    """`text` with every character shown that would otherwise do something; line feeds stay.

    A tab becomes spaces, other controls their picture (`␛`), the rest `�`.
    """
    return _UNSAFE.sub(_shown, text.replace("\r\n", "\n"))


def one_line(text: str, most: int) -> str:
    """`printable` text on one line of at most `most` characters and columns."""
    line = " ".join(printable(text).split())
    if max(len(line), columns(line)) <= most:
        return line
    line = line[: max(0, most - 1)]
    while columns(line) > max(0, most - 1):
        line = line[:-1]
    return line.rstrip() + "…"


def columns(text: str) -> int:
    """How wide a terminal shows a line: two columns for each 日 and 👍, none for a combining accent."""
    if text.isascii():
        return len(text)
    from prompt_toolkit.utils import get_cwidth  # slow to import, and not needed by every command

    return get_cwidth(text)


def padded(text: str, width: int) -> str:
    """A line with spaces after it, up to `width` columns."""
    return text + " " * (width - columns(text))


def _shown(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code == 0x09:
        return "    "
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else "�"
