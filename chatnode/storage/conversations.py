"""Conversations and who takes part in them."""

from __future__ import annotations

import attrs

from chatnode.errors import Refusal
from chatnode.model.conversations import RANK, Conversation, History, Kind, Member, MemberRole, Visibility
from chatnode.model.events import ConversationUpdated, MemberChanged, MemberJoined, MemberLeft
from chatnode.model.ids import direct_id, new_id
from chatnode.model.people import Account, PersonRef
from chatnode.model.times import rfc3339
from chatnode.storage import people
from chatnode.storage.database import Reader, Transaction


@attrs.define
class Place:
    """A conversation as one of its participants may use it: proof that access was checked.

    Only the `access_*` functions make one, and what works on a conversation takes one.
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


_PLACE = (
    "SELECT c.key, c.id, c.kind, c.visibility, c.history, c.head, m.role, m.first, m.read_seq, m.delivered_seq "
    "FROM conversations c JOIN members m ON m.conversation = c.key AND m.person = ? AND m.left_gid IS NULL "
    "WHERE c.id = ?"
)


def access(reader: Reader | Transaction, account: Account, id: str) -> Place:
    """The conversation, for a participant.

    Raises `Refusal`: `not_member` for somebody who was one, else `not_found`, which does not tell whether
    there is such a conversation (a direct one's id can be computed by anybody).
    """
    row = reader.execute(_PLACE, (account.key, id)).fetchone()
    if row is None:
        raise _refuse(reader, account, id)
    return Place(*row)


def _refuse(reader: Reader | Transaction, account: Account, id: str) -> Refusal:
    was_member = reader.execute(
        "SELECT 1 FROM members m JOIN conversations c ON c.key = m.conversation WHERE c.id = ? AND m.person = ?",
        (id, account.key),
    ).fetchone()
    if was_member:
        return Refusal("not_member", "you do not take part in this conversation any more", path="conversation")
    return Refusal("not_found", "there is no such conversation that you take part in", path="conversation")


def access_to_manage(reader: Reader | Transaction, account: Account, id: str) -> Place:
    """For what only owners and admins of a group may do."""
    place = access(reader, account, id)
    _refuse_direct(place)
    if place.role == "member":
        raise Refusal("forbidden", "only the owner and admins of the group may do this", path="conversation")
    return place


def access_to_invite(reader: Reader | Transaction, account: Account, id: str) -> Place:
    """Anybody may bring people into a public group they are in; into a private one, its owner and admins."""
    place = access(reader, account, id)
    _refuse_direct(place)
    return place if place.visibility == "public" else access_to_manage(reader, account, id)


def _refuse_direct(place: Place) -> None:
    if place.kind == "direct":
        raise Refusal("forbidden", "a direct conversation always has its two people", path="conversation")


# ---- reading


_CONVERSATION = (
    "SELECT c.id, c.kind, c.title, c.description, c.visibility, c.history, c.created_at, c.head, "
    "(SELECT count(*) FROM members m WHERE m.conversation = c.key AND m.left_gid IS NULL) FROM conversations c "
)


def _conversation(row: tuple[str, Kind, str, str, Visibility, History, int, int, int]) -> Conversation:
    id, kind, title, description, visibility, history, created_at, head, members = row
    return Conversation(id, kind, title, description, visibility, history, rfc3339(created_at), head, members)


def details(reader: Reader | Transaction, key: int) -> Conversation:
    return _conversation(reader.execute(_CONVERSATION + "WHERE c.key = ?", (key,)).fetchone())


def public_page(reader: Reader, query: str, after: str | None, limit: int) -> list[Conversation]:
    """Public groups whose title has `query`, in the order of ids."""
    rows = reader.execute(
        _CONVERSATION + "WHERE c.visibility = 'public' AND c.id > ? AND instr(lower(c.title), lower(?)) "
        "ORDER BY c.id LIMIT ?",
        (after or "", query, limit),
    )
    return [_conversation(row) for row in rows.fetchall()]


def members_page(reader: Reader, place: Place, after: str | None, limit: int) -> list[Member]:
    rows = reader.execute(
        "SELECT p.id, p.handle, p.name, m.role, m.joined_at, m.delivered_seq, m.read_seq "
        "FROM members m JOIN people p ON p.key = m.person "
        "WHERE m.conversation = ? AND m.left_gid IS NULL AND p.handle > ? ORDER BY p.handle LIMIT ?",
        (place.key, after or "", limit),
    )
    return [
        Member(PersonRef(id, handle), name, role, rfc3339(joined_at), delivered_seq, read_seq)
        for id, handle, name, role, joined_at, delivered_seq, read_seq in rows
    ]


def member_role(reader: Reader | Transaction, conversation: int, person: int) -> MemberRole | None:
    row = reader.execute(
        "SELECT role FROM members WHERE conversation = ? AND person = ? AND left_gid IS NULL",
        (conversation, person),
    ).fetchone()
    return row[0] if row else None


def of_person(reader: Reader, person: int) -> list[int]:
    """Keys of the conversations a person takes part in."""
    rows = reader.execute("SELECT conversation FROM members WHERE person = ? AND left_gid IS NULL", (person,))
    return [key for (key,) in rows]


# ---- opening and changing


def open_direct(tx: Transaction, account: Account, other: Account) -> str:
    """Find or make the direct conversation of two people; returns its id."""
    id = direct_id(account.id, other.id)
    if tx.execute("SELECT 1 FROM conversations WHERE id = ?", (id,)).fetchone():
        return id
    key = _insert(tx, id, "direct", "", "", "private", "all")
    for person in {account.key: account, other.key: other}.values():
        _add(tx, key, id, person, role="member", head=0, first=1, by=account)
    _updated(tx, key, id, account)
    return id


def open_group(
    tx: Transaction,
    account: Account,
    *,
    title: str,
    description: str,
    visibility: Visibility,
    history: History,
    members: list[Account],
    most_members: int,
) -> str:
    """Make a group owned by `account`; returns its id."""
    id = new_id()
    key = _insert(tx, id, "group", title, description, visibility, history)
    _add(tx, key, id, account, role="owner", head=0, first=1, by=account)
    for person in {member.key: member for member in members if member.key != account.key}.values():
        _add(tx, key, id, person, role="member", head=0, first=1, by=account)
    _check_size(tx, key, most_members)
    _updated(tx, key, id, account)
    return id


def update(
    tx: Transaction,
    account: Account,
    id: str,
    *,
    title: str | None,
    description: str | None,
    visibility: Visibility | None,
) -> Conversation:
    place = access_to_manage(tx, account, id)
    if visibility == "public" and place.visibility == "private" and place.role != "owner":
        raise Refusal("forbidden", "only the owner may make a private group public", path="visibility")
    tx.execute(
        "UPDATE conversations SET title = coalesce(?, title), description = coalesce(?, description), "
        "visibility = coalesce(?, visibility) WHERE key = ?",
        (title, description, visibility, place.key),
    )
    return _updated(tx, place.key, id, account)


# ---- taking part


def add(tx: Transaction, account: Account, id: str, member: Account, most_members: int) -> None:
    """Bring `member` into a group. Adding somebody who is in already changes nothing."""
    place = access_to_invite(tx, account, id)
    if member_role(tx, place.key, member.key) is None:
        _join(tx, place.key, id, member, place.history, place.head, by=account)
        _check_size(tx, place.key, most_members)


def join(tx: Transaction, account: Account, id: str, most_members: int) -> None:
    """Join a public group. A private one is answered as if it did not exist."""
    row = tx.execute(
        "SELECT key, history, head FROM conversations WHERE id = ? AND visibility = 'public'", (id,)
    ).fetchone()
    if row is None:
        access(tx, account, id)  # a participant of a private group need not join it; others learn nothing
        return
    key, history, head = row
    if member_role(tx, key, account.key) is None:
        _join(tx, key, id, account, history, head, by=account)
        _check_size(tx, key, most_members)


def join_by_invite(tx: Transaction, account: Account, key: int, most_members: int) -> None:
    id, history, head = tx.execute("SELECT id, history, head FROM conversations WHERE key = ?", (key,)).fetchone()
    if member_role(tx, key, account.key) is None:
        _join(tx, key, id, account, history, head, by=None)
        _check_size(tx, key, most_members)


def remove(tx: Transaction, account: Account, id: str, member: Account) -> None:
    """Take somebody of lower rank out of a group."""
    place = access_to_manage(tx, account, id)
    role = _role_of_other(tx, place, member)
    if RANK[role] >= RANK[place.role]:
        raise Refusal("forbidden", f"{member.handle} is {role}, you are {place.role}", path="member")
    _leave(tx, place, member, by=account)


def leave(tx: Transaction, account: Account, id: str) -> None:
    """Leave a group. When its owner leaves, the longest-serving admin, else member, owns it."""
    place = access(tx, account, id)
    _refuse_direct(place)
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
    place = access_to_manage(tx, account, id)
    if place.role != "owner":
        raise Refusal("forbidden", "only the owner changes roles", path="conversation")
    if member.key == account.key:
        raise Refusal("invalid", "make somebody else the owner to step down", path="member")
    _role_of_other(tx, place, member)
    if role == "owner":
        _set_role(tx, place, account, "admin", account)
    _set_role(tx, place, member, role, account)


def _role_of_other(tx: Transaction, place: Place, member: Account) -> MemberRole:
    role = member_role(tx, place.key, member.key)
    if role is None:
        raise Refusal("not_found", f"{member.handle} does not take part", path="member")
    return role


def _insert(
    tx: Transaction, id: str, kind: Kind, title: str, description: str, visibility: Visibility, history: History
) -> int:
    key = tx.execute(
        "INSERT INTO conversations (id, kind, title, description, visibility, history, created_at, activity) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (id, kind, title, description, visibility, history, tx.now, tx.next_gid),
    ).lastrowid
    assert key is not None
    return key


def _join(tx: Transaction, key: int, id: str, person: Account, history: History, head: int, by: Account | None) -> None:
    first = 1 if history == "all" else head + 1
    somebody = tx.execute("SELECT 1 FROM members WHERE conversation = ? AND left_gid IS NULL LIMIT 1", (key,))
    role: MemberRole = "member" if somebody.fetchone() else "owner"  # of a group that everybody had left
    _add(tx, key, id, person, role=role, head=head, first=first, by=by)


def _add(
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


def _updated(tx: Transaction, key: int, id: str, by: Account) -> Conversation:
    now = details(tx, key)
    tx.record(ConversationUpdated(id, now), conversation=key, subject=key, actor=by.key)
    return now


def _check_size(tx: Transaction, key: int, most: int) -> None:
    (size,) = tx.execute("SELECT count(*) FROM members WHERE conversation = ? AND left_gid IS NULL", (key,)).fetchone()
    if most and size > most:
        raise Refusal("too_large", f"a group has at most {most} members", path="members")
