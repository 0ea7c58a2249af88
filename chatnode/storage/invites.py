"""Invites and the first administrator's set-up link: one-time codes, stored as hashes."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from chatnode.errors import Refusal
from chatnode.model.commands.sign_in import Invite
from chatnode.model.people import Account
from chatnode.model.times import now_ms, rfc3339
from chatnode.storage import conversations, members, people
from chatnode.storage.database import Reader, Transaction
from chatnode.storage.sessions import hash_secret


@attrs.define
class Usable:
    """An invite that can still be used."""

    key: int
    kind: str


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
        "VALUES (?, ?, ?, ?, ?, ?)",
        (kind, code_hash, by.key if by else None, tx.now, expires_at, uses),
    ).lastrowid
    assert key is not None
    for id in conversation_ids:
        if by is None:
            raise Refusal("forbidden", "only a participant can invite into a conversation", path="conversations")
        place = conversations.access_to_invite(tx, by, id)
        tx.execute("INSERT OR IGNORE INTO invite_conversations VALUES (?, ?)", (key, place.key))
    return Invite(key, uses, rfc3339(tx.now), rfc3339(expires_at), by.ref if by else None)


def usable(reader: Reader | Transaction, code: str) -> Usable:
    """Raises `Refusal`: `not_found` for an unknown code, `gone` for one used up or expired."""
    row = reader.execute(
        "SELECT key, kind, uses_left, expires_at FROM invites WHERE code_hash = ?", (hash_secret(code),)
    ).fetchone()
    if row is None:
        raise Refusal("not_found", "this invite does not exist; ask for a new link", path="code")
    key, kind, uses_left, expires_at = row
    if uses_left < 1 or expires_at <= now_ms():
        raise Refusal("gone", "this invite was used or has expired; ask for a new link", path="code")
    return Usable(key, kind)


def use(tx: Transaction, code: str, handle: str, name: str | None, password: str, most_members: int) -> Account:
    """Make the account that an invite is for. A set-up link makes an administrator, and only the first."""
    invite = usable(tx, code)
    if invite.kind == "setup" and people.has_admin(tx):
        raise Refusal("gone", "this node has its administrator already", path="code")
    role = "admin" if invite.kind == "setup" else "member"
    account = people.create(tx, handle, name=name, password=password, role=role)
    tx.execute("UPDATE invites SET uses_left = uses_left - 1 WHERE key = ?", (invite.key,))
    for (conversation,) in tx.execute(
        "SELECT conversation FROM invite_conversations WHERE invite = ?", (invite.key,)
    ).fetchall():
        members.join_by_invite(tx, account, conversation, most_members)
    return account


def page(reader: Reader) -> list[Invite]:
    rows = reader.execute(
        "SELECT key, uses_left, created_at, expires_at, created_by FROM invites "
        "WHERE kind = 'member' AND uses_left > 0 AND expires_at > ? ORDER BY key",
        (now_ms(),),
    ).fetchall()
    return [
        Invite(key, uses, rfc3339(created), rfc3339(expires), people.ref(reader, by))
        for key, uses, created, expires, by in rows
    ]


def revoke(tx: Transaction, invite: int) -> None:
    if not tx.execute("DELETE FROM invites WHERE key = ? AND kind = 'member'", (invite,)).rowcount:
        raise Refusal("not_found", "there is no such invite", path="invite")


def revoke_setup(tx: Transaction) -> None:
    """A new set-up link replaces the old ones."""
    tx.execute("DELETE FROM invites WHERE kind = 'setup'")
