"""The order of time: the times of a conversation's messages rise with seq, except for those that are marked.

`messages.late` is NULL for a message in order, that is, no earlier than any message in order before it. Only messages
out of order are in the index by time. For them, `late` is the number of such messages in a row up to and including this
one, so that a reader can skip a long row.
"""

from __future__ import annotations

from chatnode.model.records import record
from chatnode.storage.engine.transaction import Transaction

AHEAD_MS = 60_000
"""How far the clock may be behind the newest time in order before new messages count as out of order."""


def next_at(tx: Transaction, conversation: int, head: int, ordered_at: int) -> tuple[int, int | None]:
    """The time of a message that is posted now, after the one at `head`, and its `late`.

    While the clock is up to a minute behind the newest time in order (`conversations.ordered_at`), the message gets
    that time and is in order. If the clock is further behind, the message gets its true time and is out of order: so
    one message that was posted with a wrong clock does not falsify the times of others.
    """
    if tx.now >= ordered_at:
        return tx.now, None
    if ordered_at - tx.now <= AHEAD_MS:
        return ordered_at, None
    return tx.now, _late_at(tx, conversation, head) + 1


@record
class End:
    """The end of a conversation, for appending several messages that bring their own times."""

    ordered_at: int
    late: int
    """How many messages out of order it ends with."""

    def append(self, at: int, now: int) -> int | None:
        """The `late` of the next message. A message that is ahead of the clock is out of order too."""
        if self.ordered_at <= at <= now + AHEAD_MS:
            self.ordered_at, self.late = at, 0
            return None
        self.late += 1
        return self.late


def end_of(tx: Transaction, conversation: int, head: int) -> End:
    """The end after the message at `head`."""
    row = tx.execute("SELECT ordered_at FROM conversations WHERE key = ?", (conversation,)).fetchone()
    return End(row[0], _late_at(tx, conversation, head))


def _late_at(tx: Transaction, conversation: int, seq: int) -> int:
    row = tx.execute("SELECT late FROM messages WHERE conversation = ? AND seq = ?", (conversation, seq)).fetchone()
    return (row[0] or 0) if row is not None else 0
