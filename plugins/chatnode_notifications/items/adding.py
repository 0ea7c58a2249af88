"""Adding notifications, and handing them to the transports."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from chatnode.api import Transaction, new_id, record
from chatnode_notifications.items.model import Kind, NotificationAdded
from chatnode_notifications.items.showing import shown
from chatnode_notifications.notes import Follower, NewItem

_followers: tuple[Follower, ...] = ()


def followed_by(functions: Sequence[Follower]) -> None:
    """Call these, in this order, for items that are to be delivered. Part of the declaration: called once, on
    import."""
    global _followers
    _followers = tuple(functions)


@record(frozen=True, kw_only=True)
class ItemDraft:
    """An item to be added: about messages of a conversation, or with words of its own. Keys are those of the tables.

    With `message`, it is deleted with that one, and with `sender` when they are erased. One that tells of several has
    them in `messages` instead, as the column has it."""

    person: int
    kind: Kind
    reason: str
    personal: bool
    count: int = 1
    conversation: int | None = None
    message: int | None = None
    messages: str | None = None
    sender: int | None = None
    first_seq: int | None = None
    last_seq: int | None = None
    last_gid: int = 0
    id: str = attrs.field(factory=new_id)
    title: str | None = None
    body: str | None = None
    url: str | None = None
    due_at: int | None = None


def add_items(tx: Transaction, drafts: Iterable[ItemDraft]) -> list[NewItem]:
    """Add items, tell their users' clients, and hand them to the transports: those with a `due_at` only once it has
    come (`hand_over`)."""
    added = [item for draft in drafts if (item := _add(tx, draft)) is not None]
    hand_over(tx, [item for item, due_at in added if due_at is None])
    return [item for item, _ in added]


def hand_over(tx: Transaction, items: Sequence[NewItem]) -> None:
    """Let the transports deliver items."""
    if items:
        for follow in _followers:
            follow(tx, items)


def _add(tx: Transaction, draft: ItemDraft) -> tuple[NewItem, int | None] | None:
    """None if the user may not see it after all; then it is not added."""
    key = tx.next_gid  # the event below gets it, and nothing else ever
    tx.execute(
        "INSERT INTO notifications_items (key, id, person, conversation, message, messages, sender, kind, first_seq, "
        "last_seq, last_gid, count, personal, reason, title, body, url, created_at, due_at) "
        "VALUES (:key, :id, :person, :conversation, :message, :messages, :sender, :kind, :first_seq, :last_seq, "
        ":last_gid, :count, :personal, :reason, :title, :body, :url, :now, :due_at)",
        {**attrs.asdict(draft), "key": key, "now": tx.now},
    )
    if not announce(tx, key, draft.person):
        tx.execute("DELETE FROM notifications_items WHERE key = ?", (key,))
        return None
    return NewItem(key, draft.person, draft.conversation, draft.personal, tx.now), draft.due_at


def show_again(tx: Transaction, key: int, person: int) -> None:
    """An item that was held back for long is as new now, also for its user's clients."""
    tx.execute("UPDATE notifications_items SET created_at = ? WHERE key = ?", (tx.now, key))
    announce(tx, key, person)


def announce(tx: Transaction, key: int, person: int) -> bool:
    """Send an item to its user's clients as it is now. Returns whether the user may see it."""
    found = shown(tx, [key]).get(key)
    if found is not None:
        tx.record(NotificationAdded(found), people=(person,), subject=key)
    return found is not None
