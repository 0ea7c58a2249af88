"""Where a page ended: the sort keys of its last row, all of which the reader may know.

A cursor is not signed. Its contents are checked as typed values and compared like a filter's, under the same visibility
condition, so a forged cursor can skip rows but reveals nothing.
"""

from __future__ import annotations

import base64
from typing import Any

import orjson

from chatnode.errors import Refusal
from chatnode.storage.filters.kinds import Value
from chatnode.storage.filters.parse import Key


def write_cursor(place: str, keys: list[Key], values: list[Value | None]) -> str:
    """`place` identifies the list."""
    text = orjson.dumps([_list_name(place, keys), *values])
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def read_cursor(place: str, keys: list[Key], cursor: str) -> list[Value | None]:
    """Raises `Refusal("invalid")` unless it is a cursor of this list in this order."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        found: Any = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except ValueError:
        raise _refuse() from None
    if not isinstance(found, list):
        raise _refuse()
    name, *values = (*found,) or (None,)  # pyright: ignore[reportUnknownVariableType]
    if name != _list_name(place, keys) or len(values) != len(keys):  # pyright: ignore[reportUnknownArgumentType]
        raise _refuse()
    for key, value in zip(keys, values, strict=True):  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        if not (key.field.kind.is_stored(value) or (value is None and key.field.nullable)):
            raise _refuse()
    return values  # pyright: ignore[reportUnknownVariableType]


def _list_name(place: str, keys: list[Key]) -> str:
    return f"{place}:{','.join('-' * key.descending + key.field.name for key in keys)}"


def _refuse() -> Refusal:
    return Refusal("invalid", "after must be the `next` of the previous page, with the same sort", path="after")
