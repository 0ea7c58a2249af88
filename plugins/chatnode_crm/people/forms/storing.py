"""Making or completing a contact from what a visitor sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chatnode.api import Transaction, folded
from chatnode_crm.contacts.finding import keys_by_email, rows
from chatnode_crm.contacts.values import Values
from chatnode_crm.contacts.writing import create_many, update_many
from chatnode_crm.lists.finding import list_by_key
from chatnode_crm.lists.membership import add_many
from chatnode_crm.people.forms.rows import FormRow
from chatnode_crm.people.suppression import is_suppressed_many
from chatnode_crm.tags.tagging import tag_many

_KEYS = {"phone_key": "phone", "email_key": "email"}
_NAMES = ("first_name", "last_name")


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
        _agree(tx, form, contact)


def _agree(tx: Transaction, form: FormRow, contact: int) -> None:
    """To a version of the text once: the first time stays."""
    tx.execute(
        "INSERT INTO crm_consents (contact, form, version, at) SELECT :contact, :form, :version, :now WHERE NOT EXISTS "
        "(SELECT 1 FROM crm_consents WHERE contact = :contact AND form = :form AND version = :version)",
        {"contact": contact, "form": form.id, "version": form.consent_version, "now": tx.now},
    )


def _fill(tx: Transaction, contact: int, values: Values) -> None:
    [row] = rows(tx, [contact])
    new = {name: value for name, value in values.items() if value and not getattr(row, _KEYS.get(name, name))}
    if any(_differ(getattr(row, name), values.get(name)) for name in _NAMES):  # half of another name fits no one
        new = {name: value for name, value in new.items() if name not in _NAMES}
    if new:
        update_many(tx, [(contact, new)], actor=None)


def _differ(known: str | None, sent: str | None) -> bool:
    return bool(known and sent) and folded(known or "") != folded(sent or "")


def _put(tx: Transaction, form: FormRow, contact: int) -> None:
    """On the form's list, if it is there and nothing keeps contacts off it now, and under its tags."""
    found = list_by_key(tx, form.list) if form.list is not None else None
    if found is not None and found.is_open:
        add_many(tx, found.key, [contact], actor=None)
    for tag in form.tags:
        if tx.execute("SELECT 1 FROM crm_tags WHERE key = ?", (tag,)).fetchone():
            tag_many(tx, tag, [contact], actor=None)
