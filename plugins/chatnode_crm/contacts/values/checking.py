"""All values of a contact at once: cleaned, with their keys, and with what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chatnode.api import counted, record
from chatnode_crm.contacts.values.countries import country_name
from chatnode_crm.contacts.values.emails import NotAnEmail, normalize_email
from chatnode_crm.contacts.values.names import names_from_email
from chatnode_crm.contacts.values.phones import normalize_phone
from chatnode_crm.contacts.values.text import clean_line, clean_lines, has_control

FIELDS = (
    "email", "external_id", "first_name", "last_name", "company", "phone", "country", "city", "description"
)  # fmt: skip
"""The fields of a contact that are given as text, in the order in which files have them."""

Values = dict[str, str | None]
"""Only what was given, with `email_key` beside `email` and `phone_key` beside `phone`; None for an empty value."""


@record(frozen=True)
class FieldFault:
    """What is wrong with a value: `message` is for a person, `code` for a program.

    A warning is about a value that is kept. Any other fault is about one that cannot be, so it is not among the
    values.
    """

    field: str
    code: str
    message: str
    warning: bool = False


Fault = FieldFault


@record(frozen=True)
class Rules:
    """How values are read, and which there have to be."""

    default_region: str | None = None
    """The country ("FR") of phone numbers without a country code."""
    required: tuple[str, ...] = ()
    """Fields that cannot be empty."""
    complete: bool = False
    """The values are a whole contact: a required field that is not given is a fault too."""
    derive_names: bool = False
    """Find the names of a whole contact that has none in an email address such as jane.doe@example.com."""
    longest: int = 255
    longest_description: int = 65_535


def check(values: Mapping[str, Any], rules: Rules) -> tuple[Values, list[FieldFault]]:
    """Clean the values that are given, and say what is wrong with them."""
    found: Values = {}
    faults: list[FieldFault] = []
    longest = rules.longest
    for field, value in values.items():
        if value.__class__ is str and value.isascii() and value.isprintable():
            text = value.strip()
        else:
            cleaned = _cleaned(field, value, found, faults)
            if cleaned is None:
                continue
            text = cleaned
        if not text:
            _add_empty(found, faults, field)
        elif len(text) > longest and not _fits(field, text, rules, faults):
            continue
        elif field in _PLAIN:
            found[field] = text
        else:
            add = _ADDED.get(field)
            if add is not None:
                add(found, faults, text, rules)
            else:
                faults.append(_unknown(field))
    if rules.derive_names and rules.complete:
        _derive_names(found)
    if rules.required:
        _require(found, values, faults, rules)
    return found, faults


def _cleaned(field: str, value: Any, found: Values, faults: list[FieldFault]) -> str | None:
    """The text of a value; None if it is none, and then that is settled."""
    if value is None:
        _add_empty(found, faults, field)
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(int(value)) if isinstance(value, int) or (value.is_integer() and abs(value) < 1e16) else str(value)
    if not isinstance(value, str):
        faults.append(FieldFault(field, "not_text", f"expected a string, not {type(value).__name__}"))
        return None
    if has_control(value):
        faults.append(FieldFault(field, "control_characters", "control characters were removed", warning=True))
    return clean_lines(value) if field == "description" else clean_line(value)


def _fits(field: str, text: str, rules: Rules, faults: list[FieldFault]) -> bool:
    most = rules.longest_description if field == "description" else rules.longest
    if len(text) <= most:
        return True
    faults.append(FieldFault(field, "too_long", f"{counted(len(text), 'character')}; the maximum is {most}"))
    return False


def _add_empty(found: Values, faults: list[FieldFault], field: str) -> None:
    if field not in FIELDS:
        faults.append(_unknown(field))
        return
    found[field] = None
    if field in ("email", "phone"):
        found[f"{field}_key"] = None


def _unknown(field: str) -> FieldFault:
    return FieldFault(field, "unknown_field", f"contacts have no field {field!r}")


def _add_email(found: Values, faults: list[FieldFault], text: str, _: Rules) -> None:
    try:
        address, normalized = normalize_email(text)
    except NotAnEmail as wrong:
        faults.append(FieldFault("email", "invalid_email", f"not a valid email address: {wrong}"))
        return
    found["email"] = address
    found["email_key"] = normalized.lower()


def _add_phone(found: Values, faults: list[FieldFault], text: str, rules: Rules) -> None:
    phone = normalize_phone(text, rules.default_region)
    found["phone"] = phone.shown
    found["phone_key"] = phone.key
    if phone.problem is not None:
        faults.append(FieldFault("phone", "unknown_phone", phone.problem, warning=True))


def _add_country(found: Values, _faults: list[FieldFault], text: str, _rules: Rules) -> None:
    found["country"] = country_name(text)


_ADDED: dict[str, Callable[[Values, list[FieldFault], str, Rules], None]] = {
    "email": _add_email,
    "phone": _add_phone,
    "country": _add_country,
}
_PLAIN = frozenset(FIELDS) - frozenset(_ADDED)


def _derive_names(found: Values) -> None:
    email = found.get("email")
    if email and not found.get("first_name") and not found.get("last_name"):
        found["first_name"], found["last_name"] = names_from_email(email)


def _require(found: Values, values: Mapping[str, Any], faults: list[FieldFault], rules: Rules) -> None:
    refused = {fault.field for fault in faults if not fault.warning}
    for field in rules.required:
        given = field in values or rules.complete
        if given and not found.get(field) and field not in refused:
            faults.append(FieldFault(field, "required", "must not be empty"))
