"""Segments: a filter that is saved, and asked again whenever somebody wants to know who is in it."""

from __future__ import annotations

import json
from typing import Any

from chatnode.api import Asker, Reader, Refusal, Transaction, filter_sql
from chatnode_crm.contacts import CONTACTS


def save(tx: Transaction, asker: Asker, name: str, condition: dict[str, Any]) -> None:
    """Raises `Refusal` with the place of the fault, for a filter that could not be asked."""
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
        raise Refusal("not_found", f"there is no segment {name[:80]!r}", path="segment")
    return json.loads(found[0])


def size(reader: Reader, asker: Asker, name: str) -> int:
    """How many contacts are in a segment now."""
    found = filter_sql(reader, asker, CONTACTS, saved(reader, name))
    sql = f"SELECT count(*) FROM {CONTACTS.source} WHERE {found.sql}"  # noqa: S608 - it holds no value
    return reader.execute(sql, found.values).fetchone()[0]
