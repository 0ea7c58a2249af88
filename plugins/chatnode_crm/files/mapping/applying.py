"""Rows of a file become values of contacts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import itemgetter
from typing import NamedTuple
from unicodedata import is_normalized, normalize
from urllib.parse import unquote

from chatnode_crm.contacts.values.checking import FieldFault
from chatnode_crm.contacts.values.emails import NotAnEmail, normalize_email
from chatnode_crm.contacts.values.names import split_name
from chatnode_crm.files.headers import FULL_NAME, IGNORE, LISTS, TAGS
from chatnode_crm.files.mapping.model import BadMapping, ColumnMapping
from chatnode_crm.files.names import plain_name, split_names
from chatnode_crm.files.reading.model import RawRow, RowFault

_SEPARATORS = (":::", ";", "|", ",")
_SEVERAL_VALUES = " ::: "
"""Between the values of one cell, as Google writes them."""
_ADDRESS = re.compile(r'[^\s,;:<>|"()@]{1,64}@[^\s,;:<>|"()@?]{1,255}')
_AROUND_AT = re.compile(r'([^\s,;:<>|"()@\[\]\\]{1,64})@([\w.-]{1,255})')
_MAY_BEGIN = re.compile(r"[^\w.+'-]|(?<![^\W_])'")
"""What an address may stand behind, though a mailbox could have it in its name: `to=ann@…`, but not `o'brien@…`."""
_ASCII_END, _ASCII_START = re.compile(r"[!-~]*\Z"), re.compile(r"[!-~]*")
_LONGEST = 2_000
"""Longer cells are no addresses."""
_MAY_BE_SEVERAL = ("phone", "city", "country")


class MappedRow(NamedTuple):
    """What a row says. `values` are by field, and by `custom.<key>`; a cell without text is an empty text.

    Faults are those of the row and of cells that are used; `check` finds those of the values.
    """

    values: dict[str, str]
    tags: list[str]
    lists: list[str]
    faults: list[FieldFault]


class RowMapper:
    """Applies a mapping to many rows."""

    def __init__(self, mapping: ColumnMapping, columns: Sequence[str]) -> None:
        if len(mapping.columns) != len(columns):
            raise BadMapping("columns", f"{len(mapping.columns)} targets, but the file has {len(columns)} columns")
        self._targets = mapping.columns
        several = (TAGS, LISTS, FULL_NAME, IGNORE)
        plain = [at for at, target in enumerate(mapping.columns) if target not in several]
        self._fields = [mapping.columns[at] for at in plain]
        self._cells: Callable[[Sequence[str]], tuple[str, ...]] = itemgetter(*plain, *plain[:1]) if plain else _nothing
        self._tags = [at for at, target in enumerate(mapping.columns) if target == TAGS]
        self._lists = [at for at, target in enumerate(mapping.columns) if target == LISTS]
        self._full = mapping.columns.index(FULL_NAME) if FULL_NAME in mapping.columns else None
        self._separator = mapping.separator
        constants = {target: text for target, text in mapping.constants.items() if target not in (TAGS, LISTS)}
        if FULL_NAME in constants:
            constants["first_name"], constants["last_name"] = map(_or_empty, split_name(constants.pop(FULL_NAME)))
        self._constants = constants
        self._constant_tags = split_cell(mapping.constants.get(TAGS, ""), self._separator)
        self._constant_lists = split_cell(mapping.constants.get(LISTS, ""), self._separator)

    def map(self, row: RawRow) -> MappedRow:
        """The values of a row."""
        cells = row.values
        values = dict(zip(self._fields, self._cells(cells), strict=False))
        faults = [self._fault(fault) for fault in row.faults if self._is_used(fault.column)] if row.faults else []
        if self._full is not None:
            self._split_name(cells[self._full], values)
        for target, text in self._constants.items():
            if not values.get(target, "").strip():
                values[target] = text
        if text := values.get("email"):
            values["email"] = first_address(text)
        for target in _MAY_BE_SEVERAL:
            if _SEVERAL_VALUES in (text := values.get(target, "")):
                values[target] = next((each for each in text.split(_SEVERAL_VALUES) if each.strip()), "")
        tags = self._items(cells, self._tags, self._constant_tags) if self._tags else [*self._constant_tags]
        lists = self._items(cells, self._lists, self._constant_lists) if self._lists else [*self._constant_lists]
        return MappedRow(values, tags, lists, faults)

    def _is_used(self, column: int | None) -> bool:
        return column is None or column >= len(self._targets) or self._targets[column] != IGNORE

    def _fault(self, fault: RowFault) -> FieldFault:
        """The same fault, of the field that the column is."""
        if fault.column is None or fault.column >= len(self._targets):
            return FieldFault("row", fault.code, fault.message, fault.warning)
        return FieldFault(self._targets[fault.column], fault.code, fault.message, fault.warning)

    def _split_name(self, text: str, values: dict[str, str]) -> None:
        for field, name in zip(("first_name", "last_name"), split_name(text), strict=True):
            if name is not None and not values.get(field, "").strip():
                values[field] = name
            else:
                values.setdefault(field, "")

    def _items(self, cells: Sequence[str], columns: Iterable[int], constants: Sequence[str]) -> list[str]:
        found = [item for at in columns if cells[at] for item in split_cell(cells[at], self._separator)]
        return list(dict.fromkeys((*found, *constants)))


def apply(mapping: ColumnMapping, row: RawRow) -> MappedRow:
    """The values of one row; for many, make a `RowMapper`."""
    return RowMapper(mapping, row.values).map(row)


def preview(mapping: ColumnMapping, columns: Sequence[str], rows: Iterable[RawRow]) -> list[MappedRow]:
    """The values of some rows."""
    mapper = RowMapper(mapping, columns)
    return [mapper.map(row) for row in rows]


def addresses_in(text: str) -> list[str]:
    """What may be email addresses in a text, each in all the ways in which it may be delimited: quoted, in brackets, in
    a link, or between letters of another script."""
    if "%40" in text:
        text = f"{text}\n{unquote(text)}"
    if not is_normalized("NFC", text):  # an accent of its own would end the domain
        text = f"{text}\n{normalize('NFC', text)}"
    found = (
        f"{mailbox}@{domain}"
        for before, after in _AROUND_AT.findall(text)
        for domain in _domains(after)
        for mailbox in _mailboxes(before)
    )
    return list(dict.fromkeys(found))


def _mailboxes(before: str) -> Iterator[str]:
    ways = [before, *(before[found.end() :] for found in _MAY_BEGIN.finditer(before))]
    if not before.isascii():
        ways += _ASCII_END.findall(before)
    for way in ways:
        yield from filter(None, (way, way.lstrip("._+-'")))


def _domains(after: str) -> Iterator[str]:
    yield after.rstrip("._-")
    if not after.isascii() and (start := _ASCII_START.match(after)) and start[0]:
        yield start[0].rstrip("._-")


def first_address(text: str) -> str:
    """The first of several email addresses in a cell; or the text as it is."""
    if (text.count("@") < 2 and "mailto:" not in text.lower()) or len(text) > _LONGEST:
        return text
    try:
        normalize_email(text.strip())
        return text
    except NotAnEmail:
        found = _ADDRESS.search(text)
        return found[0] if found is not None else text


def split_cell(text: str, separator: str | None) -> list[str]:
    """The names in a cell. Without a separator it is the first of the usual ones that is in the text."""
    if not text:
        return []
    if separator is None:
        outside = re.sub('"[^"]*"', "", text)
        separator = next((each for each in _SEPARATORS if each in outside), ";")
    names = split_names(text, separator) if len(separator) == 1 else map(plain_name, text.split(separator))
    return list(dict.fromkeys(name for name in names if name))


def _nothing(_: Sequence[str]) -> tuple[str, ...]:
    return ()


def _or_empty(text: str | None) -> str:
    return text or ""
