"""Texts of a workbook, which its cells refer to by number. They are kept on disk."""

from __future__ import annotations

import mmap
import re
import tempfile
from array import array
from collections.abc import Generator
from pathlib import Path
from sys import byteorder
from typing import IO

from chatnode_crm.files.reading.model import ReadLimits, UnreadableFile
from chatnode_crm.files.reading.workbooks.xml import feed, local, make_parser

_ESCAPE = re.compile("_x([0-9A-Fa-f]{4})_")
_SURROGATE = re.compile("[\ud800-\udfff]")
_END_BYTES = 8
_ENDS_AT_ONCE = 8_192


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
        self._texts = _OnDisk(scratch)
        self._ends = _OnDisk(scratch)
        """Where each text ends, as 64-bit numbers: there may be very many short ones."""

    def load(self, pieces: Generator[bytes], limits: ReadLimits) -> None:
        """Store the texts of the document."""
        parser = make_parser()
        parts: list[str] = []
        skip = 0
        size = 0
        written = 0
        ends = array("Q")

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
                self._texts.write(text)
                ends.append(written)
                if len(ends) == _ENDS_AT_ONCE:
                    self._ends.write(ends.tobytes())
                    del ends[:]
                if written + self._ends.size > limits.workbook_strings:
                    raise UnreadableFile(
                        "too_large", f"the workbook has more than {limits.workbook_strings} bytes of text"
                    )
                size = 0

        parser.StartElementHandler = start
        parser.EndElementHandler = end
        for _ in feed(parser, pieces, "the list of texts of the workbook"):
            pass
        self._ends.write(ends.tobytes())
        self._texts.finish()
        self._ends.finish()

    def __getitem__(self, number: int) -> str:
        if not 0 <= number < self._ends.size // _END_BYTES:
            raise IndexError(number)
        begin = self._end(number - 1) if number else 0
        return self._texts[begin : self._end(number)].decode("utf-8")

    def _end(self, number: int) -> int:
        return int.from_bytes(self._ends[number * _END_BYTES : (number + 1) * _END_BYTES], byteorder)

    def close(self) -> None:
        """Remove the texts from the disk."""
        self._texts.close()
        self._ends.close()


class _OnDisk:
    """Bytes in a file without a name, written once and then read anywhere."""

    def __init__(self, scratch: Path | None) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=scratch)  # noqa: SIM115 - closed by `close`
        self._map: mmap.mmap | bytes = b""
        self.size = 0

    def write(self, piece: bytes) -> None:
        self._file.write(piece)
        self.size += len(piece)

    def finish(self) -> None:
        self._file.flush()
        if self.size:
            self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)

    def __getitem__(self, part: slice) -> bytes:
        return self._map[part]

    def close(self) -> None:
        if isinstance(self._map, mmap.mmap):
            self._map.close()
        self._file.close()
