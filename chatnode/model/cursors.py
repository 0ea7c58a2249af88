"""Cursors: where a page ended, as a text that clients pass back unchanged to get the next page.

A cursor is not signed: what one holds is checked, and used under the same conditions of visibility as the first page.
"""

from __future__ import annotations

import base64
from typing import Annotated, Any, TypeVar, cast

import orjson

from chatnode.errors import Refusal
from chatnode.model.fields import Text

T = TypeVar("T", int, str, int | str)

After = Annotated[str, Text(10_000, 1)]
"""The `next` of the previous page."""


def write_cursor(*values: object) -> str:
    """The `next` of a page: what `read_cursor` gives back for the following page, such as the key of the last row."""
    return base64.urlsafe_b64encode(orjson.dumps(values)).decode().rstrip("=")


def read_cursor(after: str | None, *types: type[T]) -> list[T] | None:
    """The values of a cursor, which have these types; None without a cursor.

    Integers are those that SQLite can store. Raises `Refusal("invalid")` for anything but a cursor of this list.
    """
    if after is None:
        return None
    values = cursor_values(after)
    if len(values) != len(types) or not all(map(_is_a, values, types)):
        raise invalid_cursor()
    return values


def cursor_values(after: str) -> list[Any]:
    """The unchecked values of a cursor. Raises `Refusal("invalid")` if it is not a cursor."""
    try:
        padded = after.encode("ascii") + b"=" * (-len(after) % 4)
        found: object = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except ValueError:
        raise invalid_cursor() from None
    if not isinstance(found, list):
        raise invalid_cursor()
    return cast("list[Any]", found)


def invalid_cursor() -> Refusal:
    """What `read_cursor` raises, for a cursor that turns out not to be of this list."""
    return Refusal("invalid", "after must be the `next` of the previous page, in the same order", path="after")


def _is_a(value: object, kind: type) -> bool:
    return type(value) is kind and (not isinstance(value, int) or -(2**63) <= value < 2**63)
