"""Who takes part in a conversation: coming, going, and roles."""

from __future__ import annotations

from collections.abc import Callable

from chatnode.counting import counted
from chatnode.errors import Refusal
from chatnode.model.conversations import RANK, History, MemberRole
from chatnode.model.events import Event, MemberChanged, MemberJoined, MemberLeft
from chatnode.model.people import Account
from chatnode.storage.conversations import blocks, conversations
from chatnode.storage.conversations.conversations import Place
from chatnode.storage.engine.additions import CoreTable, EventKind
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.row import Row
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.people import audit, owners, people


def add(tx: Transaction, account: Account, id: str, member: Account, most_members: int) -> None:
    """Add `member` to a group. Adding a member again changes nothing."""
    place = conversations.access_to_invite(tx, account, id)
    blocks.refuse_blocked(tx, account, member, "member")
    if conversations.member_role(tx, place.key, member.key) is None:
        _join(tx, place.key, id, member, place.history, place.head, by=account)
        check_size(tx, place.key, most_members)


def add_to_abandoned(tx: Transaction, account: Account | None, id: str, member: Account, most_members: int) -> bool:
    """Add `member` to a group without any member who can act, and make them its owner.

    For users who manage people on the node. In a private group the new owner sees only what is said from then on: no
    administrator reads what was said in a group they were not in. Returns False, and does nothing, for other groups.
    """
    row = tx.execute(
        "SELECT key, CASE visibility WHEN 'private' THEN 'since_joining' ELSE history END, head FROM conversations "
        "WHERE id = ? AND kind = 'group'",
        (id,),
    ).fetchone()
    if row is None or owners.has_actor(tx, row[0]):
        return False
    key, history, head = row
    if conversations.member_role(tx, key, member.key) is None:
        _join(tx, key, id, member, history, head, by=account)
        check_size(tx, key, most_members)
        audit.record(tx, account, "conversations.members.add", id, member=member.id)
    return True


def join(tx: Transaction, account: Account, id: str, most_members: int) -> None:
    """Join a public group. A private one is answered as if it did not exist."""
    row = tx.execute(
        "SELECT key, history, head FROM conversations WHERE id = ? AND visibility = 'public'", (id,)
    ).fetchone()
    if row is None:
        conversations.access(tx, account, id)  # a participant of a private group need not join it; others learn nothing
        return
    key, history, head = row
    if conversations.member_role(tx, key, account.key) is None:
        _join(tx, key, id, account, history, head, by=account)
        check_size(tx, key, most_members)


def join_by_invite(tx: Transaction, account: Account, key: int, most_members: int) -> None:
    id, history, head = tx.execute("SELECT id, history, head FROM conversations WHERE key = ?", (key,)).fetchone()
    if conversations.member_role(tx, key, account.key) is None:
        _join(tx, key, id, account, history, head, by=None)
        check_size(tx, key, most_members)


def remove(tx: Transaction, account: Account, id: str, member: Account) -> None:
    """Remove a member of lower rank from a group."""
    place = conversations.access_to_manage(tx, account, id)
    role = _role_of_other(tx, place, member)
    if RANK[role] >= RANK[place.role]:
        raise Refusal("forbidden", "you can remove only members of lower rank", path="member")
    _leave(tx, place, member, by=account)


def leave(tx: Transaction, account: Account, id: str) -> None:
    """Leave a group. When its owner leaves, the next who can act owns it (`owners.py`)."""
    place = conversations.access(tx, account, id)
    conversations.refuse_direct(place)
    _leave(tx, place, account, by=account)


def set_role(tx: Transaction, account: Account, id: str, member: Account, role: MemberRole) -> None:
    """Only the owner changes roles; making another member owner, who must be able to act, hands the group over."""
    place = conversations.access_to_manage(tx, account, id)
    if place.role != "owner":
        raise Refusal("forbidden", "only the owner can change roles", path="conversation")
    if member.key == account.key:
        raise Refusal("invalid", "make another member the owner to step down", path="member")
    _role_of_other(tx, place, member)
    if role == "owner":
        if not owners.can_act(tx, member.key):
            raise Refusal(
                "forbidden",
                f"{member.handle} cannot sign in or lacks the permission to chat; choose another member",
                path="member",
            )
        owners.set_role(tx, place.key, place.id, account.key, "admin", account.key)
    owners.set_role(tx, place.key, place.id, member.key, role, account.key)


