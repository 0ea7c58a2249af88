"""Segments: saved filters, run each time that a segment's members are needed."""

from __future__ import annotations

import json
from typing import Any

from chatnode.api import Asker, Reader, Refusal, Transaction, filter_sql
from chatnode_crm.contacts import CONTACTS


def save(tx: Transaction, asker: Asker, name: str, condition: dict[str, Any]) -> None:
    """Save a segment. Raises `Refusal` with the path of the fault if the filter is invalid."""
    filter_sql(tx, asker, CONTACTS, condition)
    tx.execute(
        "INSERT INTO crm_segments (name, filter) VALUES (?, ?) "
        "ON CONFLICT (name) DO UPDATE SET filter = excluded.filter",
        (name, json.dumps(condition)),
    )


def saved(reader: Reader, name: str) -> dict[str, Any]:
    """The filter of a segment. Raises `Refusal("not_found")`."""
    found = reader.execute("SELECT filter FROM crm_segments WHERE name = ?", (name,)).fetchone()
    if found is None:
        raise Refusal("not_found", f"no such segment: {name[:80]!r}", path="segment")
    return json.loads(found[0])


def size(reader: Reader, asker: Asker, name: str) -> int:
    """The number of contacts in a segment now."""
    found = filter_sql(reader, asker, CONTACTS, saved(reader, name))
    sql = f"SELECT count(*) FROM {CONTACTS.source} WHERE {found.sql}"  # noqa: S608 - it contains no values
    return reader.execute(sql, found.values).fetchone()[0]
