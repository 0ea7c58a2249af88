"""Conversations: access to them, reading, changing, closing. Who takes part: `members.py`; opening: `opening.py`."""

from __future__ import annotations

from typing import Any

import attrs

from chatnode.errors import Refusal
from chatnode.model.conversations import (
    ClosedReason,
    Conversation,
    ConversationContext,
    History,
    Kind,
    Member,
    MemberRole,
    Visibility,
)
from chatnode.model.events import ConversationUpdated, Event
from chatnode.model.folding import folded
from chatnode.model.people import Account, PersonRef
from chatnode.model.records import record
from chatnode.model.times import rfc3339, rfc3339_or_none
from chatnode.storage.conversations import blocked_view
from chatnode.storage.engine.additions import CoreTable, EventKind
from chatnode.storage.engine.changing import change
from chatnode.storage.engine.connection import Querying, Reader
from chatnode.storage.engine.dialect import greatest
from chatnode.storage.engine.row import Row
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.people import people


@record
class Place:
    """A member's access to a conversation: proof that access was checked.

    Only the `access_*` functions create one, and functions that work on a conversation require one.
    """

    key: int
    id: str
    kind: Kind
    visibility: Visibility
    history: History
    head: int
    role: MemberRole
    first: int
    read_seq: int
    delivered_seq: int
    hides_receipts: int
    closed_reason: ClosedReason | None
    ordered_at: int
    """No message in order is later (`chatnode/storage/messages/times.py`)."""


FIRST_SEEN = greatest("m.first", "c.floor + 1")
"""SQL: the lowest seq that the member `m` of the conversation `c` may see."""
_COLUMNS = (
    f"c.key, c.id, c.kind, c.visibility, c.history, c.head, m.role, {FIRST_SEEN}, m.read_seq, "
    "m.delivered_seq, m.hides_receipts, c.closed_reason, c.ordered_at"
)
_OF_MEMBER = (
    "FROM conversations c JOIN members m ON m.conversation = c.key AND m.person = ? AND m.left_gid IS NULL "
    "WHERE c.id = ?"
)
_PLACE = f"SELECT {_COLUMNS} {_OF_MEMBER}"
_UNREACHABLE = (
    "CASE c.kind WHEN 'direct' THEN (SELECT p.key FROM members o JOIN people p ON p.key = o.person "
    "WHERE o.conversation = c.key AND o.person <> m.person AND p.deactivated_at IS NOT NULL) END"
)
_PLACE_AND_UNREACHABLE = f"SELECT {_COLUMNS}, {_UNREACHABLE} {_OF_MEMBER}"


def access(reader: Querying, account: Account, id: str) -> Place:
    """The conversation, for a member. Raises `Refusal`: `not_member` for a former member, else `not_found`, which
    does not reveal whether the conversation exists (anyone can compute the id of a direct conversation).
    """
    row = reader.execute(_PLACE, (account.key, id)).fetchone()
    if row is None:
        raise _refuse(reader, account, id)
    return Place(*row)


def access_to_post(tx: Querying, account: Account, id: str) -> Place:
    """Like `access`, for posting. Also raises `Refusal` for a closed conversation, and for a direct one with a
    deactivated account.
    """
    place, unreachable = access_and_unreachable(tx, account, id)
    refuse_closed(place)
    if unreachable is not None:
        people.check_reachable(people.by_key(tx, unreachable))
    return place


def access_and_unreachable(tx: Querying, account: Account, id: str) -> tuple[Place, int | None]:
    """Like `access`; also returns the key of the other participant of a direct conversation if that account is
    deactivated, and None otherwise."""
    row = tx.execute(_PLACE_AND_UNREACHABLE, (account.key, id)).fetchone()
    if row is None:
        raise _refuse(tx, account, id)
    *columns, unreachable = row
    return Place(*columns), unreachable


def _refuse(reader: Querying, account: Account, id: str) -> Refusal:
    was_member = reader.execute(
        "SELECT 1 FROM members m JOIN conversations c ON c.key = m.conversation WHERE c.id = ? AND m.person = ?",
        (id, account.key),
    ).fetchone()
    if was_member:
        return Refusal("not_member", "you are no longer a member of this conversation", path="conversation")
    return Refusal("not_found", "no such conversation, or you are not a member", path="conversation")


