"""Contacts to write, and writers that write into memory."""

from __future__ import annotations

import io
from typing import Any

from chatnode_crm.files.writing.columns import Column, ColumnKind, Value
from chatnode_crm.files.writing.formats import FORMATS, FileOptions, FormatName

COLUMNS = (
    Column("email", "Email"),
    Column("first_name", "First Name"),
    Column("last_name", "Last Name"),
    Column("company", "Company"),
    Column("phone", "Phone"),
    Column("country", "Country"),
    Column("city", "City"),
    Column("description", "Description"),
    Column("tags", "Tags", ColumnKind.NAMES),
    Column("id", "ID"),
    Column("updated_at", "Updated At", ColumnKind.TIME),
    Column("custom.visits", "Visits", ColumnKind.NUMBER),
    Column("custom.vip", "VIP", ColumnKind.FLAG),
    Column('custom.size (")', "Size", ColumnKind.TEXT),
    Column("custom.born", "Born", ColumnKind.DAY),
)
AT = 1_795_256_226_042
"""2026-11-21 10:17:06.042."""
DAY = 1_795_219_200_000
"""2026-11-21."""


def row(**values: Any) -> tuple[Value, ...]:
    """A contact with these values; a dot in a column's name is two underscores here."""
    known = {name.replace("__", "."): value for name, value in values.items()}
    return tuple(known.pop(column.name, None) for column in COLUMNS) + tuple(known)


def written(
    format: FormatName,
    *rows: tuple[Value, ...],
    columns: tuple[Column, ...] = COLUMNS,
    options: FileOptions | None = None,
    slice: int = 2,
) -> bytes:
    """The file, written in slices."""
    file = io.BytesIO()
    writer = FORMATS[format].open(file, columns, options or FileOptions())
    for start in range(0, len(rows), slice):
        writer.write(list(rows[start : start + slice]))
    writer.finish()
    return file.getvalue()
