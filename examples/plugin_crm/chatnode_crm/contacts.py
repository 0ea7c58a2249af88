"""Contacts: their tables, and the collection for `items.query`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from chatnode.api import (
    Asker,
    Collection,
    Field,
    IntegrityError,
    Querying,
    Refusal,
    Transaction,
    kinds,
    new_id,
)

READ, WRITE = "crm.read", "crm.write"
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_MOST = 2**53


def learned(source: Querying, asker: Asker) -> Iterator[Field]:
    """The fields that users have defined. Their SQL uses keys, because users choose the names."""
    for key, name, kind in source.execute("SELECT key, name, kind FROM crm_fields ORDER BY key").fetchall():
        value = f"(SELECT value FROM crm_values WHERE contact = item.key AND field = {key:d})"  # noqa: S608
        yield Field(f"custom.{name}", kinds.Integer() if kind == "number" else kinds.String(), value, nullable=True)


CONTACTS = Collection(
    "crm_contacts",
    "Contacts, with the fields that users define.",
    "crm_contacts item",
    "1",
    (
        Field("contact_id", kinds.PublicId(), "item.id", ("id",)),
        Field("name", kinds.String(), "item.name"),
        Field("email", kinds.String(), "item.email"),
        Field("added_at", kinds.Timestamp(), "item.added_at"),
    ),
    key=("contact_id",),
    order="name",
    permission=READ,
    personal=False,
    learn=learned,
)


def add_field(tx: Transaction, name: str, kind: str) -> None:
    """Raises `Refusal("conflict")` if the name is taken."""
    try:
        tx.execute("INSERT INTO crm_fields (name, kind) VALUES (?, ?)", (name, kind))
    except IntegrityError:
        raise Refusal("conflict", f"the field {name} already exists", path="name") from None


def add(tx: Transaction, name: str, email: str, custom: dict[str, str]) -> str:
    """Store a contact; returns its id. Raises `Refusal`, which names the invalid field."""
    email = email.strip().lower()
    if not name.strip():
        raise Refusal("invalid", "a contact needs a name", path="name")
    if not _EMAIL.fullmatch(email):
        raise Refusal("invalid", "expected an email address, such as ada@example.org", path="email")
    id = new_id()
    try:
        contact = tx.execute(
            "INSERT INTO crm_contacts (id, name, email, added_at) VALUES (?, ?, ?, ?)", (id, name, email, tx.now)
        ).lastrowid
    except IntegrityError:
        raise Refusal("conflict", f"a contact with the address {email} already exists", path="email") from None
    for field, value in custom.items():
        key, checked = _checked(tx, field, value)
        tx.execute("INSERT INTO crm_values (contact, field, value) VALUES (?, ?, ?)", (contact, key, checked))
    return id


def _checked(tx: Transaction, name: str, value: str) -> tuple[int, str | int]:
    """The key of a field, and the value to store."""
    path = f"custom.{name}"
    found = tx.execute("SELECT key, kind FROM crm_fields WHERE name = ?", (name,)).fetchone()
    if found is None:
        raise Refusal("invalid", f"no such field: {name[:80]!r}; add it with crm.fields.add", path=path)
    key, kind = found
    if kind == "text":
        return key, value
    try:
        number = int(value)
    except ValueError:
        number = _MOST
    if abs(number) >= _MOST:
        raise Refusal("invalid", "expected an integer", path=path)
    return key, number
