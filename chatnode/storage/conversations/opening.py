"""Opening conversations."""

from __future__ import annotations

from chatnode.model.conversations import ConversationContext, History, Kind, MemberRole, Purpose, Visibility
from chatnode.model.ids import direct_id, new_id
from chatnode.model.people import Account
from chatnode.storage.conversations import blocks, conversations, members
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.people import owners, people


def open_direct(tx: Transaction, account: Account, other: Account) -> str:
    """Find or make the direct conversation of two people; returns its id."""
    id = direct_id(account.id, other.id)
    if tx.execute("SELECT 1 FROM conversations WHERE id = ?", (id,)).fetchone():
        return id
    people.check_reachable(other)
    blocks.refuse_blocked(tx, account, other, "with")
    key = _insert(tx, account, id, "direct", "", "", "private", "all")
    for person in {account.key: account, other.key: other}.values():
        members.enter(tx, key, id, person, role="member", head=0, first=1, by=account)
    conversations.updated(tx, key, account)
    return id


def open_group(
    tx: Transaction,
    account: Account | None,
    *,
    title: str,
    description: str,
    visibility: Visibility,
    history: History,
    others: list[Account],
    most_members: int,
    purpose: Purpose = "general",
    context: ConversationContext | None = None,
    idle_days: int | None = None,
    retention_days: int | None = None,
    role_of_others: MemberRole = "member",
) -> str:
    """Make a group owned by `account`; returns its id. Without one, the first of the others who can act owns it."""
    id = new_id()
    key = _insert(tx, account, id, "group", title, description, visibility, history)
    tx.execute(
        "UPDATE conversations SET purpose = ?, context_type = ?, context_id = ?, idle_days = ?, retention_days = ? "
        "WHERE key = ?",
        (
            purpose, context.type if context else None, context.id if context else None, idle_days or None,
            retention_days, key,
        ),
    )  # fmt: skip
    if account is not None:
        members.enter(tx, key, id, account, role="owner", head=0, first=1, by=account)
    for person in {other.key: other for other in others if account is None or other.key != account.key}.values():
        if account is not None:
            blocks.refuse_blocked(tx, account, person, "members")
        members.enter(tx, key, id, person, role=role_of_others, head=0, first=1, by=account)
    members.check_size(tx, key, most_members)
    owners.ensure_owner(tx, key, account.key if account is not None else None)
    conversations.updated(tx, key, account)
    return id


def usual_history(visibility: Visibility) -> History:
    """What users who join a group see of its history, unless its opener says otherwise."""
    return "all" if visibility == "public" else "since_joining"


def _insert(
    tx: Transaction,
    by: Account | None,
    id: str,
    kind: Kind,
    title: str,
    description: str,
    visibility: Visibility,
    history: History,
) -> int:
    key = tx.execute(
        "INSERT INTO conversations (id, kind, title, description, found_by, visibility, history, created_at, "
        "created_by, activity) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING key",
        (
            id, kind, title, description, conversations.found_by(title, description), visibility, history, tx.now,
            by.key if by is not None else None, tx.next_gid,
        ),
    ).fetchone()[0]  # fmt: skip
    return key
