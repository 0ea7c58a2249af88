"""Short ways to write a file and to read it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from chatnode_crm.files.reading import FileTable, RawRow, ReadLimits, ReadOptions, UnreadableFile, open_table


@attrs.frozen
class Read:
    """All of a file."""

    table: FileTable
    rows: list[RawRow]

    @property
    def columns(self) -> list[str]:
        return list(self.table.columns)

    @property
    def values(self) -> list[list[str]]:
        return [row.values for row in self.rows]

    @property
    def codes(self) -> list[tuple[int, str]]:
        return [(row.number, fault.code) for row in self.rows for fault in row.faults]


def read(
    directory: Path, content: bytes | Callable[[Path], object], limits: ReadLimits | None = None, **options: object
) -> Read:
    """Read a file with this content, or that a function writes. Nothing stays on disk but the file."""
    path = directory / "file"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        content(path)
    scratch = directory / "scratch"
    scratch.mkdir(exist_ok=True)
    try:
        with open_table(path, ReadOptions(**options), limits, scratch) as table:  # type: ignore[arg-type]
            rows = list(table.rows())
            assert list(table.rows(after=1)) == rows[1:]
    finally:
        assert list(scratch.iterdir()) == []
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    assert all(len(row.values) == len(table.columns) for row in rows)
    assert [row.line for row in rows] == sorted(row.line for row in rows)
    return Read(table, rows)


def refused(
    directory: Path, content: bytes | Callable[[Path], object], limits: ReadLimits | None = None, **options: object
) -> UnreadableFile:
    """Read a file that cannot be read, and return the error."""
    with pytest.raises(UnreadableFile) as caught:
        read(directory, content, limits, **options)
    return caught.value
