"""Groups and tags: an entry has them as it shows them, `contacts_labels` has them one by one."""

from __future__ import annotations

from functools import cache

import orjson

from chatnode.api import Account, Reader, Refusal, Transaction, counted, is_blank, json_array
from chatnode_contacts import words
from chatnode_contacts.model import Label, LabelKind, Relabelled
from chatnode_contacts.seen import seen
from chatnode_contacts.settings import ContactsSettings

COLUMNS: dict[LabelKind, str] = {"group": "groups", "tag": "tags"}


def put(
    tx: Transaction, owner: Account, contact: Account, kind: LabelKind, names: list[str], settings: ContactsSettings
) -> str | None:
    """Let a contact have these and no others; gives what its entry is to hold.

    A name that the owner has is taken as it is written there. Raises `Refusal`: `invalid` for an empty name,
    `too_large` for too many.
    """
    wanted = _checked(kind, names, settings)
    known = {folded: _known(tx, owner, kind, folded) for folded in wanted}
    wanted = {folded: known[folded] or name for folded, name in wanted.items()}
    tx.execute(
        "DELETE FROM contacts_labels WHERE owner = ? AND kind = ? AND contact = ?", (owner.key, kind, contact.key)
    )
    tx.executemany(
        "INSERT INTO contacts_labels (owner, contact, kind, name, folded) VALUES (?, ?, ?, ?, ?)",
        [(owner.key, contact.key, kind, name, folded) for folded, name in wanted.items()],
    )
    if None in known.values():
        _check_room(tx, owner, kind, settings)
    return json_array(wanted.values()) if wanted else None


def _checked(kind: LabelKind, names: list[str], settings: ContactsSettings) -> dict[str, str]:
    for place, name in enumerate(names):
        if is_blank(name):
            raise Refusal("invalid", "a name cannot be blank", path=f"{COLUMNS[kind]}.{place}")
    wanted, most = words.listed(names), settings.labels_per_contact
    if most and len(wanted) > most:
        raise Refusal("too_large", f"a contact has at most {counted(most, kind)}", path=COLUMNS[kind])
    return wanted


def _check_room(tx: Transaction, owner: Account, kind: LabelKind, settings: ContactsSettings) -> None:
    if settings.labels and sum(_count(tx, owner, each) for each in COLUMNS) > settings.labels:
        raise Refusal("too_large", f"you have {settings.labels} groups and tags; delete one first", path=COLUMNS[kind])


def _count(tx: Transaction, owner: Account, kind: LabelKind) -> int:
    """How many different ones there are: from each to the next, however many contacts have it."""
    (count,) = tx.execute(
        "WITH RECURSIVE label (folded) AS (SELECT min(folded) FROM contacts_labels WHERE owner = :me AND kind = :kind "
        "UNION ALL SELECT (SELECT min(l.folded) FROM contacts_labels l WHERE l.owner = :me AND l.kind = :kind "
        "AND l.folded > label.folded) FROM label WHERE label.folded IS NOT NULL) SELECT count(folded) FROM label",
        {"me": owner.key, "kind": kind},
    ).fetchone()
    return count


def _known(tx: Transaction, owner: Account, kind: LabelKind, folded: str) -> str | None:
    """How the owner writes the name; all of their contacts have it in the same writing."""
    row = tx.execute(
        "SELECT name FROM contacts_labels WHERE owner = ? AND kind = ? AND folded = ? LIMIT 1",
        (owner.key, kind, folded),
    ).fetchone()
    return row[0] if row is not None else None


def with_counts(reader: Reader, owner: Account, kind: LabelKind | None) -> list[Label]:
    """In the order of names, with how many of the contacts that the owner sees have each."""
    rows = reader.execute(
        "SELECT l.kind, min(l.name), count(*) FROM contacts_labels l WHERE l.owner = :me "  # noqa: S608 -- constants
        f"AND l.kind IN (:one, :other) AND {seen('l.contact')} "
        "GROUP BY l.kind, l.folded ORDER BY l.kind, l.folded",
        {"me": owner.key, "one": kind or "group", "other": kind or "tag"},
    )
    return [Label(*row) for row in rows]


def rename(tx: Transaction, owner: Account, kind: LabelKind, name: str, to: str) -> int:
    """Gives how many contacts had it. Raises `Refusal`: `not_found`, `conflict` for a name that another one has."""
    folded, contacts = _having(tx, owner, kind, name)
    new = words.listed([to])
    if not new:
        raise Refusal("invalid", "a name cannot be blank", path="to")
    ((new_folded, new_name),) = new.items()
    if new_folded != folded and _known(tx, owner, kind, new_folded) is not None:
        raise Refusal("conflict", f"the {kind} {new_name} already exists", path="to")
    renamed = tx.execute(
        "UPDATE contacts_labels SET name = :name, folded = :new WHERE owner = :owner AND kind = :kind "
        "AND folded = :folded AND (name <> :name OR folded <> :new)",
        {"name": new_name, "new": new_folded, "owner": owner.key, "kind": kind, "folded": folded},
    ).rowcount
    if renamed:
        _write_entries(tx, owner, kind, contacts, folded, new_name)
    return len(contacts)


def delete(tx: Transaction, owner: Account, kind: LabelKind, name: str) -> int:
    """Gives how many contacts had it. Raises `Refusal("not_found")`."""
    folded, contacts = _having(tx, owner, kind, name)
    tx.execute("DELETE FROM contacts_labels WHERE owner = ? AND kind = ? AND folded = ?", (owner.key, kind, folded))
    _write_entries(tx, owner, kind, contacts, folded, None)
    return len(contacts)


def _having(tx: Transaction, owner: Account, kind: LabelKind, name: str) -> tuple[str, list[int]]:
    folded = next(iter(words.listed([name])), "")
    rows = tx.execute(
        "SELECT contact FROM contacts_labels WHERE owner = ? AND kind = ? AND folded = ?", (owner.key, kind, folded)
    ).fetchall()
    if not rows:
        raise Refusal("not_found", f"you have no {kind} {name}", path="name")
    return folded, [contact for (contact,) in rows]


def _write_entries(
    tx: Transaction, owner: Account, kind: LabelKind, contacts: list[int], folded: str, new: str | None
) -> None:
    """Write what the entries hold, in the order in which they had it; `new` stands for what was `folded`."""
    column = COLUMNS[kind]
    entries = tx.execute(
        f"SELECT key, {column} FROM contacts_entries WHERE owner = ? "  # noqa: S608
        "AND contact IN (SELECT value FROM json_each(?))",
        (owner.key, orjson.dumps(contacts).decode()),
    ).fetchall()

    @cache  # thousands of entries have the same few names
    def is_meant(name: str) -> bool:
        return folded in words.listed([name])

    updates: list[tuple[str | None, int]] = []
    for key, held in entries:
        names: list[str | None] = [new if is_meant(name) else name for name in orjson.loads(held)]
        kept = [name for name in names if name is not None]
        updates.append((orjson.dumps(kept).decode() if kept else None, key))
    tx.executemany(f"UPDATE contacts_entries SET {column} = ? WHERE key = ?", updates)  # noqa: S608
    tx.record(Relabelled(), people=(owner.key,), subject=owner.key, actor=owner.key)


def make_relabelled(*_: object) -> Relabelled:
    return Relabelled()
