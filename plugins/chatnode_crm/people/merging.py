"""Merging two contacts into one, and undoing it.

All that belongs to the other contact goes over to the one that is left: lists, tags, notes, identities, consents,
opt-outs. The events are those of what really changed: the other one is deleted (`merged`), the one that is left is
updated, added to lists and tagged. A merge can be undone until something about the contact changes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import attrs
import orjson

from chatnode.api import Querying, Refusal, Transaction, json_array, new_id, record
from chatnode_crm.contacts import index
from chatnode_crm.contacts.custom import read_custom
from chatnode_crm.contacts.events import CrmContactCreated
from chatnode_crm.contacts.fields import by_key
from chatnode_crm.contacts.finding import ContactRow, keys_by_email, keys_by_external, rows
from chatnode_crm.contacts.numbered import ways_to_name
from chatnode_crm.contacts.writing import delete_many, update_many
from chatnode_crm.deliveries import merge_deliveries, unmerge_deliveries
from chatnode_crm.lists import membership
from chatnode_crm.lists.finding import list_by_key
from chatnode_crm.people import pairs, snapshots
from chatnode_crm.people.snapshots import KEYED, Rows, Snapshot
from chatnode_crm.removals import not_noted
from chatnode_crm.tags import tagging
from chatnode_crm.tags.finding import tag_by_key

FIELDS = (
    "email", "external_id", "first_name", "last_name", "company", "phone", "country", "city", "description", "owner"
)  # fmt: skip
_KEYS = {"email": "email_key", "phone": "phone_key"}
_MOVED = {**dict.fromkeys(KEYED, "key"), snapshots.REDIRECTS: "id"}
"""Tables whose rows all go over, and what tells the rows apart."""
_DELIVERED = "crm_delivered"
"""In the snapshot of the other contact: by how much the merge has changed the numbers of broadcasts."""
REASON = "merged"


@record(frozen=True)
class MergeRow:
    """A row of `crm_merges`: `contact` is left, `gone` was merged into it; both by key."""

    key: int
    id: str
    contact: int
    gone: int
    before: str
    after: str
    at: int


def merge(
    tx: Transaction,
    kept: ContactRow,
    other: ContactRow,
    take: Collection[str],
    take_custom: Collection[str],
    *,
    actor: int | None,
) -> str:
    """Merge `other` into `kept`; returns the id of the merge. `take_custom` has keys of custom fields.

    Raises `Refusal`: `invalid` for a contact with itself, `conflict` for two that a user said are not the same.
    """
    if kept.key == other.key:
        raise Refusal("invalid", "a contact cannot be merged with itself", path="other")
    if pairs.is_not_same(tx, kept.key, other.key):
        raise Refusal(
            "conflict",
            "these contacts are marked as different; undo that with crm.contacts.not_same",
            path="other",
        )
    id = new_id()
    before = _before(snapshots.snapshot_contact(tx, kept.key), snapshots.snapshot_contact(tx, other.key))
    before["other"][_DELIVERED] = _move_rows(tx, kept.key, other.key)
    _move_merges(tx, kept.key, other.key, id)
    _move_pairs(tx, kept.key, other.key)
    delete_many(tx, [other.key], reason=REASON, actor=actor)
    tx.execute(
        "INSERT INTO crm_redirects (id, contact) VALUES (?, ?) "
        "ON CONFLICT (id) DO UPDATE SET contact = excluded.contact",
        (other.id, kept.key),
    )
    update_many(tx, [(kept.key, _values(kept, other, take, take_custom))], actor=actor)
    _join(tx, kept.key, before["other"], actor)
    tx.execute(
        "INSERT INTO crm_merges (id, contact, gone, before, after, at, by) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            id, kept.key, other.key, orjson.dumps(before).decode(),
            snapshots.digest(snapshots.snapshot_contact(tx, kept.key)), tx.now, actor,
        ),
    )  # fmt: skip
    return id


def _values(kept: ContactRow, other: ContactRow, take: Collection[str], take_custom: Collection[str]) -> dict[str, Any]:
    """What is written: fields of `other` that are chosen, or that `kept` lacks. Opting out is never undone."""
    found: dict[str, Any] = {}
    for name in FIELDS:
        value = getattr(other, name)
        if value is not None and (name in take or getattr(kept, name) is None):
            found[name] = value
            if name in _KEYS:
                found[_KEYS[name]] = getattr(other, _KEYS[name])
    if kept.opted_out_at is None and other.opted_out_at is not None:
        found["opted_out_at"] = other.opted_out_at
    mine, theirs = read_custom(kept.custom), read_custom(other.custom)
    custom = {key: value for key, value in theirs.items() if key in take_custom or key not in mine}
    return found | ({"custom": custom} if custom else {})


def _before(kept: Snapshot, other: Snapshot) -> dict[str, dict[str, Rows]]:
    """What undoing needs: of relations that all go over, only those that did. Else a contact into which many are
    merged, one after the other, would have a copy of all its notes for each."""
    return {"kept": {table: rows for table, rows in kept.items() if table not in _MOVED}, "other": {**other}}


def _move_merges(tx: Transaction, kept: int, other: int, id: str) -> None:
    """Earlier merges into the other one are part of this one: undone after it, and erased with what is left."""
    tx.execute(
        "UPDATE crm_merges SET contact = :kept, part_of = coalesce(part_of, :id) WHERE contact = :other",
        {"kept": kept, "other": other, "id": id},
    )


def _move_rows(tx: Transaction, kept: int, other: int) -> Rows:
    """Returns by how much the numbers of broadcasts have changed."""
    both = {"kept": kept, "other": other}
    for table in _MOVED:
        tx.execute(f"UPDATE {table} SET contact = :kept WHERE contact = :other", both)  # noqa: S608 -- constants
    tx.execute(
        "UPDATE crm_opt_outs SET contact = :kept WHERE contact = :other AND NOT EXISTS "
        "(SELECT 1 FROM crm_opt_outs mine WHERE mine.contact = :kept AND mine.list = crm_opt_outs.list)",
        both,
    )
    tx.execute("DELETE FROM crm_opt_outs WHERE contact = :other", both)
    return merge_deliveries(tx, kept, other)


def _move_pairs(tx: Transaction, kept: int, other: int) -> None:
    """Who the other may be, the one that is left may be; and who it is not, it is not."""
    for row in snapshots.snapshot_contact(tx, other)[snapshots.PAIRS]:
        third = row["one"] if row["other"] == other else row["other"]
        if third == kept:
            continue
        if row["verdict"] == "not_same":
            pairs.set_not_same(tx, kept, third, row["by"])
        else:
            pairs.suggest(tx, kept, third, row["reason"], row["score"])
    pairs.forget_pairs(tx, [other])


def _join(tx: Transaction, contact: int, other: Snapshot, actor: int | None) -> None:
    """On the lists and under the tags of a snapshot that still exist, since when that was."""
    for row in other["crm_members"]:
        if list_by_key(tx, row["list"]) is not None and membership.add_many(tx, row["list"], [contact], actor=actor):
            tx.execute(
                "UPDATE crm_members SET added_at = :added_at, added_by = :added_by "
                "WHERE list = :list AND contact = :contact",
                row | {"contact": contact},
            )
    for row in other["crm_taggings"]:
        if tag_by_key(tx, row["tag"]) is not None and tagging.tag_many(tx, row["tag"], [contact], actor=actor):
            tx.execute(
                "UPDATE crm_taggings SET created_at = :created_at, created_by = :created_by "
                "WHERE tag = :tag AND contact = :contact",
                row | {"contact": contact},
            )


# ---- undoing


def find_merge(reader: Querying, id: str) -> MergeRow:
    """Raises `Refusal("not_found")`, also for one that is part of a later merge."""
    row = reader.execute(
        "SELECT key, id, contact, gone, before, after, at FROM crm_merges WHERE id = ? AND part_of IS NULL", (id,)
    ).fetchone()
    if row is None:
        raise Refusal(
            "not_found", "no such merge: it was undone, is too long ago, or the contact was merged again", path="merge"
        )
    return MergeRow(*row)


def unmerge(tx: Transaction, found: MergeRow, *, actor: int | None) -> tuple[str, str]:
    """Both contacts are as they were; returns their ids. Raises `Refusal("conflict")` if anything changed since."""
    if snapshots.digest(snapshots.snapshot_contact(tx, found.contact)) != found.after:
        raise Refusal("conflict", "the contact was changed since the merge, so it cannot be undone", path="merge")
    before: dict[str, Snapshot] = orjson.loads(found.before)
    kept, other = before["kept"], before["other"]
    _check_free(tx, other, found.contact)
    tx.execute("DELETE FROM crm_merges WHERE key = ?", (found.key,))
    with not_noted(tx):
        _leave(tx, found, kept, other, actor)
    _take_back(tx, found, kept, actor)
    _revive(tx, other, actor)
    _put_back(tx, found, kept, other)
    _put_merges_back(tx, found)
    _join(tx, found.gone, other, actor)
    return kept["crm_contacts"][0]["id"], other["crm_contacts"][0]["id"]


def _check_free(tx: Transaction, other: Snapshot, kept: int) -> None:
    """Raises `Refusal("conflict")` if a third contact has an email or an external id of the other one by now."""
    [row] = other["crm_contacts"]
    for column, name in (("email_key", "email"), ("external_id", "external id")):
        taken = tx.execute(
            f"SELECT 1 FROM crm_contacts WHERE {column} = ? AND key <> ?",  # noqa: S608 -- constants
            (row[column], kept),
        ).fetchone()
        if taken is not None:
            raise Refusal("conflict", f"another contact now has the {name}; the merge cannot be undone", path="merge")


def _leave(tx: Transaction, found: MergeRow, kept: Snapshot, other: Snapshot, actor: int | None) -> None:
    """Off the lists and tags that only the other one had."""
    mine = {row["list"] for row in kept["crm_members"]}
    for row in other["crm_members"]:
        if row["list"] not in mine:
            membership.remove_many(tx, row["list"], [found.contact], actor=actor)
    mine = {row["tag"] for row in kept["crm_taggings"]}
    for row in other["crm_taggings"]:
        if row["tag"] not in mine:
            tagging.untag_many(tx, row["tag"], [found.contact], actor=actor)


def _take_back(tx: Transaction, found: MergeRow, kept: Snapshot, actor: int | None) -> None:
    [now] = rows(tx, [found.contact])
    [row] = kept["crm_contacts"]
    values = {name: row[name] for name in (*FIELDS, *_KEYS.values(), "opted_out_at")}
    custom = dict.fromkeys(read_custom(now.custom)) | read_custom(row["custom"])
    update_many(tx, [(found.contact, values | ({"custom": custom} if custom else {}))], actor=actor)


def _revive(tx: Transaction, other: Snapshot, actor: int | None) -> None:
    """The contact that was merged is there again, with its key and its id."""
    [row] = other["crm_contacts"]
    tx.execute("DELETE FROM crm_redirects WHERE id = ?", (row["id"],))
    tx.execute("DELETE FROM crm_gone WHERE contact = ?", (row["key"],))
    fields = by_key(tx)  # some may be deleted since
    custom = {key: value for key, value in read_custom(row["custom"]).items() if key in fields}
    changed: dict[str, Any] = {
        "custom": orjson.dumps(custom, option=orjson.OPT_SORT_KEYS).decode() if custom else None,
        "version": tx.next_gid, "updated_at": tx.now, "updated_by": actor,
    }  # fmt: skip
    snapshots.put_rows(tx, "crm_contacts", [row | changed])
    index.add(tx, [(row["key"], row["words"])])
    tx.record_many(CrmContactCreated, [row["key"]], actor=actor)


def _put_back(tx: Transaction, found: MergeRow, kept: Snapshot, other: Snapshot) -> None:
    """Each relation belongs to whom it belonged to."""
    for table, column in _MOVED.items():
        moved = json_array(row[column] for row in other.get(table, ()))  # one may be younger than the merge
        tx.execute(
            f"UPDATE {table} SET contact = ? WHERE {column} IN (SELECT value FROM json_each(?))",  # noqa: S608
            (found.gone, moved),
        )
    mine = {row["list"] for row in kept["crm_opt_outs"]}
    for row in other["crm_opt_outs"]:
        if row["list"] in mine:
            snapshots.put_rows(tx, "crm_opt_outs", [row])
        else:
            tx.execute(
                "UPDATE crm_opt_outs SET contact = ? WHERE contact = ? AND list = ?",
                (found.gone, found.contact, row["list"]),
            )
    deliveries = kept["crm_deliveries"], other["crm_deliveries"]
    unmerge_deliveries(tx, *deliveries, found.contact, found.gone, other.get(_DELIVERED))
    pairs.forget_pairs(tx, [found.contact, found.gone])
    rows = {(row["one"], row["other"]): row for row in (*kept["crm_pairs"], *other["crm_pairs"])}
    alive = _alive(tx, {key for pair in rows for key in pair})
    snapshots.put_rows(tx, "crm_pairs", [row for pair, row in rows.items() if alive.issuperset(pair)])


def _put_merges_back(tx: Transaction, found: MergeRow) -> None:
    """The merges that were part of this one, with those that are part of them, belong to the other contact again."""
    tx.execute(
        "WITH RECURSIVE parts (id) AS (SELECT id FROM crm_merges WHERE part_of = :whole "
        "UNION ALL SELECT m.id FROM parts p JOIN crm_merges m ON m.part_of = p.id) "
        "UPDATE crm_merges SET contact = :gone WHERE id IN (SELECT id FROM parts)",
        {"whole": found.id, "gone": found.gone},
    )
    tx.execute("UPDATE crm_merges SET part_of = NULL WHERE part_of = ?", (found.id,))


def _alive(tx: Transaction, keys: Collection[int]) -> set[int]:
    found = tx.execute(
        "SELECT key FROM crm_contacts WHERE key IN (SELECT value FROM json_each(?))", (json_array(keys),)
    )
    return {key for (key,) in found}


# ---- forgetting


def remove_old(tx: Transaction, until: int, most: int) -> int:
    """Merges from before a time cannot be undone any more; returns how many were removed, up to `most`."""
    return tx.execute(
        "DELETE FROM crm_merges WHERE key IN (SELECT key FROM crm_merges WHERE at < ? ORDER BY at, key LIMIT ?)",
        (until, most),
    ).rowcount


def merged_into(reader: Querying, keys: Sequence[int]) -> list[int]:
    """The keys of contacts that were merged into these, also long ago: the journal may still say something of them."""
    rows = reader.execute(
        "SELECT g.contact FROM crm_redirects r JOIN crm_gone g ON g.id = r.id "
        "WHERE r.contact IN (SELECT value FROM json_each(?))",
        (json_array(keys),),
    )
    return [key for (key,) in rows]


def earlier_contacts(reader: Querying, keys: Sequence[int]) -> list[tuple[str, str | None]]:
    """Ids of contacts that were merged into these, and the normalized emails that they and these had, without those
    that other contacts have now, as long as the merge can be undone. An id with several emails is given with each."""
    many = json_array(keys)
    known = {(row["id"], row["email_key"]) for row in _merged_rows(reader, many)}
    holders = keys_by_email(reader, [email for _, email in known if email])
    taken = {email for email, key in holders.items() if key not in keys}
    found = {(id, None if email in taken else email) for id, email in known}
    ids = reader.execute("SELECT id FROM crm_redirects WHERE contact IN (SELECT value FROM json_each(?))", (many,))
    return [*found, *((id, None) for id in {id for (id,) in ids} - {id for id, _ in known})]


def merged_names(reader: Querying, keys: Sequence[int]) -> list[tuple[str | None, str | None]]:
    """External ids, and phone numbers, with the names and alone, that contacts and those that were merged into them had
    before, as long as the merge can be undone; without external ids that other contacts have now."""
    before = _merged_rows(reader, json_array(keys))
    external_ids = {row["external_id"] for row in before if row["external_id"]}
    holders = keys_by_external(reader, external_ids)
    taken = {external_id for external_id, key in holders.items() if key not in keys}
    numbers = {number for row in before for number in ways_to_name(row)}
    return [*((each, None) for each in external_ids - taken), *((None, number) for number in numbers)]


def _merged_rows(reader: Querying, keys: str) -> list[dict[str, Any]]:
    """Both contacts of each merge into one of these, as they were before."""
    merges = reader.execute("SELECT before FROM crm_merges WHERE contact IN (SELECT value FROM json_each(?))", (keys,))
    return [
        row
        for (before,) in merges.fetchall()
        for snapshot in orjson.loads(before).values()
        for row in snapshot[snapshots.CONTACTS]
    ]


def gone_contact(before: str) -> ContactRow:
    """The contact that was merged into another one, from what the merge keeps."""
    [row] = orjson.loads(before)["other"][snapshots.CONTACTS]
    return ContactRow(**{field.name: row.get(field.name) for field in attrs.fields(ContactRow)})


def forget_merges(tx: Transaction, keys: Sequence[int]) -> None:
    """What merges keep of contacts that are gone, and of those that had been merged into them."""
    both = json_array([*keys, *merged_into(tx, keys)])
    for column in ("contact", "gone"):
        tx.execute(f"DELETE FROM crm_merges WHERE {column} IN (SELECT value FROM json_each(?))", (both,))  # noqa: S608
