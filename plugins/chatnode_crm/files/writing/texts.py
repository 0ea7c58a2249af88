"""Values as text."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from chatnode_crm.files.names import join_names
from chatnode_crm.files.writing.columns import ColumnKind

_EPOCH = datetime(1970, 1, 1)  # without a time zone, which the text would name


def as_time(ms: int) -> str:
    """A time in UTC, to the second: `2026-11-21 10:17:06`."""
    return (_EPOCH + timedelta(seconds=ms // 1000)).isoformat(" ")


def as_day(ms: int) -> str:
    """A day: `2026-11-21`."""
    return as_time(ms)[:10]


def as_number(value: float) -> str:
    """Without an exponent, and exactly: reading it gives the same number."""
    return format(Decimal(repr(value)), "f")


def as_flag(value: int) -> str:
    return "true" if value else "false"


AS_TEXT: dict[ColumnKind, Callable[[Any], str]] = {
    ColumnKind.TEXT: str,
    ColumnKind.NAMES: join_names,
    ColumnKind.NUMBER: as_number,
    ColumnKind.FLAG: as_flag,
    ColumnKind.TIME: as_time,
    ColumnKind.DAY: as_day,
}
