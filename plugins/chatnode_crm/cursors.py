"""The `after` and `next` of pages: what the next page begins after, as a text that clients pass back as it is."""

from __future__ import annotations

import base64
from typing import Annotated, cast

import orjson

from chatnode.api import Refusal, Text

After = Annotated[str, Text(2_000, 1)]
"""The `next` of the previous page."""


def write_cursor(*values: int | str) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(values)).decode().rstrip("=")


def read_numbers(after: str | None, count: int) -> list[int] | None:
    """The numbers of a cursor; None without a cursor. Raises `Refusal("invalid")` for another cursor."""
    if after is None:
        return None
    found = [each for each in _read(after) if isinstance(each, int) and abs(each) < 2**63]
    if len(found) != count:
        raise _no_cursor()
    return found


def read_text(after: str | None) -> str | None:
    """The text of a cursor; None without a cursor. Raises `Refusal("invalid")` for another cursor."""
    if after is None:
        return None
    match _read(after):
        case [str(text)]:
            return text
        case _:
            raise _no_cursor()


def _read(after: str) -> list[object]:
    try:
        padded = after.encode("ascii") + b"=" * (-len(after) % 4)
        found: object = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except ValueError:
        raise _no_cursor() from None
    if not isinstance(found, list):
        raise _no_cursor()
    return cast("list[object]", found)


def _no_cursor() -> Refusal:
    return Refusal("invalid", "after must be the `next` of the previous page, with the same fields", path="after")
