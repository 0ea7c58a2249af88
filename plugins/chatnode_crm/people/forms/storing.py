"""Making or completing a contact from what a visitor sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chatnode.api import Transaction
from chatnode_crm.contacts.finding import keys_by_email, rows
from chatnode_crm.contacts.values import Values
from chatnode_crm.contacts.writing import create_many, update_many
from chatnode_crm.lists.finding import list_by_key
from chatnode_crm.lists.membership import add_many
from chatnode_crm.people.forms.rows import FormRow
from chatnode_crm.people.suppression import is_suppressed_many
from chatnode_crm.tags.tagging import tag_many

_KEYS = {"phone_key": "phone", "email_key": "email"}


def store_sent(tx: Transaction, form: FormRow, values: Values, more: Mapping[str, Any]) -> None:
    """Store what a visitor sent. Anyone may send a form, so only empty fields of an existing contact are filled.

    A contact that was erased is not brought back, and one that opted out of broadcasts stays out. `more` is what other
    plugins know of a contact that is new.
    """
    tx.execute("UPDATE crm_forms SET posts = posts + 1 WHERE key = ?", (form.key,))
    email = values["email_key"]
    if email is None or is_suppressed_many(tx, [email]):
        return
    contact = keys_by_email(tx, [email]).get(email)
    if contact is None:
        [contact] = create_many(tx, [{**more, **values}], source="form", actor=None)
    else:
        _fill(tx, contact, values)
    _put(tx, form, contact)
    if form.consent:
        tx.execute(
            "INSERT INTO crm_consents (contact, form, version, at) VALUES (?, ?, ?, ?)",
            (contact, form.id, form.consent_version, tx.now),
        )


def _fill(tx: Transaction, contact: int, values: Values) -> None:
    [row] = rows(tx, [contact])
    new = {name: value for name, value in values.items() if value and not getattr(row, _KEYS.get(name, name))}
    if new:
        update_many(tx, [(contact, new)], actor=None)


def _put(tx: Transaction, form: FormRow, contact: int) -> None:
    """On the form's list, if it is there and nothing keeps contacts off it now, and under its tags."""
    found = list_by_key(tx, form.list) if form.list is not None else None
    if found is not None and found.is_open:
        add_many(tx, found.key, [contact], actor=None)
    for tag in form.tags:
        if tx.execute("SELECT 1 FROM crm_tags WHERE key = ?", (tag,)).fetchone():
            tag_many(tx, tag, [contact], actor=None)
