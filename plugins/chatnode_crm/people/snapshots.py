"""All that is stored about a contact, as JSON: what a merge keeps to be undone, and what tells that nothing changed."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import orjson

from chatnode.api import Querying, Transaction

Rows = list[dict[str, Any]]
Snapshot = Mapping[str, Rows]
"""Rows by table."""

CONTACTS = "crm_contacts"
KEYED = ("crm_notes", "crm_identities", "crm_consents", "crm_removals")
"""Their rows belong to one contact, and go along with it."""
PAIRED = {"crm_members": "list", "crm_taggings": "tag", "crm_opt_outs": "list", "crm_deliveries": "broadcast"}
"""A contact has one row for each value of this column."""
REDIRECTS = "crm_redirects"
PAIRS = "crm_pairs"
_APART = frozenset({"crm_deliveries", "crm_removals"})
"""What changes without anybody changing the contact."""
_NOT_COMPARED = frozenset({"version", "updated_at", "updated_by"})


def snapshot_contact(reader: Querying, contact: int) -> Snapshot:
    """The contact's rows in all tables, with the pairs that it is in and the redirects to it.

    Earlier merges are not among them: they have snapshots themselves, and each would have all those before it.
    """
    found: dict[str, Rows] = {CONTACTS: _rows(reader, CONTACTS, "key = :key", contact)}
    for table in (*KEYED, *PAIRED, REDIRECTS):
        found[table] = _rows(reader, table, "contact = :key", contact)
    found[PAIRS] = _rows(reader, PAIRS, "one = :key OR other = :key", contact)
    return found


def digest(snapshot: Snapshot) -> str:
    """Different if anything about the contact is. What is sent to it does not count."""
    compared = {
        table: sorted(orjson.dumps(_compared(row), option=orjson.OPT_SORT_KEYS).decode() for row in rows)
        for table, rows in snapshot.items()
        if table not in _APART
    }
    return sha256(orjson.dumps(compared, option=orjson.OPT_SORT_KEYS)).hexdigest()


def put_rows(tx: Transaction, table: str, rows: Rows) -> None:
    """Insert rows as they were."""
    for row in rows:
        names, places = ", ".join(row), ", ".join(f":{name}" for name in row)
        tx.execute(f"INSERT INTO {table} ({names}) VALUES ({places})", row)  # noqa: S608 -- our own names


def _compared(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in _NOT_COMPARED}


def _rows(reader: Querying, table: str, condition: str, contact: int) -> Rows:
    cursor = reader.execute(f"SELECT * FROM {table} WHERE {condition}", {"key": contact})  # noqa: S608 -- constants
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]