def _role_of_other(tx: Transaction, place: Place, member: Account) -> MemberRole:
    role = conversations.member_role(tx, place.key, member.key)
    if role is None:
        raise Refusal("not_found", f"{member.handle} is not a member", path="member")
    return role


def _join(tx: Transaction, key: int, id: str, person: Account, history: History, head: int, by: Account | None) -> None:
    first = 1 if history == "all" else head + 1
    enter(tx, key, id, person, role="member", head=head, first=first, by=by)
    owners.ensure_owner(tx, key, by.key if by else None)


def enter(
    tx: Transaction, key: int, id: str, person: Account, *, role: MemberRole, head: int, first: int, by: Account | None
) -> None:
    people.add_member_row(tx, key, person.key, head=head, first=first, role=role)
    event = MemberJoined(id, person.ref, by.ref if by and by.key != person.key else None)
    tx.record(event, conversation=key, people=(person.key,), subject=person.key, actor=by.key if by else None)


def _leave(tx: Transaction, place: Place, person: Account, by: Account) -> None:
    event = MemberLeft(place.id, person.ref, by.ref if by.key != person.key else None)
    tx.execute(
        "UPDATE members SET left_gid = ? WHERE conversation = ? AND person = ?",
        (tx.next_gid, place.key, person.key),
    )
    tx.record(event, conversation=place.key, people=(person.key,), subject=person.key, actor=by.key)
    owners.ensure_owner(tx, place.key, by.key)


def check_size(tx: Transaction, key: int, most: int) -> None:
    (size,) = tx.execute("SELECT count(*) FROM members WHERE conversation = ? AND left_gid IS NULL", (key,)).fetchone()
    if most and size > most:
        raise Refusal("too_large", f"a group has at most {counted(most, 'member')}", path="members")


# ---- events


def _came_or_went(kind: type[MemberJoined | MemberLeft]) -> Callable[[Reader, Row], Event | None]:
    def make(reader: Reader, row: Row) -> Event | None:
        person = people.ref(reader, row.subject)
        by = people.ref(reader, row.actor) if row.actor != row.subject else None
        return kind(row.conversation, person, by) if person is not None else None

    return make


def _role_now(reader: Reader, row: Row) -> Event | None:
    assert row.conversation_key is not None
    role = conversations.member_role(reader, row.conversation_key, row.subject)
    person = people.ref(reader, row.subject)
    return MemberChanged(row.conversation, person, role) if person and role else None


EVENTS = (
    EventKind(MemberJoined, _came_or_went(MemberJoined), after_leaving=True),
    EventKind(MemberLeft, _came_or_went(MemberLeft), after_leaving=True),
    EventKind(MemberChanged, _role_now),
)
TABLES = (
    # A former member does not get what changed in the conversation after they left, such as its title.
    CoreTable(
        "members",
        lines=(
            "member",
            "SELECT c.id AS conversation, p.id AS person, m.role, m.joined_at, m.left_gid IS NOT NULL AS "
            "left, m.first, m.read_seq, m.delivered_seq, m.shown_seq, m.hides_receipts FROM members m JOIN "
            "conversations c ON c.key = m.conversation JOIN people p ON p.key = m.person ORDER BY "
            "m.conversation, m.person",
        ),
        entry="membership",
        export="SELECT c.key, c.id AS conversation, c.kind, CASE WHEN m.left_gid IS NULL THEN c.title END AS title, "
        "m.role, m.joined_at, m.left_gid IS NOT NULL AS has_left_flag, m.read_seq, m.delivered_seq FROM members m "
        "JOIN conversations c ON c.key = m.conversation WHERE m.person = :person AND c.key > :after ORDER BY "
        "c.key LIMIT :limit",
    ),
)
