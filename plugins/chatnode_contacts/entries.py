"""Rows of contact lists: reading them as they are shown, and changing them with the event that tells the owner."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, cast

import orjson

from chatnode.api import (
    MAY_SEE_PRESENCE,
    Account,
    Context,
    Querying,
    Reader,
    Refusal,
    Row,
    Transaction,
    counted,
    direct_id,
    last_message_at,
    not_blocked,
    now_ms,
    person_by_key,
    rfc3339,
)
from chatnode_contacts import words
from chatnode_contacts.interactions import weight_of
from chatnode_contacts.model import Contact, ContactAdded, ContactPerson, ContactRemoved, ContactUpdated
from chatnode_contacts.settings import ContactsSettings


class Shown(NamedTuple):
    """A row of `SHOWN`: an entry, with who it is of and how that user is. Times are in milliseconds."""

    id: str
    handle: str
    name: str
    avatar: str | None
    bot: int
    deactivated_at: int | None
    added_at: int
    favourite: int
    nickname: str | None
    number: str | None
    note: str | None
    groups: str | None
    tags: str | None
    interacted_at: int
    rank: int
    key: int
    may_see: int
    """Whether the owner may see how the user is, which the columns below say."""
    active_at: int | None
    text: str | None
    emoji: str | None
    until: int | None


SHOWN = (
    "SELECT p.id, p.handle, p.name, p.avatar, p.bot, p.deactivated_at, "  # noqa: S608 -- constants
    "e.added_at, e.favourite, e.nickname, e.number, e.note, e.groups, e.tags, e.interacted_at, e.rank, "
    "p.key, "
    + MAY_SEE_PRESENCE
    + ", s.active_at, s.text, s.emoji, s.until FROM contacts_entries e CROSS JOIN people p ON p.key = e.contact "
    "LEFT JOIN presence s ON s.person = p.key "
)
"""Entries with who they are and how those are. Takes `:me`, the owner."""

KEPT = f"e.owner = :me AND e.removed_at IS NULL AND p.erased_at IS NULL AND {not_blocked('e.contact')}"
"""Which entries an owner sees: not who was removed or erased, nor where one of the two has blocked the other."""


# ---- reading


def find(reader: Querying, owner: int, contact: int) -> Shown | None:
    """The entry that `owner` sees of `contact`."""
    row = reader.execute(f"{SHOWN} WHERE {KEPT} AND e.contact = :contact", {"me": owner, "contact": contact}).fetchone()
    return Shown._make(row) if row is not None else None


def get(reader: Querying, owner: Account, contact: Account) -> Shown:
    """`find`; raises `Refusal("not_found")`."""
    found = find(reader, owner.key, contact.key)
    if found is None:
        raise no_such_contact(contact)
    return found


def no_such_contact(contact: Account) -> Refusal:
    return Refusal("not_found", f"{contact.handle} is not one of your contacts", path="person")


def plain(row: Shown) -> Contact:
    """An entry as it is told in events."""
    person: ContactPerson = {"id": row.id, "handle": row.handle, "name": row.name}
    if row.avatar is not None:
        person["avatar"] = row.avatar
    if row.bot:
        person["bot"] = True
    if row.deactivated_at is not None:
        person["deactivated"] = True
    contact: Contact = {"person": person, "added_at": rfc3339(row.added_at)}
    if row.favourite:
        contact["favourite"] = True
    if row.nickname is not None:
        contact["nickname"] = row.nickname
    if row.number is not None:
        contact["number"] = row.number
    if row.note is not None:
        contact["note"] = row.note
    if row.groups is not None:
        contact["groups"] = orjson.loads(row.groups)
    if row.tags is not None:
        contact["tags"] = orjson.loads(row.tags)
    if row.interacted_at:
        contact["last_interacted_at"] = rfc3339(row.interacted_at)
    return contact


def as_known(ctx: Context, rows: Iterable[Shown]) -> list[Contact]:
    """Entries as they are shown: with presence and weight, as they are now."""
    now, half_life, badge = now_ms(), ctx.settings(ContactsSettings).half_life_ms, ctx.badge
    contacts: list[Contact] = []
    for row in rows:
        contact = plain(row)
        if row.rank:
            contact["weight"] = weight_of(row.rank, now, half_life)
        if row.may_see:
            contact["presence"] = badge(row.key, row.active_at, row.text, row.emoji, row.until)
        contacts.append(contact)
    return contacts


# ---- changing


def is_kept(reader: Querying, owner: int, contact: int) -> bool:
    """Whether `contact` is in the list of `owner`, shown or not."""
    sql = "SELECT 1 FROM contacts_entries WHERE owner = ? AND contact = ? AND removed_at IS NULL"
    return reader.execute(sql, (owner, contact)).fetchone() is not None


def add(tx: Transaction, owner: Account, contact: Account, most: int) -> bool:
    """Add a user to a list, or back to it: the first `added_at` stays. Records nothing. Returns whether they are new.
    Raises `Refusal("too_large")` when the list has `most` already (0: no limit).
    """
    if is_kept(tx, owner.key, contact.key):
        return False
    _check_room(tx, owner, most)
    at = _newest_message(tx, owner, contact)
    tx.execute(
        "INSERT INTO contacts_entries (owner, contact, added_at, interacted_at, rank, counted_gid, sort_name, called, "
        "words) VALUES (?, ?, ?, ?, ?, ?, ?, ?, '') ON CONFLICT (owner, contact) DO UPDATE SET removed_at = NULL, "
        "interacted_at = excluded.interacted_at, rank = excluded.rank, counted_gid = excluded.counted_gid",
        (
            owner.key, contact.key, tx.now, at, at, tx.next_gid - 1,
            words.sort_name(None, contact.name), words.called(contact.name, contact.handle),
        ),
    )  # fmt: skip
    return True


def _check_room(tx: Transaction, owner: Account, most: int) -> None:
    (kept,) = tx.execute(
        "SELECT count(*) FROM contacts_entries WHERE owner = ? AND removed_at IS NULL", (owner.key,)
    ).fetchone()
    if most and kept >= most:
        why = f"the list of {owner.handle} has {counted(most, 'contact')}, which is the maximum"
        raise Refusal("too_large", why, path="person")


def _newest_message(tx: Transaction, owner: Account, contact: Account) -> int:
    """When the two last talked, 0 if they did not: with that an entry begins."""
    return last_message_at(tx, direct_id(owner.id, contact.id)) or 0


def remove(tx: Transaction, owner: Account, contact: Account) -> None:
    """Remove a user from a list, with the owner's data about them. Raises `Refusal("not_found")`."""
    if not is_kept(tx, owner.key, contact.key):
        raise no_such_contact(contact)
    tx.execute("DELETE FROM contacts_labels WHERE owner = ? AND contact = ?", (owner.key, contact.key))
    tx.execute(
        "UPDATE contacts_entries SET removed_at = ?, favourite = 0, nickname = NULL, number = NULL, note = NULL, "
        "groups = NULL, tags = NULL, interacted_at = 0, rank = 0, sort_name = ?, words = '' "
        "WHERE owner = ? AND contact = ?",
        (tx.now, words.sort_name(None, contact.name), owner.key, contact.key),
    )
    tell_removed(tx, owner.key, contact)