def access_to_manage(reader: Querying, account: Account, id: str) -> Place:
    """For what only owners and admins of a group may do."""
    place = access(reader, account, id)
    refuse_direct(place)
    if place.role == "member":
        raise Refusal("forbidden", "only the owner and admins of the group may do this", path="conversation")
    return place


def access_to_invite(reader: Querying, account: Account, id: str) -> Place:
    """Any member may add users to a public group; only the owner and admins may add to a private one."""
    place = access(reader, account, id)
    refuse_direct(place)
    return place if place.visibility == "public" else access_to_manage(reader, account, id)


def as_moderator(reader: Querying, key: int) -> Place:
    """The conversation of a reported message, for a moderator who need not take part."""
    row = reader.execute(
        "SELECT key, id, kind, visibility, history, head, 'admin', floor + 1, head, head, 0, closed_reason, ordered_at "
        "FROM conversations WHERE key = ?",
        (key,),
    ).fetchone()
    return Place(*row)


def refuse_direct(place: Place) -> None:
    if place.kind == "direct":
        raise Refusal("forbidden", "a direct conversation always has exactly two members", path="conversation")


def refuse_closed(place: Place) -> None:
    if place.closed_reason is not None:
        raise Refusal("closed", f"this conversation was closed ({place.closed_reason})", path="conversation")


def last_message_at(reader: Querying, id: str) -> int | None:
    """When the newest message of a conversation was posted, in milliseconds; None if there is none."""
    row = reader.execute("SELECT last_at FROM conversations WHERE id = ?", (id,)).fetchone()
    return row[0] if row is not None else None


def who_cannot_see(tx: Transaction, conversation: int, seq: int) -> frozenset[int]:
    """Members who cannot see a message because it was posted before they joined."""
    rows = tx.execute(
        "SELECT person FROM members WHERE conversation = ? AND left_gid IS NULL AND first > ?", (conversation, seq)
    )
    return frozenset(person for (person,) in rows)


def record_about_message(tx: Transaction, place: Place, seq: int, event: Event, by: Account) -> int:
    """Record an event about a message for the members who may see the message; returns the gid. The row's subject is
    the seq."""
    return tx.record(
        event, conversation=place.key, subject=seq, actor=by.key, hidden_from=who_cannot_see(tx, place.key, seq)
    )


def record_for_message(tx: Transaction, conversation: int, seq: int, event: Event) -> int:
    """Like `record_about_message`, for what no user did: what a task of a plugin found out about a message.

    `conversation` is the conversation's key. Clients rebuild the event from its row, which has no actor.
    """
    return tx.record(event, conversation=conversation, subject=seq, hidden_from=who_cannot_see(tx, conversation, seq))


# ---- reading


_CONVERSATION = (
    "SELECT c.id, c.kind, c.title, c.description, c.visibility, c.history, c.created_at, c.head, "
    "(SELECT count(*) FROM members m WHERE m.conversation = c.key AND m.left_gid IS NULL), c.purpose, "
    "c.context_type, c.context_id, c.closed_at, c.closed_reason, c.inactive_at, c.idle_days, c.retention_days, "
    "c.avatar FROM conversations c "
)


def _conversation(row: tuple[Any, ...]) -> Conversation:
    (
        id, kind, title, description, visibility, history, created_at, head, members, purpose,
        context_type, context_id, closed_at, closed_reason, inactive_at, idle_days, retention_days, avatar,
    ) = row  # fmt: skip
    return Conversation(
        id, kind, title, description, visibility, history, rfc3339(created_at), head, members, purpose,
        ConversationContext(context_type, context_id) if context_type is not None else None,
        rfc3339_or_none(closed_at), closed_reason,
        rfc3339_or_none(inactive_at), idle_days, retention_days, avatar,
    )  # fmt: skip


def details(reader: Querying, key: int) -> Conversation:
    return _conversation(reader.execute(_CONVERSATION + "WHERE c.key = ?", (key,)).fetchone())


def found_by(title: str, description: str) -> str:
    """What `public_page` searches: stored, so that a search does not fold the texts of every group."""
    return f"{folded(title)}\n{folded(description)}"


