"""Emails of erased contacts, as keyed hashes: nothing brings such a contact back but a user who creates it by hand.

The key is in the database since the plugin's first start, so every backup has it, and a hash means the same after a
restore. Hashes without the key tell nothing.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable

from chatnode.api import Querying, Transaction, json_array


def hashes_of(reader: Querying, email_keys: Iterable[str]) -> dict[str, str]:
    """Hash → the normalized email that it is made of."""
    row = reader.execute("SELECT value FROM crm_people_state WHERE name = 'suppression'").fetchone()
    key = bytes.fromhex(row[0])
    return {hmac.digest(key, email.encode(), "sha256").hex(): email for email in email_keys}


def is_suppressed_many(reader: Querying, email_keys: Iterable[str]) -> set[str]:
    """Those of the normalized emails that must not become contacts again."""
    if reader.execute("SELECT 1 FROM crm_suppressed LIMIT 1").fetchone() is None:
        return set()
    hashes = hashes_of(reader, email_keys)
    found = reader.execute(
        "SELECT hash FROM crm_suppressed WHERE hash IN (SELECT value FROM json_each(?))",
        (json_array(hashes),),
    )
    return {hashes[hash] for (hash,) in found}


def add_suppressed(tx: Transaction, hashes: Iterable[str], at: int) -> None:
    """Suppress emails, by their hashes."""
    tx.executemany(
        "INSERT INTO crm_suppressed (hash, at) VALUES (?, ?) ON CONFLICT DO NOTHING", [(each, at) for each in hashes]
    )
