"""What a blocked user can see of the user who blocked them: the marks as they were then, and nothing since.

This applies in groups as well as in the direct conversation. What a user posts in a group is for all its members; that
they are online, type, receive or read is not shown to users they have blocked. Presence and typing: `presence.py`,
`typing.py`.
"""

from __future__ import annotations

from chatnode.model.messages import ReceiptKind
from chatnode.storage.engine.connection import Querying
from chatnode.storage.engine.dialect import greatest, least


def hidden_from(reader: Querying, person: int) -> frozenset[int]:
    """Keys of the users who are not told what `person` receives and reads."""
    return frozenset(key for (key,) in reader.execute("SELECT blocked FROM blocks WHERE person = ?", (person,)))


def is_hidden(reader: Querying, person: int, other: int, at: int) -> bool:
    """Whether a receipt of `person` from the time `at` (ms) is hidden from `other`; so is one of the block's own ms."""
    row = reader.execute("SELECT 1 FROM blocks WHERE person = ? AND blocked = ? AND at <= ?", (person, other, at))
    return row.fetchone() is not None


def shown_mark(member: str, kind: ReceiptKind) -> str:
    """SQL: the mark of `members <member>`, as the user `:me` may see it.

    Others do not see what a member who hides receipts has read. A user blocked by the member sees the mark as it was
    then, or up to the member's newest post since.
    """
    column = "shown_seq" if kind == "read" else "delivered_seq"
    blocked = f"EXISTS (SELECT 1 FROM blocks b WHERE b.person = {member}.person AND b.blocked = :me)"  # noqa: S608
    known = (
        f"(SELECT k.{column} FROM block_marks k WHERE k.person = {member}.person AND k.blocked = :me "  # noqa: S608
        f"AND k.conversation = {member}.conversation)"
    )
    posted = (  # a user who sees the message knows that its sender had read so far
        f"(SELECT o.seq FROM messages o WHERE o.conversation = {member}.conversation "  # noqa: S608
        f"AND o.sender = {member}.person ORDER BY o.seq DESC LIMIT 1)"
    )
    seen = greatest(f"coalesce({known}, 0)", f"coalesce({posted}, 0)", f"{member}.first - 1")
    return (
        f"(CASE WHEN {member}.person = :me THEN {member}.{kind}_seq WHEN {blocked} THEN "
        f"{least(seen, f'{member}.{column}')} ELSE {member}.{column} END)"
    )
