"""Filters of dynamic lists that name the email address of a contact that is erased."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

import orjson

from chatnode.api import Transaction
from chatnode_crm.contacts.values import email_key

INSTEAD = "erased"
"""What stands for such an address. No contact has it, so that the filter matches the same contacts as before."""


def forget_addresses(tx: Transaction, emails: Collection[str]) -> None:
    """Remove normalized addresses from the filters that have them as a value."""
    rows = tx.execute("SELECT key, filter FROM crm_lists WHERE filter IS NOT NULL AND instr(filter, '@')").fetchall()
    for key, stored in rows if emails else ():
        filter = orjson.loads(stored)
        without = _without(filter, emails)
        if without != filter:
            tx.execute("UPDATE crm_lists SET filter = ? WHERE key = ?", (orjson.dumps(without).decode(), key))


def _without(value: Any, emails: Collection[str]) -> Any:
    if isinstance(value, str):
        return INSTEAD if "@" in value and email_key(value) in emails else value
    if isinstance(value, dict):
        return {name: _without(each, emails) for name, each in cast("dict[str, Any]", value).items()}
    return [_without(each, emails) for each in cast("list[Any]", value)] if isinstance(value, list) else value