def public_page(reader: Reader, query: str, after: str | None, limit: int) -> list[Conversation]:
    """Public groups whose title or description has `query`, whatever its case and accents, in the order of ids."""
    rows = reader.execute(
        _CONVERSATION + "WHERE c.visibility = 'public' AND c.id > ? AND instr(c.found_by, ?) > 0 ORDER BY c.id LIMIT ?",
        (after or "", folded(query), limit),
    )
    return [_conversation(row) for row in rows.fetchall()]


def about_page(
    reader: Reader, account: Account, about: ConversationContext, after: str | None, limit: int
) -> list[Conversation]:
    """The conversations about a thing of the embedder's that the person takes part in, in the order of ids."""
    rows = reader.execute(
        _CONVERSATION + "JOIN members mine ON mine.conversation = c.key AND mine.person = ? AND mine.left_gid IS NULL "
        "WHERE c.context_type = ? AND c.context_id = ? AND c.id > ? ORDER BY c.id LIMIT ?",
        (account.key, about.type, about.id, after or "", limit),
    )
    return [_conversation(row) for row in rows.fetchall()]


DELIVERED, READ = blocked_view.shown_mark("m", "delivered"), blocked_view.shown_mark("m", "read")
"""SQL: the marks of `members m`, as `:me` may see them."""


def members_page(reader: Reader, account: Account, place: Place, after: str | None, limit: int) -> list[Member]:
    rows = reader.execute(
        f"SELECT p.id, p.handle, p.name, m.role, m.joined_at, {greatest(DELIVERED, READ)}, {READ} "  # noqa: S608 -- constants
        "FROM members m JOIN people p ON p.key = m.person "
        "WHERE m.conversation = :conversation AND m.left_gid IS NULL AND p.handle > :after "
        "ORDER BY p.handle LIMIT :limit",
        {"me": account.key, "conversation": place.key, "after": after or "", "limit": limit},
    )
    return [
        Member(PersonRef(id, handle), name, role, rfc3339(joined_at), delivered_seq, read_seq)
        for id, handle, name, role, joined_at, delivered_seq, read_seq in rows
    ]


def member_role(reader: Querying, conversation: int, person: int) -> MemberRole | None:
    row = reader.execute(
        "SELECT role FROM members WHERE conversation = ? AND person = ? AND left_gid IS NULL",
        (conversation, person),
    ).fetchone()
    return row[0] if row else None


def of_person(reader: Querying, person: int) -> list[int]:
    """Keys of the conversations a person takes part in."""
    rows = reader.execute("SELECT conversation FROM members WHERE person = ? AND left_gid IS NULL", (person,))
    return [key for (key,) in rows]


# ---- changing


_CHANGEABLE = ("title", "description", "visibility", "idle_days", "retention_days", "avatar")


def update(
    tx: Transaction,
    account: Account,
    id: str,
    *,
    title: str | None,
    description: str | None,
    visibility: Visibility | None,
    idle_days: int | None = None,
    retention_days: int | None = None,
    avatar: str | None = None,
) -> Conversation:
    """Change what is given; 0 days are none, and an empty avatar removes it.

    Of a direct conversation both may say when it closes by itself.
    """
    others = (title, description, visibility, retention_days, avatar)
    place = access(tx, account, id)
    if place.kind == "group" or any(each is not None for each in others):
        access_to_manage(tx, account, id)
    if visibility == "public" and place.visibility == "private" and place.role != "owner":
        raise Refusal("forbidden", "only the owner may make a private group public", path="visibility")
    before = details(tx, place.key)
    after = attrs.evolve(
        before,
        title=before.title if title is None else title,
        description=before.description if description is None else description,
        visibility=visibility or before.visibility,
        idle_days=before.idle_days if idle_days is None else idle_days or None,
        retention_days=before.retention_days if retention_days is None else retention_days or None,
        avatar=people.kept_avatar(before.avatar, avatar),
    )
    values = {name: getattr(after, name) for name in _CHANGEABLE}
    if not change(tx, "conversations", {"key": place.key}, values):
        return before
    change(tx, "conversations", {"key": place.key}, {"found_by": found_by(after.title, after.description)})
    return updated(tx, place.key, account)


def set_avatar(tx: Transaction, key: int, avatar: str | None, by: Account | None) -> Conversation:
    """Change the address of a group's picture, which is relative to the node; None removes it.

    Does not check whether `by` may do that: see `access_to_manage`.
    """
    changed = change(tx, "conversations", {"key": key}, {"avatar": avatar})
    return updated(tx, key, by) if changed else details(tx, key)


