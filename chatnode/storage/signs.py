"""What those whom somebody has blocked still learn of them: how far they had got by then, and no sign since.

That holds in groups as in the conversation of the two: what is said in a group is said to everybody there, but being
there, typing, receiving and reading are not said to who is blocked. Presence and typing: `presence.py`, `typing.py`.
"""

from __future__ import annotations

from chatnode.model.messages import ReceiptKind
from chatnode.storage.connection import Reader
from chatnode.storage.transaction import Transaction


def hidden_from(reader: Reader | Transaction, person: int) -> frozenset[int]:
    """Keys of those to whom nothing is told of what `person` gets and reads."""
    return frozenset(key for (key,) in reader.execute("SELECT blocked FROM blocks WHERE person = ?", (person,)))


def is_hidden(reader: Reader | Transaction, person: int, other: int, at: int) -> bool:
    """Whether `other` does not learn what `person` got or read at a time, in milliseconds; within one, in doubt."""
    row = reader.execute("SELECT 1 FROM blocks WHERE person = ? AND blocked = ? AND at <= ?", (person, other, at))
    return row.fetchone() is not None


def shown_mark(member: str, kind: ReceiptKind) -> str:
    """SQL: how far `members <member>` has got, as the person `:me` may know it.

    Others do not see what somebody reads who hides it, and who is blocked no more than there was when they were.
    """
    column = "shown_seq" if kind == "read" else "delivered_seq"
    blocked = f"EXISTS (SELECT 1 FROM blocks b WHERE b.person = {member}.person AND b.blocked = :me)"  # noqa: S608
    known = (
        f"(SELECT k.{column} FROM block_marks k WHERE k.person = {member}.person AND k.blocked = :me "  # noqa: S608
        f"AND k.conversation = {member}.conversation)"
    )
    return (
        f"(CASE WHEN {member}.person = :me THEN {member}.{kind}_seq WHEN {blocked} THEN "
        f"min(max(coalesce({known}, 0), {member}.first - 1), {member}.{column}) ELSE {member}.{column} END)"
    )
