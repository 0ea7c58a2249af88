"""Where a page ended: the sort keys of its last row, all of which the reader may know.

A cursor is not signed. Its contents are checked as typed values and compared like a filter's, under the same visibility
condition, so a forged cursor can skip rows but reveals nothing.
"""

from __future__ import annotations

from chatnode.model import cursors
from chatnode.storage.filters.kinds import Value
from chatnode.storage.filters.parse import Key


def write_cursor(place: str, keys: list[Key], values: list[Value | None]) -> str:
    """`place` identifies the list."""
    return cursors.write_cursor(_list_name(place, keys), *values)


def read_cursor(place: str, keys: list[Key], cursor: str) -> list[Value | None]:
    """Raises `Refusal("invalid")` unless it is a cursor of this list in this order."""
    name, *values = cursors.cursor_values(cursor) or (None,)
    if name != _list_name(place, keys) or len(values) != len(keys):
        raise cursors.invalid_cursor()
    for key, value in zip(keys, values, strict=True):
        if not (key.field.kind.is_stored(value) or (value is None and key.field.nullable)):
            raise cursors.invalid_cursor()
    return values


def _list_name(place: str, keys: list[Key]) -> str:
    return f"{place}:{','.join('-' * key.descending + key.field.name for key in keys)}"
