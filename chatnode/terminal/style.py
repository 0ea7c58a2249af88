"""Colours and weights, for terminals that take them."""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping

_HANDLE_COLOURS = (36, 32, 35, 34, 33, 96, 92, 95, 94, 91)


class Style:
    """`colour` False gives every text back as it is."""

    def __init__(self, colour: bool) -> None:
        self._colour = colour

    @classmethod
    def of_terminal(cls, environment: Mapping[str, str] = os.environ) -> Style:
        """Colours, unless NO_COLOR is set (no-color.org) or the terminal is dumb."""
        return cls(not environment.get("NO_COLOR") and environment.get("TERM") != "dumb")

    def dim(self, text: str) -> str:
        return self._wrap("2", text)

    def bold(self, text: str) -> str:
        return self._wrap("1", text)

    def error(self, text: str) -> str:
        return self._wrap("31", text)

    def mention(self, text: str) -> str:
        return self._wrap("1;30;43", text)

    def handle(self, handle: str) -> str:
        """In the handle's own colour, the same in every session."""
        colour = _HANDLE_COLOURS[zlib.crc32(handle.encode()) % len(_HANDLE_COLOURS)]
        return self._wrap(f"1;{colour}", handle)

    def _wrap(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour and text else text
