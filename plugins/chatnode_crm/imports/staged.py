"""The rows of an import as they were parsed: a line of JSON for each, and an index of where it begins. It all blocks.

A row is found by its number, the first being 1, and pages of rows with a verdict without reading the others. Files cost
a tenth of what a table would, and nothing of the writer's time (docs/adr/0037-imports.md).
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Self

import attrs
import orjson

from chatnode.api import record
from chatnode_crm.contacts.values import FieldFault
from chatnode_crm.imports.deciding import OPTED_OUT

READY, INVALID, DUPLICATE, REMOVED = "r", "i", "d", "x"
"""What is known of a row without asking the tables: that it may be applied, or why not; or that it was erased. In the
index a letter is a capital if another row says of the same contact that it opted out."""
_HEIR = "h"
"""Files that were staged before rows without a name were valid: a duplicate of such a row."""
_ENTRY = 9  # bytes of an entry of the index: where the line begins, and the row's letter
_BLOCK = 1 << 18


@record
class StagedRow:
    """A row of the file. `line` is the physical line it begins at, `raw` its cells, of which there may be more than
    columns, `values` what they were read as."""

    line: int
    raw: list[str]
    values: dict[str, Any]
    tags: list[str] | None = None
    faults: list[FieldFault] = attrs.field(factory=list[FieldFault])
    letter: str = READY
    number: int = 0
    lists: list[str] | None = None
    more: dict[str, Any] = attrs.field(factory=dict[str, Any])
    """What other plugins know of the contact; it fills empty fields."""

    def as_json(self) -> bytes:
        faults = [(fault.field, fault.code, fault.message, fault.warning) for fault in self.faults]
        stored = (self.line, self.raw, self.values, self.tags, faults, self.lists, self.more)
        try:
            return orjson.dumps(stored)
        except orjson.JSONEncodeError:  # bytes that are in no encoding
            raw = [cell.encode("utf-8", "replace").decode() for cell in self.raw]
            return orjson.dumps((self.line, raw, *stored[2:]))

    @classmethod
    def of_json(cls, line: bytes, number: int, letter: str) -> Self:
        at, raw, values, tags, faults, lists, more = orjson.loads(line)
        found = [FieldFault(*fault) for fault in faults] if faults else []
        if letter.isupper():
            values[OPTED_OUT] = True
        return cls(at, raw, values, tags, found, letter.lower(), number, lists, more)


class StagedWriter:
    """Writes the rows of a file; what a kill leaves is written from the start again."""

    def __init__(self, rows: Path, index: Path) -> None:
        self._rows = _create(rows)
        self._index = _create(index)
        self._lines: list[bytes] = []
        self._entries = bytearray()
        self._waiting = 0
        self._end = 0
        self.count = 0

    def add(self, row: StagedRow) -> None:
        self.add_line(row.as_json(), row.letter)

    def add_line(self, line: bytes, letter: str) -> None:
        self._entries += self._end.to_bytes(8, "little") + letter.encode()
        self._lines.append(line)
        size = len(line) + 1
        self._end += size
        self._waiting += size
        self.count += 1
        if self._waiting >= _BLOCK:
            self._flush()

    def finish(self, opted_out: Iterable[int] = ()) -> None:
        """Put everything on disk; `opted_out` are the numbers of rows of whose contacts others say that."""
        self._flush()
        for number in opted_out:
            self._capitalise(number)
        for file in (self._rows, self._index):
            file.flush()
            os.fsync(file.fileno())
        self.close()

    def close(self) -> None:
        self._rows.close()
        self._index.close()

    def _capitalise(self, number: int) -> None:
        place = number * _ENTRY - 1
        letter = os.pread(self._index.fileno(), 1, place)
        os.pwrite(self._index.fileno(), letter.upper(), place)

    def _flush(self) -> None:
        self._lines.append(b"")
        self._rows.write(b"\n".join(self._lines))
        self._index.write(self._entries)
        self._lines, self._entries, self._waiting = [], bytearray(), 0


def _create(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb", 0)


class StagedRows:
    """Reads the rows of an import. The index is in memory while it is open: nine bytes for each row."""

    def __init__(self, rows: Path, index: Path) -> None:
        self._index = index.read_bytes()
        self._rows = rows.open("rb")
        self.capitals = self._index[8::_ENTRY].decode().replace(_HEIR, DUPLICATE)
        """The letters as the index has them."""
        self.letters = self.capitals.lower()

    def __len__(self) -> int:
        return len(self.letters)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._rows.close()

    def read(self, first: int, count: int) -> list[StagedRow]:
        """Rows from the number `first` on."""
        return [StagedRow.of_json(line, number, self.capitals[number - 1]) for number, line in self.lines(first, count)]

    def lines(self, first: int, count: int) -> Iterator[tuple[int, bytes]]:
        """The lines of rows, with their numbers."""
        if count <= 0 or first > len(self):
            return
        self._rows.seek(self._begin(first))
        for number in range(first, min(first + count, len(self) + 1)):
            yield number, self._rows.readline()

    def pick(self, numbers: Sequence[int]) -> list[StagedRow]:
        """The rows with these numbers."""
        found: list[StagedRow] = []
        for number in numbers:
            self._rows.seek(self._begin(number))
            found.append(StagedRow.of_json(self._rows.readline(), number, self.capitals[number - 1]))
        return found

    def _begin(self, number: int) -> int:
        at = (number - 1) * _ENTRY
        return int.from_bytes(self._index[at : at + 8], "little")


def numbers_with(verdicts: str, wanted: str, after: int, limit: int) -> array[int]:
    """The numbers above `after` of the first rows whose letter is one of `wanted`."""
    found = array("q")
    for at in range(after, len(verdicts)):
        if verdicts[at] in wanted:
            found.append(at + 1)
            if len(found) == limit:
                break
    return found
