"""What a visitor sent, as values of a contact, or what is wrong with it in words for a visitor."""

from __future__ import annotations

from collections.abc import Mapping

from chatnode_crm.contacts.values import Rules, Values, check, split_name
from chatnode_crm.people.forms.page import CONSENT, EMAIL
from chatnode_crm.people.forms.rows import FormRow

_TOLD = {
    "required": "Please fill in this field.",
    "invalid_email": "This is not a valid email address.",
    "too_long": "This is too long.",
}


def check_sent(form: FormRow, sent: Mapping[str, str], rules: Rules) -> tuple[Values, dict[str, str]]:
    """Values of the fields that the form asks for, others are left out; and errors by the names of the fields."""
    given = {name: sent.get(name, "") for name in (EMAIL, *form.fields)}
    errors = {name: _TOLD["required"] for name in (EMAIL, *form.required) if not given.get(name, "").strip()}
    if "name" in given:
        given |= dict(
            zip(("first_name", "last_name"), (each or "" for each in split_name(given.pop("name"))), strict=True)
        )
    values, faults = check({name: text for name, text in given.items() if text.strip()}, rules)
    for fault in faults:
        if not fault.warning:
            errors.setdefault(_shown(fault.field, form), _TOLD.get(fault.code, f"{fault.message}."))
    if form.consent:
        errors |= _check_consent(form, sent.get(CONSENT, ""))
    return values, errors


def _check_consent(form: FormRow, agreed: str) -> dict[str, str]:
    """Somebody agrees to the text that they were shown. `1` of a script is the current one only while there was no
    other."""
    if not agreed:
        return {CONSENT: "Please confirm this to send the form."}
    if agreed != str(form.consent_version):
        return {CONSENT: "This text has changed. Please read it again."}
    return {}


def _shown(field: str, form: FormRow) -> str:
    return "name" if field in ("first_name", "last_name") and "name" in form.fields else field
