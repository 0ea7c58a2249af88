"""Which contacts have a tag: many contacts at a time, with one statement for each table and one for the events.

Functions take keys of contacts, skip those that do not exist, and return the keys for which something changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from chatnode.api import Transaction, json_array
from chatnode_crm.contacts.subjects import pack_many
from chatnode_crm.removals import note_removals
from chatnode_crm.tags.events import CrmContactTagged, CrmContactUntagged


def tag_many(tx: Transaction, tag_key: int, contact_keys: Sequence[int], *, actor: int | None) -> list[int]:
    """Give contacts a tag, with an event for each that did not have it; returns their keys."""
    rows = tx.execute(
        "INSERT INTO crm_taggings (tag, contact, created_at, created_by) "
        "SELECT :tag, k.value, :now, :actor FROM json_each(:keys) k "
        "WHERE EXISTS (SELECT 1 FROM crm_contacts c WHERE c.key = k.value) "
        "ON CONFLICT (tag, contact) DO NOTHING RETURNING contact",
        {"tag": tag_key, "now": tx.now, "actor": actor, "keys": json_array(contact_keys)},
    )
    tagged = [contact for (contact,) in rows.fetchall()]
    _count(tx, tag_key, len(tagged))
    tx.record_many(CrmContactTagged, pack_many(tag_key, tagged), actor=actor)
    return tagged


def untag_many(tx: Transaction, tag_key: int, contact_keys: Sequence[int], *, actor: int | None) -> list[int]:
    """Take a tag from contacts, with an event for each that had it; returns their keys."""
    rows = tx.execute(
        "DELETE FROM crm_taggings WHERE tag = ? AND contact IN (SELECT value FROM json_each(?)) "
        "RETURNING contact, created_at",
        (tag_key, json_array(contact_keys)),
    )
    removed = rows.fetchall()
    note_removals(tx, "tag", tag_key, removed, actor)
    untagged = [contact for contact, _ in removed]
    _count(tx, tag_key, -len(untagged))
    tx.record_many(CrmContactUntagged, pack_many(tag_key, untagged), actor=actor)
    return untagged


def _count(tx: Transaction, tag_key: int, change: int) -> None:
    if change:
        tx.execute(
            "UPDATE crm_tags SET contacts = contacts + ?, added = added + ? WHERE key = ?",
            (change, max(change, 0), tag_key),
        )


def forget_contacts(tx: Transaction, keys: Sequence[int]) -> None:
    """Take all tags from contacts that are deleted. Without events: theirs says that they are gone."""
    rows = tx.execute(
        "DELETE FROM crm_taggings WHERE contact IN (SELECT value FROM json_each(?)) RETURNING tag", (json_array(keys),)
    )
    counts = Counter(tag for (tag,) in rows.fetchall())
    tx.executemany(
        "UPDATE crm_tags SET contacts = contacts - ? WHERE key = ?",
        [(count, tag) for tag, count in sorted(counts.items())],
    )
