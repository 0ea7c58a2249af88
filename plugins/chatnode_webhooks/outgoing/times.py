"""Times as places in the log."""

from __future__ import annotations

from chatnode.api import Querying, log_rows

_END = 2**62


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
