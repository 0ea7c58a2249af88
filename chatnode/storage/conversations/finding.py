"""Finding the one group about an object of the embedding program, or opening it.

Of each context there is one such group of the operator's, and one of each user who asks for one. A user also finds the
operator's, if they take part in it. Groups that were opened otherwise are not found, whatever context they name: any
user may name any, and would otherwise get in between.
"""

from __future__ import annotations

from chatnode.errors import Refusal
from chatnode.model.conversations import ConversationContext
from chatnode.model.people import Account
from chatnode.storage.conversations import opening
from chatnode.storage.engine.connection import Querying
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.people import people

OPERATOR = 0
"""Stands for the key of a user in `context_for`."""


def find(reader: Querying, account: Account | None, about: ConversationContext) -> str | None:
    """The id of the group about it: of the operator's and their own, one in which the user takes part.

    The operator finds their own, unless everybody has left it.
    """
    key = account.key if account is not None else OPERATOR
    row = reader.execute(
        "SELECT c.id FROM conversations c WHERE c.context_type = :type AND c.context_id = :id "
        "AND c.context_for IN (:operator, :key) AND EXISTS (SELECT 1 FROM members m WHERE m.conversation = c.key "
        "AND m.left_gid IS NULL AND :key IN (:operator, m.person)) ORDER BY c.context_for LIMIT 1",
        {"type": about.type, "id": about.id, "operator": OPERATOR, "key": key},
    ).fetchone()
    return row[0] if row is not None else None


def find_or_open(
    tx: Transaction, account: Account | None, about: ConversationContext, title: str, members: list[str], most: int
) -> tuple[str, bool]:
    """The id of the group about it, and whether it was opened. `members` are handles or ids; `account` is None for the
    operator.

    One that is found stays as it is. A new one is private. Raises `Refusal`.
    """
    if (found := find(tx, account, about)) is not None:
        return found, False
    if account is None and not members:
        raise Refusal("invalid", "is empty; a new group needs a member, as the operator is none", path="members")
    others = [people.find_reachable(tx, who, "members") for who in members]
    key = account.key if account is not None else OPERATOR
    tx.execute(  # they left the one that there was
        "UPDATE conversations SET context_for = NULL WHERE context_type = ? AND context_id = ? AND context_for = ?",
        (about.type, about.id, key),
    )
    id = opening.open_group(
        tx, account, title=title or f"{about.type} {about.id}"[:200], description="", visibility="private",
        history=opening.usual_history("private"), others=others, most_members=most, context=about,
    )  # fmt: skip
    tx.execute("UPDATE conversations SET context_for = ? WHERE id = ?", (key, id))
    return id, True
