"""Who is on a list: many contacts at a time, with one statement for each table and one for the events.

Functions take keys of contacts, skip those that do not exist, and return the keys for which something changed. They do
not ask whether users may change the list: see `check_open`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from chatnode.api import Transaction, json_array
from chatnode_crm.contacts.subjects import pack_many
from chatnode_crm.lists.events import CrmContactAddedToList, CrmContactRemovedFromList
from chatnode_crm.removals import note_removals


def add_many(tx: Transaction, list_key: int, contact_keys: Sequence[int], *, actor: int | None) -> list[int]:
    """Put contacts on a list, with an event for each that was not on it; returns their keys."""
    added = put_many(tx, list_key, contact_keys, actor=actor)
    tx.record_many(CrmContactAddedToList, pack_many(list_key, added), actor=actor)
    return added


def remove_many(tx: Transaction, list_key: int, contact_keys: Sequence[int], *, actor: int | None) -> list[int]:
    """Take contacts off a list, with an event for each that was on it; returns their keys."""
    removed = take_many(tx, list_key, contact_keys, actor=actor)
    tx.record_many(CrmContactRemovedFromList, pack_many(list_key, removed), actor=actor)
    return removed


def put_many(tx: Transaction, list_key: int, contact_keys: Sequence[int], *, actor: int | None) -> list[int]:
    """Like `add_many`, without events: for callers that record events of their own. The time of joining is kept."""
    rows = tx.execute(
        "INSERT INTO crm_members (list, contact, added_at, added_by) "
        "SELECT :list, k.value, :now, :actor FROM json_each(:keys) k "
        "WHERE EXISTS (SELECT 1 FROM crm_contacts c WHERE c.key = k.value) "
        "ON CONFLICT (list, contact) DO NOTHING RETURNING contact",
        {"list": list_key, "now": tx.now, "actor": actor, "keys": json_array(contact_keys)},
    )
    added = [contact for (contact,) in rows.fetchall()]
    _count(tx, list_key, len(added))
    return added


def take_many(tx: Transaction, list_key: int, contact_keys: Sequence[int], *, actor: int | None) -> list[int]:
    """Like `remove_many`, without events."""
    rows = tx.execute(
        "DELETE FROM crm_members WHERE list = ? AND contact IN (SELECT value FROM json_each(?)) "
        "RETURNING contact, added_at",
        (list_key, json_array(contact_keys)),
    )
    removed = rows.fetchall()
    _count(tx, list_key, -len(removed))
    note_removals(tx, "list", list_key, removed, actor)
    return [contact for contact, _ in removed]


def _count(tx: Transaction, list_key: int, change: int) -> None:
    """Keep the list's number of members; a campaign that gets its first members is being populated."""
    if change:
        tx.execute(
            "UPDATE crm_lists SET members = members + :change, added = added + :added, active_at = :now, "
            "stage = CASE WHEN stage = 'creation' AND :change > 0 THEN 'population' ELSE stage END WHERE key = :list",
            {"change": change, "added": max(change, 0), "now": tx.now, "list": list_key},
        )


def forget_contacts(tx: Transaction, keys: Sequence[int]) -> None:
    """Take contacts that are deleted off all lists. Without events: theirs says that they are gone."""
    rows = tx.execute(
        "DELETE FROM crm_members WHERE contact IN (SELECT value FROM json_each(?)) RETURNING list", (json_array(keys),)
    )
    counts = Counter(list_key for (list_key,) in rows.fetchall())
    tx.executemany(
        "UPDATE crm_lists SET members = members - ?, active_at = ? WHERE key = ?",
        [(count, tx.now, list_key) for list_key, count in sorted(counts.items())],
    )
