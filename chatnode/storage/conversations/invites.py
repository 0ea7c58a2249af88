"""Invites and the first administrator's set-up link: one-time codes, stored as hashes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from chatnode.errors import Refusal
from chatnode.model.commands.shared import NotJoined
from chatnode.model.commands.sign_in import Invite
from chatnode.model.people import Account
from chatnode.model.records import record
from chatnode.model.times import now_ms, rfc3339
from chatnode.storage.conversations import conversations, members
from chatnode.storage.engine.additions import CoreTable, rows_of
from chatnode.storage.engine.connection import Querying, Reader
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.people import people
from chatnode.storage.people.sessions import hash_secret


@record
class Usable:
    """An invite that can still be used. `by` is the key of who made it; None is the operator of the machine."""

    key: int
    kind: str
    by: int | None


STANDS = (
    "(item.uses_left > 0 AND item.expires_at > :now AND (item.created_by IS NULL OR EXISTS (SELECT 1 FROM people maker "
    "JOIN role_permissions given ON given.role = maker.role AND given.permission = 'invites.manage' "
    "WHERE maker.key = item.created_by AND maker.deactivated_at IS NULL)))"
)
"""Whether the row `item` of `invites` can be used `:now`: nobody's invite outlives their leave to invite."""


def create(
    tx: Transaction,
    kind: str,
    code_hash: bytes,
    *,
    by: Account | None,
    expires_at: int,
    uses: int = 1,
    conversation_ids: Sequence[str] = (),
) -> Invite:
    """`conversation_ids` must be groups in which `by` may invite."""
    key = tx.execute(
        "INSERT INTO invites (kind, code_hash, created_by, created_at, expires_at, uses_left) "
        "VALUES (?, ?, ?, ?, ?, ?) RETURNING key",
        (kind, code_hash, by.key if by else None, tx.now, expires_at, uses),
    ).fetchone()[0]
    for id in conversation_ids:
        if by is None:
            raise Refusal("forbidden", "only a member can invite to a conversation", path="conversations")
        place = conversations.access_to_invite(tx, by, id)
        tx.execute("INSERT INTO invite_conversations VALUES (?, ?) ON CONFLICT DO NOTHING", (key, place.key))
    return Invite(key, uses, rfc3339(tx.now), rfc3339(expires_at), by.ref if by else None)


def usable(reader: Querying, code: str) -> Usable:
    """Raises `Refusal`: `not_found` for an unknown code, `gone` for one used up, expired, or of who may not invite."""
    row = reader.execute(
        f"SELECT key, kind, created_by, {STANDS} FROM invites item WHERE code_hash = :hash",  # noqa: S608
        {"hash": hash_secret(code), "now": now_ms()},
    ).fetchone()
    if row is None:
        raise Refusal("not_found", "this invite does not exist; ask for a new link", path="code")
    key, kind, by, stands = row
    if not stands:
        raise Refusal("gone", "this invite was used, revoked or has expired; ask for a new link", path="code")
    return Usable(key, kind, by)


def use(
    tx: Transaction, code: str, handle: str, name: str | None, password: str, most_members: int
) -> tuple[Account, list[NotJoined]]:
    """Make the account that an invite is for. A set-up link makes an administrator, and only the first.

    A group that refuses the account, for example because it is full, does not refuse the sign-up: returns those too.
    """
    invite = usable(tx, code)
    if invite.kind == "setup" and people.has_admin(tx):
        raise Refusal("gone", "this node already has an administrator", path="code")
    role = "admin" if invite.kind == "setup" else "member"
    account = people.create(tx, handle, name=name, password=password, role=role)
    tx.execute("UPDATE invites SET uses_left = uses_left - 1 WHERE key = ?", (invite.key,))
    groups = tx.execute(
        "SELECT c.key, c.id FROM invite_conversations i JOIN conversations c ON c.key = i.conversation "
        "WHERE i.invite = ? ORDER BY c.key",
        (invite.key,),
    ).fetchall()
    not_joined: list[NotJoined] = []
    for key, id in groups:
        if refusal := tx.attempt(partial(_join, tx, invite, account, key, id, most_members)):
            not_joined.append(NotJoined(id, refusal.code, refusal.message))
    return account, not_joined


def _join(tx: Transaction, invite: Usable, account: Account, key: int, id: str, most_members: int) -> None:
    """An old link adds no members once its maker has left the group, or may not add members to it any more."""
    try:
        if invite.by is None:
            raise Refusal("forbidden", "the creator of this invite cannot add members")
        conversations.access_to_invite(tx, people.by_key(tx, invite.by), id)
    except Refusal:
        raise Refusal("forbidden", "the creator of the invite can no longer add members to this group") from None
    members.join_by_invite(tx, account, key, most_members)


def page(reader: Reader) -> list[Invite]:
    rows = reader.execute(
        "SELECT key, uses_left, created_at, expires_at, created_by FROM invites item "  # noqa: S608
        f"WHERE kind = 'member' AND {STANDS} ORDER BY key",
        {"now": now_ms()},
    ).fetchall()
    return [
        Invite(key, uses, rfc3339(created), rfc3339(expires), people.ref(reader, by))
        for key, uses, created, expires, by in rows
    ]


def revoke(tx: Transaction, invite: int) -> None:
    if not tx.execute("DELETE FROM invites WHERE key = ? AND kind = 'member'", (invite,)).rowcount:
        raise Refusal("not_found", "no such invite", path="invite")


def revoke_setup(tx: Transaction) -> None:
    """A new set-up link replaces the old ones."""
    tx.execute("DELETE FROM invites WHERE kind = 'setup'")


TABLES = (
    CoreTable(
        "invites",
        lines=(
            "invite",
            "SELECT i.kind, p.id AS created_by, i.created_at, i.expires_at, i.uses_left FROM invites i LEFT "
            "JOIN people p ON p.key = i.created_by ORDER BY i.key",
        ),
        entry="invite",
        export="SELECT key, key AS invite, kind, created_at, expires_at, uses_left FROM invites WHERE created_by = "
        ":person AND key > :after ORDER BY key LIMIT :limit",
        at_once=rows_of("invites", "created_by"),
    ),
    CoreTable("invite_conversations", left_out="invites cannot be used elsewhere"),
)
