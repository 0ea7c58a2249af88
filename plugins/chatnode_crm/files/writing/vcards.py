"""vCards 3.0 (RFC 2426) and 4.0 (RFC 6350), one after the other.

What vCard has no property for is in `X-CHATNODE` lines, with the column's name as the parameter `X-NAME`. A card needs
a formatted name. Where the contact has no name, it is made of something else and marked as `DERIVED` (RFC 9554), so
that reading the card back gives no name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import BinaryIO, Literal
from uuid import UUID

from chatnode_crm.files.cards import PRODUCT
from chatnode_crm.files.writing.columns import Column, ColumnKind, Value
from chatnode_crm.files.writing.texts import AS_TEXT

LINE_BYTES = 75
"""A longer line is folded."""
_ESCAPED = {"\\": "\\\\", ",": "\\,", ";": "\\;", "\n": "\\n", "\r": "\\n", "\r\n": "\\n"}
_TO_ESCAPE = re.compile(r"\r\n|[\\,;\n\r]")
_IN_PARAMETERS = {"^": "^^", '"': "^'", "\n": "^n"}
"""How a parameter has what it cannot have (RFC 6868)."""
_PROPERTIES = frozenset(
    (
        "id",
        "email",
        "first_name",
        "last_name",
        "company",
        "phone",
        "country",
        "city",
        "description",
        "tags",
        "updated_at",
    )
)
_Row = Mapping[str, Value]


class VCardWriter:
    """Writes the columns that have values."""

    def __init__(self, file: BinaryIO, columns: Sequence[Column], *, version: Literal["3.0", "4.0"] = "3.0") -> None:
        self._file = file
        self._names = [column.name for column in columns]
        self._others = [(column.name, _other_line(column)) for column in columns if column.name not in _PROPERTIES]
        self._version = version

    def write(self, rows: list[tuple[Value, ...]]) -> None:
        lines: list[str] = []
        for row in rows:
            lines += self._card(dict(zip(self._names, row, strict=True)))
        self._file.write(b"".join([_folded(line) for line in lines]))

    def finish(self) -> None:
        """Nothing comes after the last card."""

    def _card(self, row: _Row) -> Iterable[str]:
        yield "BEGIN:VCARD"
        yield f"VERSION:{self._version}"
        yield f"PRODID:{PRODUCT}"
        yield from self._names_of(row)
        yield from _plain_lines(row)
        yield from self._identity(row)
        for name, line in self._others:
            value = row[name]
            if value is not None and value != ():
                yield line(value)
        yield "END:VCARD"

    def _names_of(self, row: _Row) -> Iterable[str]:
        first, last = _text(row, "first_name"), _text(row, "last_name")
        if first or last:
            yield f"FN:{_escaped(' '.join(filter(None, (first, last))))}"
        else:
            derived = "DERIVED" if self._version == "4.0" else "X-DERIVED"
            instead = next(filter(None, (_text(row, each) for each in ("company", "email", "phone", "id"))), "?")
            yield f"FN;{derived}=TRUE:{_escaped(instead)}"
        yield f"N:{_escaped(last)};{_escaped(first)};;;"

    def _identity(self, row: _Row) -> Iterable[str]:
        is_4 = self._version == "4.0"
        if id := _text(row, "id"):
            yield f"UID:urn:uuid:{UUID(id)}" if is_4 else f"UID:{id}"
        if (changed := row.get("updated_at")) is not None:
            at = f"{AS_TEXT[ColumnKind.TIME](changed).replace(' ', 'T')}Z"
            yield f"REV:{at.replace('-', '').replace(':', '')}" if is_4 else f"REV:{at}"


def _plain_lines(row: _Row) -> Iterable[str]:
    if email := _text(row, "email"):
        yield f"EMAIL:{_escaped(email)}"
    if phone := _text(row, "phone"):
        yield f"TEL:{_escaped(phone)}"
    if company := _text(row, "company"):
        yield f"ORG:{_escaped(company)}"
    city, country = _text(row, "city"), _text(row, "country")
    if city or country:
        yield f"ADR:;;;{_escaped(city)};;;{_escaped(country)}"
    if description := _text(row, "description"):
        yield f"NOTE:{_escaped(description)}"
    tags = row.get("tags")
    if isinstance(tags, tuple) and tags:
        yield f"CATEGORIES:{','.join([_escaped(tag) for tag in tags])}"


def _text(row: _Row, name: str) -> str:
    value = row.get(name)
    return value if isinstance(value, str) else ""


def _other_line(column: Column) -> Callable[[Value], str]:
    parameter = re.sub(r'[\^"\n]', lambda found: _IN_PARAMETERS[found[0]], column.name)
    begins = f'X-CHATNODE;X-NAME="{parameter}":'
    if column.kind is ColumnKind.NAMES:
        return lambda names: (
            begins + ",".join([_escaped(name) for name in names]) if isinstance(names, tuple) else begins
        )
    as_text = AS_TEXT[column.kind]
    return lambda value: begins + _escaped(as_text(value))


def _escaped(text: str) -> str:
    return _TO_ESCAPE.sub(lambda found: _ESCAPED[found[0]], text)


def _folded(line: str) -> bytes:
    """The line in pieces of at most 75 bytes, with no character in two pieces."""
    data = line.encode()
    if len(data) <= LINE_BYTES:
        return data + b"\r\n"
    pieces: list[bytes] = []
    start, room = 0, LINE_BYTES
    while len(data) - start > room:
        stop = start + room
        while data[stop] & 0xC0 == 0x80:
            stop -= 1
        pieces.append(data[start:stop])
        start, room = stop, LINE_BYTES - 1  # a piece after the first begins with a space
    pieces.append(data[start:])
    return b"\r\n ".join(pieces) + b"\r\n"
