"""Undoing an import: what it changed is put back, where nobody has changed it since.

The rows of `crm_import_slices` and `crm_import_images` say what is left to undo: each step removes from them what it
has undone, in its transaction. So it continues after a kill, and doing it again changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

import orjson

from chatnode.api import Querying, Transaction, json_array, record
from chatnode_crm.contacts.values import FieldFault
from chatnode_crm.contacts.writing import delete_many, update_many
from chatnode_crm.imports.attempts import attempt_write
from chatnode_crm.lists.changing import delete_list
from chatnode_crm.lists.finding import list_by_key
from chatnode_crm.lists.membership import remove_many
from chatnode_crm.tags.changing import delete_tag
from chatnode_crm.tags.finding import tag_by_key
from chatnode_crm.tags.tagging import tag_many, untag_many

CHANGED_SINCE = FieldFault("", "changed_since", "the contact was changed after the import; it was left as it is")
IN_USE = FieldFault(
    "", "in_use", "the contact got lists, tags, notes, accounts or preferences since the import; it was kept"
)
TAKEN = FieldFault("", "conflict", "another contact has one of its earlier values now; it was left as it is")

_AMONG = " AND contact IN (SELECT value FROM json_each(?))"
_TAGGED = "SELECT contact FROM crm_taggings WHERE tag = ? AND created_at = ?" + _AMONG  # noqa: S608
_LISTED = "SELECT contact FROM crm_members WHERE list = ? AND added_at = ?" + _AMONG  # noqa: S608
_BELONGING = ("crm_members", "crm_taggings", "crm_notes", "crm_identities", "crm_opt_outs", "crm_consents")
"""What would go with a contact. None of it is of the import: what that added is taken away before the contact."""
_IN_USE = " OR ".join(
    f"EXISTS (SELECT 1 FROM {table} WHERE contact = c.key)"  # noqa: S608 -- constants
    for table in _BELONGING
)


_Change = tuple[int, int, dict[str, Any]]
"""The number of a row, its contact, and what that was before."""


@record(frozen=True)
class UndoSetup:
    """Whose undoing it is."""

    import_key: int
    actor: int | None


def left_to_undo(reader: Querying, import_key: int) -> int:
    """About how many changes are left, for the progress: contacts to put back, and rows of slices."""
    (images,) = reader.execute("SELECT count(*) FROM crm_import_images WHERE import = ?", (import_key,)).fetchone()
    (rows,) = reader.execute(
        "SELECT coalesce(sum(length(verdicts)), 0) FROM crm_import_slices WHERE import = ? AND added <> ''",
        (import_key,),
    ).fetchone()
    return images + rows


def undo_some(tx: Transaction, setup: UndoSetup, most: int) -> Counter[str] | None:
    """Undo up to `most` changes, the newest first; returns what was done, None at the end.

    What a slice added goes before what it changed is put back: a contact may have got a value that another one gave up.
    """
    counts, before = Counter[str](), most
    while most > 0:
        part = _newest(tx, setup)
        done = _put_back(tx, setup, part.first + len(part.verdicts) if part is not None else 0, most, counts)
        if not done and part is not None:
            done = max(_take_from(tx, setup, part, most, counts), 1)
            _store(tx, setup, part)
        if not done:
            return counts if most < before else None
        most -= done
    return counts


# ---- contacts that were changed


def _put_back(tx: Transaction, setup: UndoSetup, first: int, most: int, counts: Counter[str]) -> int:
    """Put back contacts of the rows from `first` on; returns how many."""
    images = tx.execute(
        "SELECT i.key, i.row, i.contact, i.before, c.version IS NULL, c.version > i.gid "
        "FROM crm_import_images i LEFT JOIN crm_contacts c ON c.key = i.contact "
        "WHERE i.import = ? AND i.row >= ? ORDER BY i.row DESC LIMIT ?",
        (setup.import_key, first, most),
    ).fetchall()
    if not images:
        return 0
    changes: list[_Change] = [
        (row, contact, orjson.loads(before)) for _, row, contact, before, gone, later in images if not (gone or later)
    ]
    kept = [(row, CHANGED_SINCE) for _, row, _, _, gone, later in images if not gone and later]
    if changes and attempt_write(tx, partial(_update, tx, setup, changes)) is None:
        counts["restored"] += len(changes)
    else:
        for change in changes:
            if attempt_write(tx, partial(_update, tx, setup, [change])) is None:
                counts["restored"] += 1
            else:
                kept.append((change[0], TAKEN))
    tx.execute(
        "DELETE FROM crm_import_images WHERE key IN (SELECT value FROM json_each(?))",
        (json_array([image[0] for image in images]),),
    )
    _report(tx, setup, kept)
    counts["kept"] += len(kept)
    return len(images)


def _update(tx: Transaction, setup: UndoSetup, changes: Sequence[_Change]) -> None:
    update_many(tx, [(contact, before) for _, contact, before in changes], actor=setup.actor)


# ---- what was added


@record
class _Slice:
    """A row of `crm_import_slices`, with what is left to take away."""

    first: int
    verdicts: str
    gid: int
    at: int
    added: dict[str, Any]


def _newest(tx: Transaction, setup: UndoSetup) -> _Slice | None:
    row = tx.execute(
        "SELECT first, verdicts, gid, at, added FROM crm_import_slices WHERE import = ? AND added <> '' "
        "ORDER BY first DESC LIMIT 1",
        (setup.import_key,),
    ).fetchone()
    if row is None:
        return None
    first, verdicts, gid, at, added = row
    return _Slice(first, verdicts, gid, at, orjson.loads(added))


def _store(tx: Transaction, setup: UndoSetup, part: _Slice) -> None:
    left = orjson.dumps(part.added).decode() if any(part.added.values()) else ""
    tx.execute(
        "UPDATE crm_import_slices SET added = ? WHERE import = ? AND first = ?", (left, setup.import_key, part.first)
    )


def _take_from(tx: Transaction, setup: UndoSetup, part: _Slice, most: int, counts: Counter[str]) -> int:
    """Tags, then members of the list, then contacts, then new lists and tags; returns how many changes were looked
    at."""
    added = part.added
    for kind in ("tagged", "untagged", "listed"):
        if added[kind]:
            key, contacts = added[kind][-1]
            some = _pop(contacts, most)
            if not contacts:
                added[kind].pop()
            _take_kind(tx, setup, part, kind, key, some, counts)
            return len(some)
    if not added["created"]:
        _remove_new(tx, setup, added)
        return 1
    numbers = _numbers_of_created(part)[: len(added["created"])]
    some = _pop(added["created"], most)
    _delete(tx, setup, part, list(zip(numbers[-len(some) :], some, strict=True)), counts)
    return len(some)


def _remove_new(tx: Transaction, setup: UndoSetup, added: dict[str, Any]) -> None:
    """Remove the lists and tags that the slice made, where nobody uses or has changed them since: all that the import
    put on them is taken off by now, as later slices are undone first."""
    for key in added.pop("new_lists", ()):
        made = list_by_key(tx, key)
        if made is not None and not made.members and made.updated_at == made.created_at:
            delete_list(tx, made, actor=setup.actor)
    for key in added.pop("new_tags", ()):
        tag = tag_by_key(tx, key)
        if tag is not None and not tag.contacts and tag.updated_at == tag.created_at:
            delete_tag(tx, tag, actor=setup.actor)


def _take_kind(
    tx: Transaction, setup: UndoSetup, part: _Slice, kind: str, key: int, contacts: Sequence[int], counts: Counter[str]
) -> None:
    """Take contacts off the list, or the tag from them, if it is still there; or give them back a tag."""
    if kind == "listed":
        if list_by_key(tx, key) is not None:
            ours = _still(tx, _LISTED, key, part.at, contacts)
            counts["unlisted"] += len(remove_many(tx, key, ours, actor=setup.actor))
    elif tag_by_key(tx, key) is not None:
        if kind == "tagged":
            ours = _still(tx, _TAGGED, key, part.at, contacts)
            counts["untagged"] += len(untag_many(tx, key, ours, actor=setup.actor))
        else:
            counts["tagged"] += len(tag_many(tx, key, contacts, actor=setup.actor))


def _pop(items: list[int], most: int) -> list[int]:
    """Take the last items away."""
    some = items[-most:]
    del items[-most:]
    return some


def _still(tx: Transaction, sql: str, key: int, at: int, contacts: Sequence[int]) -> list[int]:
    """Those that were added by the import, and not taken away and added again since."""
    rows = tx.execute(sql, (key, at, json_array(contacts)))
    return [contact for (contact,) in rows.fetchall()]


def _numbers_of_created(part: _Slice) -> list[int]:
    return [part.first + at for at, letter in enumerate(part.verdicts) if letter == "c"]


def _delete(
    tx: Transaction, setup: UndoSetup, part: _Slice, created: Sequence[tuple[int, int]], counts: Counter[str]
) -> None:
    """Delete contacts that nobody has touched since they were imported."""
    rows = tx.execute(
        f"SELECT c.key, c.version > ?, {_IN_USE} FROM crm_contacts c "  # noqa: S608 -- constants
        "WHERE c.key IN (SELECT value FROM json_each(?))",
        (part.gid, json_array([key for _, key in created])),
    )
    state = {key: (later, used) for key, later, used in rows.fetchall()}
    gone: list[int] = []
    kept: list[tuple[int, FieldFault]] = []
    for number, key in created:
        later, used = state.get(key, (None, None))
        if later or used:
            kept.append((number, CHANGED_SINCE if later else IN_USE))
        elif later is not None:
            gone.append(key)
    if gone:
        counts["deleted"] += delete_many(tx, gone, reason="import undone", actor=setup.actor)
        # Nobody asked to forget them: the rows of this import may be imported again, with other policies.
        tx.execute(
            "DELETE FROM crm_import_names WHERE contact IN (SELECT value FROM json_each(?))", (json_array(gone),)
        )
    _report(tx, setup, kept)
    counts["kept"] += len(kept)


def _report(tx: Transaction, setup: UndoSetup, kept: Sequence[tuple[int, FieldFault]]) -> None:
    if kept:
        tx.executemany(
            "INSERT INTO crm_import_faults (import, row, field, code, message, undoing) VALUES (?, ?, ?, ?, ?, 1)",
            [(setup.import_key, number, fault.field, fault.code, fault.message) for number, fault in kept],
        )
