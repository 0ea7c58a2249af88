"""Deactivating an account: nothing and nobody can use it until it is reactivated. What it said stays."""

from __future__ import annotations

from chatnode.errors import Refusal
from chatnode.model.events import PersonUpdated
from chatnode.model.people import Account, Person
from chatnode.storage import people, resets, sessions
from chatnode.storage.transaction import Transaction


def deactivate(tx: Transaction, account: Account) -> Person:
    """Sign every session out and close every way in. Doing it twice changes nothing.

    Raises `Refusal("conflict")` for the only administrator.
    """
    if account.deactivated_at is not None:
        return people.public(account)
    tx.execute("UPDATE people SET deactivated_at = ? WHERE key = ?", (tx.now, account.key))
    if account.role == "admin" and not people.has_admin(tx):
        raise Refusal("conflict", f"{account.handle} is the only administrator", path="person")
    resets.revoke(tx, account.key)
    person = _tell(tx, account)  # first, as their own sessions hear nothing after they end
    sessions.revoke_all(tx, account.key, None)
    return person


def reactivate(tx: Transaction, account: Account) -> Person:
    """The password works again; devices and tokens do not come back. Raises `Refusal("gone")` for who was erased."""
    if account.erased_at is not None:
        raise Refusal("gone", "this account was erased; there is nothing to come back to", path="person")
    if account.deactivated_at is None:
        return people.public(account)
    tx.execute("UPDATE people SET deactivated_at = NULL WHERE key = ?", (account.key,))
    return _tell(tx, account)


def _tell(tx: Transaction, account: Account) -> Person:
    person = people.public(people.by_key(tx, account.key))
    tx.record(PersonUpdated(person), people=people.fellows(tx, account.key), subject=account.key)
    return person
