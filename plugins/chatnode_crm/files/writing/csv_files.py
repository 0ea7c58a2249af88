"""CSV (RFC 4180) in UTF-8."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

from chatnode_crm.files.safety import neutralised
from chatnode_crm.files.writing.columns import Column, ColumnKind, Value
from chatnode_crm.files.writing.texts import AS_TEXT

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}


class CsvWriter:
    """Lines end with CR LF. With `bom`, Excel reads the file as UTF-8. No cell is a formula (`files/safety.py`)."""

    def __init__(self, file: BinaryIO, columns: Sequence[Column], *, delimiter: str = ",", bom: bool = False) -> None:
        self._file = file
        self._cells = [_cell_of(column.kind) for column in columns]
        self._text = io.StringIO(newline="")
        self._csv = csv.writer(self._text, delimiter=delimiter)
        self._encoding = "utf-8-sig" if bom else "utf-8"
        self._csv.writerow([neutralised(column.header) for column in columns])
        self._flush()
        self._encoding = "utf-8"

    def write(self, rows: list[tuple[Value, ...]]) -> None:
        cells = self._cells
        self._csv.writerows([[cell(value) for cell, value in zip(cells, row, strict=True)] for row in rows])
        self._flush()

    def finish(self) -> None:
        """Nothing comes after the last row."""

    def _flush(self) -> None:
        self._file.write(self._text.getvalue().encode(self._encoding))
        self._text.seek(0)
        self._text.truncate()


def _cell_of(kind: ColumnKind) -> Callable[[Any], str]:
    as_text = AS_TEXT[kind]
    if kind is ColumnKind.TEXT:
        return lambda value: neutralised(value) if value else ""
    if kind is ColumnKind.NAMES:
        return lambda value: neutralised(as_text(value)) if value else ""
    return lambda value: "" if value is None else as_text(value)
