"""Groups and tags: an entry has them as it shows them, `contacts_labels` has them one by one."""

from __future__ import annotations

import orjson

from chatnode.api import Account, Reader, Refusal, Transaction
from chatnode_contacts import words
from chatnode_contacts.model import Label, LabelKind, Relabelled
from chatnode_contacts.settings import Settings

COLUMNS: dict[LabelKind, str] = {"group": "groups", "tag": "tags"}


def put(
    tx: Transaction, owner: Account, contact: Account, kind: LabelKind, names: list[str], settings: Settings
) -> str | None:
    """Let a contact have these and no others; gives what its entry is to hold.

    A name that the owner has is taken as it is written there. Raises `Refusal`: `invalid` for an empty name,
    `too_large` for too many.
    """
    wanted = _checked(kind, names, settings)
    known = dict(_known(tx, owner, kind))
    wanted = {folded: known.get(folded, name) for folded, name in wanted.items()}
    tx.execute(
        "DELETE FROM contacts_labels WHERE owner = ? AND kind = ? AND contact = ?", (owner.key, kind, contact.key)
    )
    tx.executemany(
        "INSERT INTO contacts_labels (owner, contact, kind, name, folded) VALUES (?, ?, ?, ?, ?)",
        [(owner.key, contact.key, kind, name, folded) for folded, name in wanted.items()],
    )
    _check_room(tx, owner, kind, settings)
    return orjson.dumps(list(wanted.values())).decode() if wanted else None


def _checked(kind: LabelKind, names: list[str], settings: Settings) -> dict[str, str]:
    for place, name in enumerate(names):
        if not name.strip():
            raise Refusal("invalid", "a name has more than spaces", path=f"{COLUMNS[kind]}.{place}")
    wanted, most = words.listed(names), settings.labels_per_contact
    if most and len(wanted) > most:
        raise Refusal("too_large", f"a contact has at most {most} {COLUMNS[kind]}", path=COLUMNS[kind])
    return wanted


def _check_room(tx: Transaction, owner: Account, kind: LabelKind, settings: Settings) -> None:
    (count,) = tx.execute(
        "SELECT count(*) FROM (SELECT DISTINCT kind, folded FROM contacts_labels WHERE owner = ?)", (owner.key,)
    ).fetchone()
    if settings.labels and count > settings.labels:
        raise Refusal("too_large", f"you have {settings.labels} groups and tags; delete one first", path=COLUMNS[kind])


def _known(reader: Reader | Transaction, owner: Account, kind: LabelKind) -> list[tuple[str, str]]:
    return reader.execute(
        "SELECT folded, min(name) FROM contacts_labels WHERE owner = ? AND kind = ? GROUP BY folded", (owner.key, kind)
    ).fetchall()


def counted(reader: Reader, owner: Account, kind: LabelKind | None) -> list[Label]:
    """In the order of names, with how many of the contacts that the owner sees have each."""
    rows = reader.execute(
        "SELECT l.kind, min(l.name), count(*) FROM contacts_labels l WHERE l.owner = :me AND l.kind IN (:one, :other) "
        "AND l.contact NOT IN (SELECT blocked FROM blocks WHERE person = :me "
        "UNION ALL SELECT person FROM blocks WHERE blocked = :me) "
        "AND l.contact NOT IN (SELECT key FROM people WHERE erased_at IS NOT NULL AND key = l.contact) "
        "GROUP BY l.kind, l.folded ORDER BY l.kind, l.folded",
        {"me": owner.key, "one": kind or "group", "other": kind or "tag"},
    )
    return [Label(*row) for row in rows]


def rename(tx: Transaction, owner: Account, kind: LabelKind, name: str, to: str) -> int:
    """Gives how many contacts had it. Raises `Refusal`: `not_found`, `conflict` for a name that another one has."""
    folded, contacts = _having(tx, owner, kind, name)
    new = words.listed([to])
    if not new:
        raise Refusal("invalid", "a name has more than spaces", path="to")
    ((new_folded, new_name),) = new.items()
    if new_folded != folded and any(new_folded == each for each, _ in _known(tx, owner, kind)):
        raise Refusal("conflict", f"you have a {kind} {new_name} already", path="to")
    tx.execute(
        "UPDATE contacts_labels SET name = ?, folded = ? WHERE owner = ? AND kind = ? AND folded = ?",
        (new_name, new_folded, owner.key, kind, folded),
    )
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
    for contact in contacts:
        place = (owner.key, contact)
        find = f"SELECT {column} FROM contacts_entries WHERE owner = ? AND contact = ?"  # noqa: S608
        (held,) = tx.execute(find, place).fetchone()
        names = [new if folded in words.listed([name]) else name for name in orjson.loads(held)]
        kept = [name for name in names if name is not None]
        tx.execute(
            f"UPDATE contacts_entries SET {column} = ? WHERE owner = ? AND contact = ?",  # noqa: S608
            (orjson.dumps(kept).decode() if kept else None, *place),
        )
    tx.record(Relabelled(), people=(owner.key,), subject=owner.key, actor=owner.key)


def make_relabelled(*_: object) -> Relabelled:
    return Relabelled()
