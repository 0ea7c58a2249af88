"""Opting out of broadcasts: from everything, or from those to one list."""

from __future__ import annotations

from collections.abc import Sequence

from chatnode.api import Querying, Transaction, json_array
from chatnode_crm.contacts.writing import update_many


def is_opted_out(reader: Querying, contact: int, list_key: int | None) -> bool:
    """From everything, or from the list."""
    row = reader.execute(
        "SELECT 1 FROM crm_contacts WHERE key = :contact AND opted_out_at IS NOT NULL "
        "UNION ALL SELECT 1 FROM crm_opt_outs WHERE contact = :contact AND list = :list",
        {"contact": contact, "list": list_key},
    ).fetchone()
    return row is not None


def opt_out(tx: Transaction, contact: int, list_key: int | None, at: int, *, actor: int | None) -> bool:
    """Whether that changed something: the first time stays."""
    if list_key is not None:
        rows = tx.execute(
            "INSERT INTO crm_opt_outs (contact, list, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (contact, list_key, at),
        )
        return rows.rowcount > 0
    if is_opted_out(tx, contact, None):
        return False
    return bool(update_many(tx, [(contact, {"opted_out_at": at})], actor=actor))


def opt_in(tx: Transaction, contact: int, list_key: int | None, *, actor: int | None) -> bool:
    """Whether that changed something. Opting in to everything undoes every opting out."""
    if list_key is not None:
        sql = "DELETE FROM crm_opt_outs WHERE contact = ? AND list = ?"
        return tx.execute(sql, (contact, list_key)).rowcount > 0
    of_lists = tx.execute("DELETE FROM crm_opt_outs WHERE contact = ?", (contact,)).rowcount
    of_all = update_many(tx, [(contact, {"opted_out_at": None})], actor=actor)
    return of_lists > 0 or bool(of_all)


def forget_opt_outs(tx: Transaction, keys: Sequence[int]) -> None:
    tx.execute("DELETE FROM crm_opt_outs WHERE contact IN (SELECT value FROM json_each(?))", (json_array(keys),))
