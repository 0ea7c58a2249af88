"""Reads contacts as rows of a file, a page at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from chatnode.api import Asker, Querying, Reader, json_array
from chatnode_crm.contacts.custom import read_custom
from chatnode_crm.contacts.finding import keys_by_id
from chatnode_crm.exports.columns import ChosenColumn
from chatnode_crm.files.writing.columns import Value
from chatnode_crm.segments.matching import matching_sql
from chatnode_crm.segments.selection import Selection, as_filter

_GROUPS = {
    "tags": (
        "SELECT key, name FROM crm_tags ORDER BY name_key",
        "SELECT contact, tag FROM crm_taggings WHERE contact IN (SELECT value FROM json_each(?))",
    ),
    "lists": (
        "SELECT key, name FROM crm_lists WHERE kind != 'dynamic' ORDER BY name_key",
        "SELECT contact, list FROM crm_members WHERE contact IN (SELECT value FROM json_each(?))",
    ),
}
"""The names of tags and of lists, and who has them. The filter of a dynamic list says who is on it, not an import."""


def keys_of(reader: Reader, asker: Asker, selection: Selection) -> Iterator[int]:
    """The keys of the contacts, in ascending order. One statement finds them, which is read on as keys are taken: a
    statement for each page would look for the members of a list each time."""
    if selection.ids is not None:
        yield from sorted(set(keys_by_id(reader, selection.ids).values()))
        return
    found = matching_sql(reader, asker, as_filter(selection))
    for (key,) in reader.execute(f"{found.sql} ORDER BY item.key", found.values):
        yield key


class RowSource:
    """For one snapshot, as it remembers the names of tags and lists."""

    def __init__(self, reader: Querying, columns: Sequence[ChosenColumn]) -> None:
        plain = [each.column.name for each in columns if each.field is None and each.column.name not in _GROUPS]
        self._sql = (
            f"SELECT key, custom, {', '.join(plain) or 'id'} FROM crm_contacts "  # noqa: S608 -- names of columns
            "WHERE key IN (SELECT value FROM json_each(?)) ORDER BY key"
        )
        self._places = {name: place for place, name in enumerate(plain, 2)}
        self._columns = columns
        self._is_plain = len(plain) == len(columns)
        self._has_custom = any(each.field is not None for each in columns)
        wanted = {each.column.name for each in columns}
        self._names: dict[str, dict[int, str]] = {
            name: dict(reader.execute(names).fetchall()) for name, (names, _) in _GROUPS.items() if name in wanted
        }
        self._ranks = {name: {key: rank for rank, key in enumerate(names)} for name, names in self._names.items()}

    def read(self, reader: Querying, keys: Sequence[int]) -> tuple[list[int], list[tuple[Value, ...]]]:
        """The keys of those contacts that exist, in ascending order, and their rows, in the order of the columns."""
        asked = json_array(keys)
        found = reader.execute(self._sql, (asked,)).fetchall()
        present = [row[0] for row in found]
        if self._is_plain:
            return present, [row[2:] for row in found]
        custom: list[dict[str, Any]] = [read_custom(row[1]) for row in found] if self._has_custom else []
        cells = [self._cells(reader, each, asked, found, custom) for each in self._columns]
        return present, list(zip(*cells, strict=True))

    def _cells(
        self,
        reader: Querying,
        column: ChosenColumn,
        asked: str,
        found: list[tuple[Any, ...]],
        custom: list[dict[str, Any]],
    ) -> list[Value]:
        """The values of a column."""
        if column.field is not None:
            return [each.get(column.field) for each in custom]
        if column.column.name in self._names:
            names = self._names_of(reader, column.column.name, asked)
            return [names(row[0]) for row in found]
        place = self._places[column.column.name]
        return [row[place] for row in found]

    def _names_of(self, reader: Querying, group: str, asked: str) -> Callable[[int], tuple[str, ...]]:
        """The names of a contact's tags or lists, in their order."""
        names, ranks = self._names[group], self._ranks[group]
        pairs = reader.execute(_GROUPS[group][1], (asked,))
        of_contact: dict[int, list[int]] = defaultdict(list)
        for contact, key in pairs.fetchall():
            if key in names:  # else it was deleted
                of_contact[contact].append(key)
        for keys in of_contact.values():
            keys.sort(key=ranks.__getitem__)
        return lambda contact: tuple([names[key] for key in of_contact.get(contact, ())])
