"""Accounts of this node as a source of contacts, if the setting `chat_accounts` says so.

The node knows no email of an account, so an account is matched by identity alone: a contact with an unverified
identity of it is suggested to be the same person, and never taken over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chatnode.api import (
    Account,
    Consumer,
    Context,
    PersonUpdated,
    Querying,
    Row,
    Transaction,
    Work,
    WorkKind,
    Write,
    counted,
    person_by_key,
)
from chatnode_crm.contacts.finding import rows
from chatnode_crm.contacts.values import Rules, Values, check, split_name
from chatnode_crm.contacts.writing import create_many, update_many
from chatnode_crm.people.identities import CHAT, claim, of_external, of_person, set_name
from chatnode_crm.settings import CrmSettings

_SOURCE = "chat"
_MOST = 200


async def add_new_accounts(ctx: Context) -> str | None:
    """Make contacts of the accounts that were created since the last time."""
    if not ctx.settings(CrmSettings).chat_accounts:
        return None
    made = 0
    while True:
        found, more = await ctx.write(_add_next)
        made += found
        if not more:
            return f"created {counted(made, 'contact')} for new accounts" if made else None


def _add_next(tx: Transaction) -> tuple[int, bool]:
    """How many contacts were made, and whether there are more accounts."""
    row = tx.execute("SELECT value FROM crm_people_state WHERE name = 'accounts'").fetchone()
    if row is None:  # the first time: those that exist already are added by the command only
        _set_mark(tx, _newest(tx))
        return 0, False
    keys = accounts_page(tx, int(row[0]), _MOST)
    if keys:
        _set_mark(tx, keys[-1])
    return sum(add_account(tx, key) for key in keys), len(keys) == _MOST


def _newest(tx: Transaction) -> int:
    return tx.execute("SELECT coalesce(max(key), 0) FROM people").fetchone()[0]


def _set_mark(tx: Transaction, key: int) -> None:
    tx.execute(
        "INSERT INTO crm_people_state (name, value) VALUES ('accounts', ?) "
        "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (str(key),),
    )


def accounts_page(reader: Querying, after: int, limit: int) -> list[int]:
    """Keys of the next accounts, bots and erased ones among them."""
    rows = reader.execute("SELECT key FROM people WHERE key > ? ORDER BY key LIMIT ?", (after, limit))
    return [key for (key,) in rows]


def add_account(tx: Transaction, key: int) -> bool:
    """Make a contact of an account, unless it is a bot, or has one. Whether it did."""
    account = person_by_key(tx, key)
    if account.bot or account.imported or account.erased_at is not None:
        return False
    held = of_external(tx, CHAT, account.id)
    if held is not None and held.verified_at is not None:
        return False
    [contact] = create_many(tx, [_names(account.name)], source=_SOURCE, actor=None)
    claim(tx, contact, CHAT, account.id, account=account, verified=True, name=account.name, actor=None)
    return True


def _names(name: str) -> Values:
    first, last = split_name(name)
    values, _ = check({"first_name": first, "last_name": last}, Rules())
    return values


# ---- accounts that exist


async def add_all_accounts(ctx: Context, work: Work) -> Mapping[str, Any] | None:
    """Make contacts of the accounts that have none, from the checkpoint on."""
    state = dict(work.state or {"after": 0, "made": 0})
    for size in work.slices(_MOST):

        def write(tx: Transaction, size: int = size, state: dict[str, int] = state) -> dict[str, int] | None:
            keys = accounts_page(tx, state["after"], size)
            if not keys:
                return None
            made = state["made"] + sum(add_account(tx, key) for key in keys)
            now = {"after": keys[-1], "made": made}
            work.note(tx, done=work.done + len(keys), state=now)
            return now

        found = await work.write(write)
        if found is None:
            break
        state = found
    return {"made": state["made"]}


KIND = WorkKind("accounts", add_all_accounts, "Contacts of accounts")


# ---- new names


async def follow_names(ctx: Context, rows: Sequence[Row]) -> Write[object] | None:
    """A contact that came from chat has the account's name, until somebody gives it another."""
    if not ctx.settings(CrmSettings).chat_accounts:
        return None
    people = list(dict.fromkeys(row.subject for row in rows))

    def write(tx: Transaction) -> None:
        for person in people:
            rename(tx, person_by_key(tx, person))

    return write


def rename(tx: Transaction, account: Account) -> None:
    identity = of_person(tx, account.key)
    if identity is None or account.erased_at is not None or identity.name in (None, account.name):
        return
    found = rows(tx, [identity.contact])
    before = _names(identity.name or "")
    if not found or found[0].source != _SOURCE:
        return
    if any(getattr(found[0], name) != before.get(name) for name in ("first_name", "last_name")):
        return
    update_many(tx, [(found[0].key, {"first_name": None, "last_name": None} | _names(account.name))], actor=None)
    set_name(tx, identity, account.name)


CONSUMER = Consumer("account_names", follow_names, frozenset({PersonUpdated.name}), pause=1.0)
