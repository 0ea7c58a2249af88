"""Filters that name the email address of a contact that is erased: those of dynamic lists, and of what is still to be
done."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

import orjson

from chatnode.api import Transaction, change_work_arguments
from chatnode_crm.contacts.values import email_key

INSTEAD = "erased"
"""What stands for such an address. No contact has it, so that the filter matches the same contacts as before."""


_STORED = {"crm_lists": "filter", "crm_broadcasts": "selection", "crm_exports": "choice"}
"""Tables, and the columns that have filters."""
_WORKS = ("crm.bulk",)
"""Kinds of work that have filters in their arguments."""


def forget_addresses(tx: Transaction, emails: Collection[str]) -> None:
    """Remove normalized addresses from the filters that have them as a value."""
    if not emails:
        return
    for table, column in _STORED.items():
        rows = tx.execute(
            f"SELECT key, {column} FROM {table} WHERE {column} IS NOT NULL AND instr({column}, '@')"  # noqa: S608 -- constants
        ).fetchall()
        for key, stored in rows:
            before = orjson.loads(stored)
            after = _without(before, emails)
            if after != before:
                tx.execute(
                    f"UPDATE {table} SET {column} = ? WHERE key = ?",  # noqa: S608 -- constants
                    (orjson.dumps(after).decode(), key),
                )
    for kind in _WORKS:
        change_work_arguments(tx, kind, lambda arguments: _without(arguments, emails))


def _without(value: Any, emails: Collection[str]) -> Any:
    if isinstance(value, str):
        return INSTEAD if "@" in value and email_key(value) in emails else value
    if isinstance(value, dict):
        return {name: _without(each, emails) for name, each in cast("dict[str, Any]", value).items()}
    return [_without(each, emails) for each in cast("list[Any]", value)] if isinstance(value, list) else value
