"""Times as places in the log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from chatnode.api import Querying, Refusal, log_rows

_MILLISECOND = timedelta(milliseconds=1)
_END = 2**62


def ms_of(text: str, path: str) -> int:
    """A time in milliseconds. Raises `Refusal("invalid")` for a day or an hour that does not exist."""
    try:
        at = datetime.fromisoformat(text.upper())
    except ValueError:
        raise Refusal("invalid", f"is {text}, which is not a valid time", path=path) from None
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // _MILLISECOND


def gid_before(reader: Querying, at: int) -> int:
    """The gid of the last row of the log that was written before a time; 0 if there is none.

    Rows are in the order of their times, unless the clock was set back.
    """
    low, high = 0, log_rows(reader, _END, None, 1).head
    while low < high:  # rows up to `low` are before it, those above `high` are not
        middle = (low + high) // 2
        rows = log_rows(reader, middle, None, 1).rows
        if rows and rows[0].gid <= high and rows[0].at < at:
            low = rows[0].gid
        else:
            high = middle
    return low
