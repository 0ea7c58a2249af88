"""Opting out of broadcasts: from everything, or from those to one list.

A user's reply to a broadcast is stored for their account. An opt-out that is set on a contact is stored for the
contact, and copied to its verified accounts when the two part: when the contact is deleted, or an account is removed
from it. So no user gets broadcasts again because a contact was recreated, or their account moved to another contact.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from chatnode.api import Querying, Transaction, json_array
from chatnode_crm.contacts.writing import update_many

_ALL = 0
"""Of an account, in place of a list's key: everything."""
THERE = f"(o.list = {_ALL} OR l.key IS NOT NULL)"
"""SQL: whether the opt-out `o` of an account is of everything, or of a list `l` that is there. Those of lists that were
deleted stay, as broadcasts under way may reach users through one."""
_ACCOUNTS = "SELECT person FROM crm_identities WHERE contact = :contact AND verified_at IS NOT NULL"


def is_opted_out(reader: Querying, contact: int | None, person: int | None, lists: Collection[int]) -> bool:
    """From everything, or from one of the lists; as the contact, or with the account."""
    row = reader.execute(
        "SELECT 1 FROM crm_contacts WHERE key = :contact AND opted_out_at IS NOT NULL "
        "UNION ALL SELECT 1 FROM crm_opt_outs WHERE contact = :contact "
        "AND list IN (SELECT value FROM json_each(:lists)) "
        "UNION ALL SELECT 1 FROM crm_account_opt_outs WHERE person = :person "
        "AND list IN (SELECT value FROM json_each(:all_or_lists))",
        {
            "contact": contact, "person": person, "lists": json_array(lists), "all_or_lists": json_array([_ALL, *lists])
        },
    ).fetchone()  # fmt: skip
    return row is not None


# ---- contacts


def opt_out(tx: Transaction, contact: int, list_key: int | None, at: int, *, actor: int | None) -> bool:
    """Whether that changed something: the first time stays."""
    if list_key is not None:
        rows = tx.execute(
            "INSERT INTO crm_opt_outs (contact, list, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (contact, list_key, at),
        )
        return rows.rowcount > 0
    if is_opted_out(tx, contact, None, ()):
        return False
    return bool(update_many(tx, [(contact, {"opted_out_at": at})], actor=actor))


def opt_in(tx: Transaction, contact: int, list_key: int | None, *, actor: int | None) -> bool:
    """Also the contact's verified accounts. Whether that changed something. Opting in to everything undoes every opting
    out."""
    named = {"contact": contact, "list": list_key}
    chosen = "" if list_key is None else " AND list = :list"
    changed = tx.execute(f"DELETE FROM crm_opt_outs WHERE contact = :contact{chosen}", named).rowcount  # noqa: S608
    changed += tx.execute(
        f"DELETE FROM crm_account_opt_outs WHERE person IN ({_ACCOUNTS}){chosen}",  # noqa: S608 -- constants
        named,
    ).rowcount
    if list_key is None:
        changed += len(update_many(tx, [(contact, {"opted_out_at": None})], actor=actor))
    return changed > 0


def take_along(tx: Transaction, lists: Collection[int], into: int, contacts: Sequence[int]) -> None:
    """Contacts that one list got from others have opted out of it if they have of one of those."""
    tx.execute(
        "INSERT INTO crm_opt_outs (contact, list, at) SELECT contact, :into, min(at) FROM crm_opt_outs "
        "WHERE contact IN (SELECT value FROM json_each(:contacts)) AND list IN (SELECT value FROM json_each(:lists)) "
        "GROUP BY contact ON CONFLICT DO NOTHING",
        {"into": into, "contacts": json_array(contacts), "lists": json_array(lists)},
    )


def forget_opt_outs(tx: Transaction, keys: Sequence[int]) -> None:
    """Of contacts that are gone; their accounts keep them. Call this while the contacts still have their accounts."""
    keep_for_accounts(tx, keys)
    tx.execute("DELETE FROM crm_opt_outs WHERE contact IN (SELECT value FROM json_each(?))", (json_array(keys),))


# ---- accounts


def opted_out_since(reader: Querying, person: int) -> int | None:
    """Since when an account gets no broadcasts at all."""
    row = reader.execute("SELECT at FROM crm_account_opt_outs WHERE person = ? AND list = ?", (person, _ALL)).fetchone()
    return row[0] if row is not None else None


def opt_out_account(tx: Transaction, person: int, list_key: int | None, at: int) -> bool:
    """Whether that changed something: the first time stays."""
    rows = tx.execute(
        "INSERT INTO crm_account_opt_outs (person, list, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (person, _ALL if list_key is None else list_key, at),
    )
    return rows.rowcount > 0


def opt_in_account(tx: Transaction, person: int, list_key: int | None) -> bool:
    """Whether that changed something. Opting in to everything undoes every opting out."""
    rows = tx.execute(
        "DELETE FROM crm_account_opt_outs WHERE person = :person AND (list = :list OR :list IS NULL)",
        {"person": person, "list": list_key},
    )
    return rows.rowcount > 0


def opt_in_accounts_of(tx: Transaction, contact: int) -> None:
    """What the verified accounts of a contact have opted out of everything is undone, and of lists it stays."""
    tx.execute(
        f"DELETE FROM crm_account_opt_outs WHERE person IN ({_ACCOUNTS}) AND list = {_ALL}",  # noqa: S608 -- constants
        {"contact": contact},
    )


def keep_for_accounts(tx: Transaction, contacts: Sequence[int], person: int | None = None) -> None:
    """What contacts have opted out of, their verified accounts have from now on; with `person`, that account only."""
    accounts = (
        "i.contact IN (SELECT value FROM json_each(:contacts)) AND i.verified_at IS NOT NULL "
        "AND i.person IS NOT NULL AND (i.person = :person OR :person IS NULL)"
    )
    tx.execute(
        "INSERT INTO crm_account_opt_outs (person, list, at) "  # noqa: S608 -- constants
        f"SELECT i.person, {_ALL}, c.opted_out_at FROM crm_identities i JOIN crm_contacts c ON c.key = i.contact "
        f"WHERE c.opted_out_at IS NOT NULL AND {accounts} UNION ALL "
        f"SELECT i.person, o.list, o.at FROM crm_identities i JOIN crm_opt_outs o ON o.contact = i.contact "
        f"WHERE {accounts} ON CONFLICT DO NOTHING",
        {"contacts": json_array(contacts), "person": person},
    )


def follow_account(tx: Transaction, contact: int, person: int, *, actor: int | None) -> None:
    """A contact that gets a verified account has opted out of what the account has."""
    rows = tx.execute("SELECT list, at FROM crm_account_opt_outs WHERE person = ? ORDER BY key", (person,))
    for list_key, at in rows.fetchall():
        opt_out(tx, contact, None if list_key == _ALL else list_key, at, actor=actor)
