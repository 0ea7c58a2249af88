"""Deleting contacts, many at a time."""

from __future__ import annotations

from collections.abc import Sequence

from chatnode.api import Transaction, json_array
from chatnode_crm.contacts import finding, index, journal, notes
from chatnode_crm.contacts.events import CrmContactDeleted
from chatnode_crm.contacts.forgetting import forget_elsewhere


def delete_many(tx: Transaction, keys: Sequence[int], *, reason: str | None, actor: int | None) -> int:
    """Delete contacts with all that belongs to them; returns how many there were.

    The journal keeps what they were for a while, so that consumers learn which contact is gone, and why.
    """
    found = finding.rows(tx, list(dict.fromkeys(keys)))
    if not found:
        return 0
    gone = [row.key for row in found]
    first = tx.next_gid
    forget_elsewhere(tx, gone)
    notes.forget_contacts(tx, gone)
    index.remove(tx, [(row.key, row.words) for row in found])
    listed = json_array(gone)
    for table, column in (("crm_redirects", "contact"), ("crm_contacts", "key")):
        tx.execute(f"DELETE FROM {table} WHERE {column} IN (SELECT value FROM json_each(?))", (listed,))  # noqa: S608
    tx.executemany(
        "INSERT INTO crm_gone (contact, id, gid) VALUES (?, ?, ?)",
        [(row.key, row.id, gid) for gid, row in enumerate(found, first)],
    )
    journal.note_deletions(tx, found, first, reason, actor)
    journal.move_to_gids(tx, first, tx.record_many(CrmContactDeleted, gone, actor=actor))
    return len(gone)


def erase_many(tx: Transaction, keys: Sequence[int], *, reason: str | None, actor: int | None) -> int:
    """Delete contacts and what the journal says of them, also of those that were deleted before. Events about them say
    ids only from now on. Returns how many were deleted."""
    deleted = delete_many(tx, keys, reason=reason, actor=actor)
    journal.forget_contacts(tx, keys)
    return deleted
