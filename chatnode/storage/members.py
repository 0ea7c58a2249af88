"""Who takes part in a conversation: coming, going, and roles."""

from __future__ import annotations

from chatnode.errors import Refusal
from chatnode.model.conversations import RANK, History, MemberRole
from chatnode.model.events import MemberChanged, MemberJoined, MemberLeft
from chatnode.model.people import Account
from chatnode.storage import blocks, conversations, people
from chatnode.storage.conversations import Place
from chatnode.storage.transaction import Transaction


def add(tx: Transaction, account: Account, id: str, member: Account, most_members: int) -> None:
    """Bring `member` into a group. Adding somebody who is in already changes nothing."""
    place = conversations.access_to_invite(tx, account, id)
    blocks.refuse_blocked(tx, account, member, "member")
    if conversations.member_role(tx, place.key, member.key) is None:
        _join(tx, place.key, id, member, place.history, place.head, by=account)
        check_size(tx, place.key, most_members)


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
    """Take somebody of lower rank out of a group."""
    place = conversations.access_to_manage(tx, account, id)
    role = _role_of_other(tx, place, member)
    if RANK[role] >= RANK[place.role]:
        raise Refusal("forbidden", f"{member.handle} is {role}, you are {place.role}", path="member")
    _leave(tx, place, member, by=account)


def leave(tx: Transaction, account: Account, id: str) -> None:
    """Leave a group. When its owner leaves, the longest-serving admin, else member, owns it."""
    place = conversations.access(tx, account, id)
    conversations.refuse_direct(place)
    _leave(tx, place, account, by=account)
    if place.role == "owner":
        heir = tx.execute(
            "SELECT person FROM members WHERE conversation = ? AND left_gid IS NULL "
            "ORDER BY role = 'admin' DESC, joined_gid, person LIMIT 1",
            (place.key,),
        ).fetchone()
        if heir:
            _set_role(tx, place, people.by_key(tx, heir[0]), "owner", account)


def set_role(tx: Transaction, account: Account, id: str, member: Account, role: MemberRole) -> None:
    """Only the owner changes roles; making somebody else owner hands the group over."""
    place = conversations.access_to_manage(tx, account, id)
    if place.role != "owner":
        raise Refusal("forbidden", "only the owner changes roles", path="conversation")
    if member.key == account.key:
        raise Refusal("invalid", "make somebody else the owner to step down", path="member")
    _role_of_other(tx, place, member)
    if role == "owner":
        _set_role(tx, place, account, "admin", account)
    _set_role(tx, place, member, role, account)


def _role_of_other(tx: Transaction, place: Place, member: Account) -> MemberRole:
    role = conversations.member_role(tx, place.key, member.key)
    if role is None:
        raise Refusal("not_found", f"{member.handle} does not take part", path="member")
    return role


def _join(tx: Transaction, key: int, id: str, person: Account, history: History, head: int, by: Account | None) -> None:
    first = 1 if history == "all" else head + 1
    taken = tx.execute(
        "SELECT 1 FROM members WHERE conversation = :key AND left_gid IS NULL "
        "UNION ALL SELECT 1 FROM conversations WHERE key = :key AND source IS NOT NULL LIMIT 1",
        {"key": key},
    )
    # Of a group that everybody had left; an imported one is nobody's because somebody came first.
    role: MemberRole = "member" if taken.fetchone() else "owner"
    enter(tx, key, id, person, role=role, head=head, first=first, by=by)


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


def _set_role(tx: Transaction, place: Place, person: Account, role: MemberRole, by: Account) -> None:
    tx.execute("UPDATE members SET role = ? WHERE conversation = ? AND person = ?", (role, place.key, person.key))
    event = MemberChanged(place.id, person.ref, role)
    tx.record(event, conversation=place.key, subject=person.key, actor=by.key)


def check_size(tx: Transaction, key: int, most: int) -> None:
    (size,) = tx.execute("SELECT count(*) FROM members WHERE conversation = ? AND left_gid IS NULL", (key,)).fetchone()
    if most and size > most:
        raise Refusal("too_large", f"a group has at most {most} members", path="members")
