"""Deactivating an account: nothing and nobody can use it until it is reactivated. What it said stays."""

from __future__ import annotations

from chatnode.errors import Refusal
from chatnode.model.events import PersonUpdated
from chatnode.model.people import Account
from chatnode.storage.engine.changing import change
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.people import owners, people, resets, sessions


def deactivate(tx: Transaction, account: Account) -> bool:
    """Sign every session out and close every way in; returns whether the account was active.

    Raises `Refusal("conflict")` for the only administrator.
    """
    if account.deactivated_at is not None:
        return False
    change(tx, "people", {"key": account.key}, {"deactivated_at": tx.now})
    if account.role == "admin" and not people.has_admin(tx):
        raise Refusal("conflict", f"{account.handle} is the only administrator", path="person")
    resets.revoke(tx, account.key)
    _record_update(tx, account)  # first, as their own sessions hear nothing after they end
    owners.settle_of_person(tx, account.key)
    sessions.revoke_all(tx, account.key, None)
    return True


def reactivate(tx: Transaction, account: Account) -> bool:
    """The password works again; devices and tokens do not come back. Returns whether the account was deactivated.

    Raises `Refusal("gone")` for who was erased.
    """
    if account.erased_at is not None:
        raise Refusal("gone", "this account was erased and cannot be reactivated", path="person")
    if not change(tx, "people", {"key": account.key}, {"deactivated_at": None}):
        return False
    _record_update(tx, account)
    owners.settle_of_person(tx, account.key)
    return True


def _record_update(tx: Transaction, account: Account) -> None:
    person = people.public(people.by_key(tx, account.key))
    tx.record(PersonUpdated(person), people=people.fellows(tx, account.key), subject=account.key)
