"""One-time password reset links; stored as hashes."""

from __future__ import annotations

from chatnode.errors import Refusal
from chatnode.model.people import Account
from chatnode.model.times import now_ms
from chatnode.storage.engine.additions import CoreTable, rows_of
from chatnode.storage.engine.connection import Querying
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.people import people
from chatnode.storage.people.sessions import hash_secret


def create(tx: Transaction, account: Account, code_hash: bytes, expires_at: int) -> None:
    """Replaces the link that the person had. Raises `Refusal` for who cannot have a password."""
    if account.deactivated_at is not None:
        raise Refusal("conflict", f"the account of {account.handle} is deactivated", path="person")
    people.refuse_imported(account, "person")
    if account.bot:
        raise Refusal("invalid", "a bot has no password; create a token for it", path="person")
    revoke(tx, account.key)
    tx.execute(
        "INSERT INTO password_resets (code_hash, person, expires_at) VALUES (?, ?, ?)",
        (code_hash, account.key, expires_at),
    )


def usable(reader: Querying, code: str) -> Account:
    """Whose link this is. Raises `Refusal`: `not_found` for one that is unknown or used, `gone` for an expired one."""
    row = reader.execute(
        "SELECT person, expires_at FROM password_resets WHERE code_hash = ?", (hash_secret(code),)
    ).fetchone()
    if row is None:
        raise Refusal("not_found", "this link does not exist or was used; ask for a new one", path="code")
    if row[1] <= now_ms():
        raise Refusal("gone", "this link has expired; ask for a new one", path="code")
    return people.by_key(reader, row[0])


def revoke_of_role(tx: Transaction, role: str) -> None:
    """The links of everybody who has the role do not work any more."""
    tx.execute("DELETE FROM password_resets WHERE person IN (SELECT key FROM people WHERE role = ?)", (role,))


def revoke(tx: Transaction, person: int) -> None:
    """The person's link, if there is one, does not work any more."""
    tx.execute("DELETE FROM password_resets WHERE person = ?", (person,))


TABLES = (
    CoreTable(
        "password_resets", left_out="links that cannot be used elsewhere", at_once=rows_of("password_resets", "person")
    ),
)
