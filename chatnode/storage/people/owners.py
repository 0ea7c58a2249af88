"""Which members can act for a group, and the one rule for who owns it.

As long as any member can act, the owner is a member who can. When the owner no longer can, the next member who can
becomes owner: the longest-serving admin, else the longest-serving member, people before bots. In a group without such
a member, a user who manages people on the node may add one (`members.add_to_abandoned`), who becomes its owner.

A member can act if their account is active, was not created for an imported author, and has a role with the permission
`chat`. The scopes of a token do not matter: its owner can create another.
"""

# ruff: noqa: S608 - the pieces are the constants below

from __future__ import annotations

from collections.abc import Collection

from chatnode.model.conversations import MemberRole
from chatnode.model.events import MemberChanged
from chatnode.model.people import PersonRef
from chatnode.model.permissions import CHAT
from chatnode.storage.engine.arrays import json_array
from chatnode.storage.engine.changing import change
from chatnode.storage.engine.connection import Querying
from chatnode.storage.engine.dialect import each_of
from chatnode.storage.engine.transaction import Transaction

CAN_ACT = (
    "(p.deactivated_at IS NULL AND p.source IS NULL AND EXISTS (SELECT 1 FROM role_permissions given "
    f"WHERE given.role = p.role AND given.permission = '{CHAT}'))"
)
"""SQL: whether `people p` can act."""
_ACTS = (
    "EXISTS (SELECT 1 FROM members m JOIN people p ON p.key = m.person WHERE m.conversation = c.key "
    f"AND m.left_gid IS NULL AND {CAN_ACT}"
)
WRONG = (
    "SELECT c.key, c.id FROM conversations c WHERE c.kind = 'group' AND ((SELECT count(*) FROM members o "
    "WHERE o.conversation = c.key AND o.role = 'owner' AND o.left_gid IS NULL) > 1 "
    f"OR (NOT {_ACTS} AND m.role = 'owner') AND {_ACTS})))"
)
"""SQL: key and id of the groups `c` that break the rule. More terms may be appended."""
WRONG_FOR_GOOD = (
    f"{WRONG} AND NOT EXISTS (SELECT 1 FROM erasures e JOIN members w ON w.person = e.person "
    "WHERE w.conversation = c.key AND w.left_gid IS NULL)"
)
"""SQL: the same, without groups of users whose erasure is under way, which leaves their groups step by step."""


def can_act(reader: Querying, person: int) -> bool:
    """Whether the account with the key `person` can act."""
    return reader.execute(f"SELECT 1 FROM people p WHERE p.key = ? AND {CAN_ACT}", (person,)).fetchone() is not None


def acting(reader: Querying, people: Collection[int]) -> set[int]:
    """Those of the users with the keys `people` who can act: their accounts are active and may use the chat. Tell the
    others nothing: what they could not read may be in it."""
    rows = reader.execute(
        f"SELECT p.key FROM people p WHERE p.key IN {each_of('?')} AND {CAN_ACT}", (json_array(people),)
    )
    return {person for (person,) in rows}


def has_actor(reader: Querying, conversation: int) -> bool:
    """Whether any member can act."""
    row = reader.execute(f"SELECT 1 FROM conversations c WHERE c.key = ? AND {_ACTS})", (conversation,))
    return row.fetchone() is not None


def ensure_owner(tx: Transaction, conversation: int, by: int | None = None) -> bool:
    """Enforce the rule for one conversation; returns whether it changed hands. `by`: key of the user who caused it."""
    row = tx.execute(f"{WRONG} AND c.key = ?", (conversation,)).fetchone()
    if row is not None:
        _transfer(tx, row[0], row[1], by)
    return row is not None


def ensure_owners_of_person(tx: Transaction, person: int, by: int | None = None) -> int:
    """Enforce the rule after a user lost or regained the ability to act; returns how many groups changed hands."""
    mine = "c.key IN (SELECT w.conversation FROM members w WHERE w.person = ? AND w.left_gid IS NULL)"
    return _transfer_all(tx, tx.execute(f"{WRONG} AND {mine}", (person,)).fetchall(), by)


def ensure_owners_of_role(tx: Transaction, role: str, by: int | None = None) -> int:
    """The same for every user with a role on the node."""
    theirs = (
        "c.key IN (SELECT w.conversation FROM people h JOIN members w ON w.person = h.key AND w.left_gid IS NULL "
        "WHERE h.role = ?)"
    )
    return _transfer_all(tx, tx.execute(f"{WRONG} AND {theirs}", (role,)).fetchall(), by)


def ensure_all_owners(tx: Transaction) -> int:
    """Enforce the rule for all groups; returns how many changed hands."""
    return _transfer_all(tx, tx.execute(WRONG).fetchall(), None)


def _transfer_all(tx: Transaction, groups: list[tuple[int, str]], by: int | None) -> int:
    for key, id in groups:
        _transfer(tx, key, id, by)
    return len(groups)


def _transfer(tx: Transaction, key: int, id: str, by: int | None) -> None:
    """Make the first member who can act the owner. A current owner keeps it; former owners become admins."""
    ((heir,),) = tx.execute(
        "SELECT p.key FROM members m JOIN people p ON p.key = m.person WHERE m.conversation = ? AND m.left_gid IS NULL "
        f"ORDER BY {CAN_ACT} DESC, m.role = 'owner' DESC, p.bot, m.role = 'admin' DESC, m.joined_gid, p.key LIMIT 1",
        (key,),
    ).fetchall()
    for person in _owners(tx, key):
        if person != heir:
            set_role(tx, key, id, person, "admin", by)
    set_role(tx, key, id, heir, "owner", by)


def _owners(tx: Transaction, key: int) -> list[int]:
    rows = tx.execute(
        "SELECT person FROM members WHERE conversation = ? AND left_gid IS NULL AND role = 'owner'", (key,)
    )
    return [person for (person,) in rows.fetchall()]


def set_role(tx: Transaction, conversation: int, id: str, person: int, role: MemberRole, by: int | None) -> None:
    """Set a member's role and tell the group; does nothing if they have it already."""
    if not change(tx, "members", {"conversation": conversation, "person": person}, {"role": role}):
        return
    who = PersonRef(*tx.execute("SELECT id, handle FROM people WHERE key = ?", (person,)).fetchone())
    tx.record(MemberChanged(id, who, role), conversation=conversation, subject=person, actor=by)