def change(tx: Transaction, owner: Account, contact: Account, values: dict[str, Any]) -> bool:
    """Set columns of an entry that is there; gives whether any is another now. Records nothing."""
    names = ("favourite", "nickname", "number", "note", "groups", "tags")
    found = get(tx, owner, contact)
    before = {name: getattr(found, name) for name in names}
    after = {**before, **values}
    if after == before:
        return False
    after["sort_name"] = words.sort_name(after["nickname"], contact.name)
    after["words"] = words.own_words(after["nickname"], after["number"])
    assignments = ", ".join(f"{name} = :{name}" for name in after)
    tx.execute(
        f"UPDATE contacts_entries SET {assignments} WHERE owner = :owner AND contact = :contact",  # noqa: S608
        {**after, "owner": owner.key, "contact": contact.key},
    )
    return True


# ---- telling the owner's devices


def tell_added(tx: Transaction, owner: int, contact: int) -> None:
    """Unless the owner does not see the entry."""
    if (row := find(tx, owner, contact)) is not None:
        tx.record(ContactAdded(plain(row)), people=(owner,), subject=contact, actor=owner)


def tell_updated(tx: Transaction, owner: Account, contact: Account) -> None:
    event = ContactUpdated(plain(get(tx, owner, contact)))
    tx.record(event, people=(owner.key,), subject=contact.key, actor=owner.key)


def tell_removed(tx: Transaction, owner: int, contact: Account) -> None:
    tx.record(ContactRemoved(contact.ref), people=(owner,), subject=contact.key, actor=owner)


def make_added(reader: Reader, row: Row) -> ContactAdded | None:
    found = find(reader, cast("int", row.actor), row.subject)
    return ContactAdded(plain(found)) if found is not None else None


def make_updated(reader: Reader, row: Row) -> ContactUpdated | None:
    found = find(reader, cast("int", row.actor), row.subject)
    return ContactUpdated(plain(found)) if found is not None else None


def make_removed(reader: Reader, row: Row) -> ContactRemoved:
    return ContactRemoved(person_by_key(reader, row.subject).ref)
