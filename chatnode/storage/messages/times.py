"""The order of time: the times of a conversation's messages rise with seq, but for those that are marked.

`messages.late` is NULL for a message in order: no earlier than any message in order before it. Of those out of order,
which alone are in the index by time, it counts how many such messages in a row end with this one, so that a reader can
step over a long row.
"""

from __future__ import annotations

import attrs

from chatnode.storage.engine.transaction import Transaction

AHEAD_MS = 60_000
"""How far a clock that was set back is behind before its times count as out of order."""


def next_at(tx: Transaction, conversation: int, head: int, ordered_at: int) -> tuple[int, int | None]:
    """The time of a message that is posted now, after the one at `head`, and its `late`.

    While the clock is up to a minute behind the newest time in order (`conversations.ordered_at`), that is given out
    again, and the message is in order. Further behind, the message has its true time and is out of order: one that was
    posted under a wrong clock makes no others' times wrong.
    """
    if tx.now >= ordered_at:
        return tx.now, None
    if ordered_at - tx.now <= AHEAD_MS:
        return ordered_at, None
    return tx.now, _late_at(tx, conversation, head) + 1


@attrs.define
class End:
    """Where a conversation's messages end, for several that are appended with their own times."""

    ordered_at: int
    late: int
    """How many messages out of order it ends with."""

    def append(self, at: int, now: int) -> int | None:
        """`late` of the next message. One that is ahead of the clock is out of order too."""
        if self.ordered_at <= at <= now + AHEAD_MS:
            self.ordered_at, self.late = at, 0
            return None
        self.late += 1
        return self.late


def end_of(tx: Transaction, conversation: int, head: int) -> End:
    """After the message at `head`."""
    row = tx.execute("SELECT ordered_at FROM conversations WHERE key = ?", (conversation,)).fetchone()
    return End(row[0], _late_at(tx, conversation, head))


def _late_at(tx: Transaction, conversation: int, seq: int) -> int:
    row = tx.execute("SELECT late FROM messages WHERE conversation = ? AND seq = ?", (conversation, seq)).fetchone()
    return (row[0] or 0) if row is not None else 0
