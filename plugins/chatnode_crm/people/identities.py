"""Where contacts are reached: the rows, and the rules that no unproven claim ever wins.

A contact's identity is verified if the node made the contact from the account, or a user says that they made sure.
An identity belongs to one contact. An unverified claim to one that another contact has changes nothing: it suggests
that the two may be one person. A verified claim takes over an unverified one, and suggests too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from chatnode.api import Account, Querying, Refusal, Transaction, json_array, new_id
from chatnode_crm.people.opting import follow_account, keep_for_accounts
from chatnode_crm.people.pairs import suggest

CHAT = "chat"


class IdentityRow(NamedTuple):
    """A row of `crm_identities`."""

    key: int
    id: str
    contact: int
    kind: str
    external_id: str
    person: int | None
    verified_at: int | None
    name: str | None
    created_at: int
    created_by: int | None


_COLUMNS = ", ".join(IdentityRow._fields)


class Claim(NamedTuple):
    """What became of a claim: the contact's `identity`, or the `other` contact that keeps it."""

    identity: IdentityRow | None
    other: int | None


# ---- reading


def of_contact(reader: Querying, contact: int) -> list[IdentityRow]:
    """Oldest first."""
    return _rows(reader, "contact = ? ORDER BY key", contact)


def find_identity(reader: Querying, id: str) -> IdentityRow:
    """Raises `Refusal("not_found")`."""
    found = _rows(reader, "id = ?", id)
    if not found:
        raise Refusal("not_found", "no such identity", path="identity")
    return found[0]


def has_identity(reader: Querying, contact: int) -> bool:
    """Whether the contact has an identity of any kind."""
    return reader.execute("SELECT 1 FROM crm_identities WHERE contact = ?", (contact,)).fetchone() is not None


def of_external(reader: Querying, kind: str, external_id: str) -> IdentityRow | None:
    found = _rows(reader, "kind = ? AND external_id = ?", kind, external_id)
    return found[0] if found else None


def of_person(reader: Querying, person: int) -> IdentityRow | None:
    """The identity of an account of this node, verified or not."""
    found = _rows(reader, "person = ?", person)
    return found[0] if found else None


def of_people(reader: Querying, people: Sequence[int]) -> dict[int, IdentityRow]:
    """The verified identities of accounts, by the accounts' keys."""
    condition = "person IN (SELECT value FROM json_each(?)) AND verified_at IS NOT NULL"
    return {row.person: row for row in _rows(reader, condition, json_array(people)) if row.person is not None}


def _rows(reader: Querying, condition: str, *values: object) -> list[IdentityRow]:
    sql = f"SELECT {_COLUMNS} FROM crm_identities WHERE {condition}"  # noqa: S608 -- constants
    return [IdentityRow._make(row) for row in reader.execute(sql, values)]


# ---- changing


def claim(
    tx: Transaction,
    contact: int,
    kind: str,
    external_id: str,
    *,
    account: Account | None = None,
    verified: bool,
    name: str | None = None,
    actor: int | None,
) -> Claim:
    """Give a contact an identity, by the rules above. Of the kind `chat`, `account` is the account.

    Claiming what the contact has already verifies it if the claim is verified, and changes nothing else.
    """
    found = of_external(tx, kind, external_id)
    if found is not None and found.contact != contact:
        suggest(tx, contact, found.contact, "identity", 100)
        if not verified or found.verified_at is not None:
            return Claim(None, found.contact)
        _delete(tx, found)
        found = None
    if found is None:
        tx.execute(
            "INSERT INTO crm_identities (id, contact, kind, external_id, person, verified_at, name, created_at, "
            "created_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                new_id(), contact, kind, external_id, account.key if account is not None else None,
                tx.now if verified else None, name, tx.now, actor,
            ),
        )  # fmt: skip
        if verified and account is not None:
            follow_account(tx, contact, account.key, actor=actor)
    elif verified:
        verify(tx, found, actor=actor)
    return Claim(of_external(tx, kind, external_id), None)


def verify(tx: Transaction, identity: IdentityRow, *, actor: int | None) -> IdentityRow:
    """Somebody made sure. Verifying again changes nothing."""
    if identity.verified_at is None:
        tx.execute("UPDATE crm_identities SET verified_at = ? WHERE key = ?", (tx.now, identity.key))
        if identity.person is not None:
            follow_account(tx, identity.contact, identity.person, actor=actor)
    return find_identity(tx, identity.id)


def remove(tx: Transaction, identity: IdentityRow) -> None:
    """An account keeps what its contact has opted out of."""
    if identity.person is not None:
        keep_for_accounts(tx, [identity.contact], identity.person)
    _delete(tx, identity)


def set_name(tx: Transaction, identity: IdentityRow, name: str) -> None:
    """The account's name that the contact's names were taken from."""
    tx.execute("UPDATE crm_identities SET name = ? WHERE key = ?", (name, identity.key))


def _delete(tx: Transaction, identity: IdentityRow) -> None:
    tx.execute("DELETE FROM crm_identities WHERE key = ?", (identity.key,))
    tx.execute("DELETE FROM crm_detached WHERE contact = ? AND person = ?", (identity.contact, identity.person))