def close(tx: Transaction, account: Account, id: str, reason: ClosedReason) -> Conversation:
    """Take no more messages. A group is closed by its owner and admins, a direct conversation by both."""
    place = access(tx, account, id)
    if place.kind == "group":
        access_to_manage(tx, account, id)
    refuse_closed(place)
    return set_closed(tx, place.key, reason, account)


def reopen(tx: Transaction, account: Account, id: str) -> Conversation:
    """Take messages again; changes nothing when the conversation is open. A block keeps it closed until it ends."""
    place = access(tx, account, id)
    if place.kind == "group":
        access_to_manage(tx, account, id)
    if place.closed_reason is None:
        return details(tx, place.key)
    if place.closed_reason == "blocked" or (place.kind == "direct" and _has_block(tx, place.key)):
        raise Refusal("closed", "one of you has blocked the other", path="conversation")
    return set_open(tx, place.key, account)


def _has_block(tx: Transaction, key: int) -> bool:
    """Whether one participant has blocked another; the conversation may have been closed before, for another reason."""
    row = tx.execute(
        "SELECT 1 FROM members m JOIN blocks b ON b.person = m.person "
        "JOIN members o ON o.conversation = m.conversation AND o.person = b.blocked WHERE m.conversation = ?",
        (key,),
    )
    return row.fetchone() is not None


def set_closed(tx: Transaction, key: int, reason: ClosedReason, by: Account | None) -> Conversation:
    tx.execute(
        "UPDATE conversations SET closed_at = ?, closed_reason = ?, closed_by = ? WHERE key = ?",
        (tx.now, reason, by.key if by else None, key),
    )
    return updated(tx, key, by)


def set_open(tx: Transaction, key: int, by: Account | None) -> Conversation:
    tx.execute(
        "UPDATE conversations SET closed_at = NULL, closed_reason = NULL, closed_by = NULL, inactive_at = NULL, "
        "opened_at = ? WHERE key = ?",
        (tx.now, key),
    )
    return updated(tx, key, by)


def close_idle(tx: Transaction, most: int) -> int:
    """Close up to `most` conversations in which nothing was said for as many days as each allows; returns how many.

    The days count from the last message, or from when it was opened (again) after that.
    """
    keys = tx.execute(
        "SELECT key FROM conversations WHERE idle_days IS NOT NULL AND closed_at IS NULL "  # noqa: S608
        f"AND {greatest('coalesce(last_at, created_at)', 'coalesce(opened_at, 0)')} < ? - idle_days * 86400000 LIMIT ?",
        (tx.now, most),
    ).fetchall()
    for (key,) in keys:
        set_closed(tx, key, "inactive", None)
    return len(keys)


def updated(tx: Transaction, key: int, by: Account | None) -> Conversation:
    """Tell the participants how the conversation is now."""
    now = details(tx, key)
    tx.record(ConversationUpdated(now.conversation, now), conversation=key, subject=key, actor=by.key if by else None)
    return now


def _as_it_is(reader: Reader, row: Row) -> Event:
    assert row.conversation_key is not None
    return ConversationUpdated(row.conversation, details(reader, row.conversation_key))


EVENTS = (EventKind(ConversationUpdated, _as_it_is),)


TABLES = (
    CoreTable(
        "conversations",
        lines=(
            "conversation",
            "SELECT c.id, c.kind, c.title, c.description, c.visibility, c.history, c.purpose, c.context_type, "
            "c.context_id, c.created_at, b.id AS created_by, c.closed_at, c.closed_reason, x.id AS closed_by, "
            "c.idle_days, c.retention_days, c.head, c.floor, c.messages, c.last_at, c.inactive_at, "
            "c.opened_at, c.auto_join, c.source, c.source_key, c.avatar, "
            "CASE c.context_for WHEN 0 THEN 'operator' ELSE f.id END AS context_for FROM conversations c "
            "LEFT JOIN people b ON b.key = c.created_by LEFT JOIN people x ON x.key = c.closed_by "
            "LEFT JOIN people f ON f.key = c.context_for ORDER BY c.key",
        ),
    ),
)
