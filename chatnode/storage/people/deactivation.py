"""Deactivating an account: nothing and nobody can use it until it is reactivated. What it said stays.

The bots that it owns are paused with it: deactivated, and reactivated with their owner.
"""

from __future__ import annotations

from chatnode.errors import Refusal
from chatnode.model.events import PersonUpdated
from chatnode.model.people import Account
from chatnode.storage.engine.changing import change
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.people import owners, people, resets, sessions


def deactivate(tx: Transaction, account: Account) -> bool:
    """Sign every session out and close every way in; returns whether that is a change: a bot that was paused with its
    owner now stays deactivated.

    Raises `Refusal("conflict")` for the only administrator.
    """
    if account.deactivated_at is not None:
        return change(tx, "bots_owned", {"bot": account.key}, {"paused": 0})
    change(tx, "people", {"key": account.key}, {"deactivated_at": tx.now})
    if account.role == "admin" and not people.has_admin(tx):
        raise Refusal("conflict", f"{account.handle} is the only administrator; make another one first", path="person")
    resets.revoke(tx, account.key)
    _record_update(tx, account)  # first, as their own sessions hear nothing after they end
    owners.ensure_owners_of_person(tx, account.key)
    sessions.revoke_all(tx, account.key, None)
    for bot in _bots_of(tx, account, paused=False):
        if deactivate(tx, bot):
            change(tx, "bots_owned", {"bot": bot.key}, {"paused": 1})
    return True


def reactivate(tx: Transaction, account: Account) -> bool:
    """The password works again; devices and tokens do not come back. Returns whether the account was deactivated.

    Raises `Refusal`: `gone` for who was erased, `conflict` for a bot whose owner is deactivated.
    """
    if account.erased_at is not None:
        raise Refusal("gone", "this account was erased and cannot be reactivated", path="person")
    if account.bot:
        _refuse_without_owner(tx, account)
    if not change(tx, "people", {"key": account.key}, {"deactivated_at": None}):
        return False
    _record_update(tx, account)
    owners.ensure_owners_of_person(tx, account.key)
    for bot in _bots_of(tx, account, paused=True):
        change(tx, "bots_owned", {"bot": bot.key}, {"paused": 0})
        reactivate(tx, bot)
    return True


def _bots_of(tx: Transaction, owner: Account, *, paused: bool) -> list[Account]:
    rows = tx.execute("SELECT bot FROM bots_owned WHERE owner = ? AND paused = ?", (owner.key, int(paused))).fetchall()
    return [people.by_key(tx, key) for (key,) in rows]


def _refuse_without_owner(tx: Transaction, bot: Account) -> None:
    row = tx.execute("SELECT owner FROM bots_owned WHERE bot = ?", (bot.key,)).fetchone()
    if row is not None and (owner := people.by_key(tx, row[0])).deactivated_at is not None:
        raise Refusal("conflict", f"its owner {owner.handle} is deactivated; reactivate that account", path="person")


def _record_update(tx: Transaction, account: Account) -> None:
    person = people.public(people.by_key(tx, account.key))
    tx.record(PersonUpdated(person), people=people.fellows(tx, account.key), subject=account.key)
