"""Texts of a workbook, which its cells refer to by number. They are kept on disk."""

from __future__ import annotations

import mmap
import re
import tempfile
from array import array
from collections.abc import Generator
from pathlib import Path
from typing import IO

from chatnode_crm.files.reading.model import ReadLimits, UnreadableFile
from chatnode_crm.files.reading.workbooks.xml import feed, local, make_parser

_ESCAPE = re.compile("_x([0-9A-Fa-f]{4})_")
_SURROGATE = re.compile("[\ud800-\udfff]")


def unescaped(text: str) -> str:
    """The text with its `_x000D_` as the characters that they stand for."""
    if "_x" not in text:
        return text
    text = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)
    if _SURROGATE.search(text):
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


class SharedStrings:
    """The shared strings, by number. A text longer than a cell may be is cut to one character more than that."""

    def __init__(self, scratch: Path | None = None) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=scratch)  # noqa: SIM115 - closed by `close`
        self._ends = array("Q")
        self._map: mmap.mmap | bytes = b""

    def load(self, pieces: Generator[bytes], limits: ReadLimits) -> None:
        """Store the texts of the document."""
        parser = make_parser()
        parts: list[str] = []
        skip = 0
        size = 0
        written = 0

        def start(name: str, _: dict[str, str]) -> None:
            nonlocal skip
            name = local(name)
            if name == "si":
                parts.clear()
            elif name == "rPh":
                skip += 1
            elif name == "t" and not skip:
                parser.CharacterDataHandler = add

        def add(text: str) -> None:
            nonlocal size
            size += len(text)
            if size <= limits.cell * 8:
                parts.append(text)

        def end(name: str) -> None:
            nonlocal skip, size, written
            name = local(name)
            if name == "t":
                parser.CharacterDataHandler = None
            elif name == "rPh":
                skip -= 1
            elif name == "si":
                text = unescaped("".join(parts))[: limits.cell + 1].encode("utf-8", "replace")
                written += len(text)
                if written > limits.workbook_strings:
                    raise UnreadableFile(
                        "too_large", f"the workbook has more than {limits.workbook_strings} bytes of text"
                    )
                self._file.write(text)
                self._ends.append(written)
                size = 0

        parser.StartElementHandler = start
        parser.EndElementHandler = end
        for _ in feed(parser, pieces, "the list of texts of the workbook"):
            pass
        self._file.flush()
        self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ) if written else b""

    def __getitem__(self, number: int) -> str:
        if not 0 <= number < len(self._ends):
            raise IndexError(number)
        begin = self._ends[number - 1] if number else 0
        return self._map[begin : self._ends[number]].decode("utf-8")

    def close(self) -> None:
        """Remove the texts from the disk."""
        if isinstance(self._map, mmap.mmap):
            self._map.close()
        self._file.close()
