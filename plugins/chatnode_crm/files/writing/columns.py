"""What a file has of each contact."""

from __future__ import annotations

from enum import Enum
from typing import Protocol, TypeAlias

from chatnode.api import record

Value: TypeAlias = "str | int | float | bool | tuple[str, ...] | None"
"""What a row has for a column, by the column's kind; None for nothing."""


class ColumnKind(Enum):
    """Which values a column has: text, names (a tuple of texts), a number, true or false (or 1 and 0), a time
    (milliseconds since 1970) or a day (the time when it begins in UTC)."""

    TEXT = "text"
    NAMES = "names"
    NUMBER = "number"
    FLAG = "flag"
    TIME = "time"
    DAY = "day"


@record(frozen=True)
class Column:
    """`name` is for programs, such as `first_name` or `custom.birthday`; `header` is for people."""

    name: str
    header: str
    kind: ColumnKind = ColumnKind.TEXT


class ContactWriter(Protocol):
    """Writes rows to a file that its maker has opened and closes. For any thread, one at a time."""

    def write(self, rows: list[tuple[Value, ...]]) -> None:
        """Write rows whose values are in the order of the columns. Raises `CannotWrite`."""
        ...

    def finish(self) -> None:
        """Write what comes after the last row."""
        ...


class CannotWrite(Exception):
    """The format has no place for a value; the message names the row and the column."""
