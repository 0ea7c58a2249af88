"""What becomes of a row. Dry runs and imports ask the same function, which is why they count the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import attrs

from chatnode.api import record
from chatnode_crm.contacts.numbered import PHONE, named_number
from chatnode_crm.contacts.values import FieldFault
from chatnode_crm.imports.options import ImportPolicies

Values = Mapping[str, Any]
RowVerdict = Literal["create", "update", "unchanged", "duplicate", "suppressed", "invalid"]

DERIVED = {"email": "email_key", "phone": "phone_key"}
"""Fields that have a normalized form beside them: both change together."""
KEPT = frozenset(("email", "first_name", "last_name"))
"""Fields that no empty cell erases."""
NOTHING: Values = {}
OPTED_OUT, OPTED_OUT_AT = "opted_out", "opted_out_at"
"""In the values of a row: whether the contact opted out, and when, if that is known. The table has the time."""


@record
class Decision:
    """`contact` is the key of the one that exists; `changes` are the values to create it with, or to change, and
    `before` what it has instead.

    The message of the `fault` has no values: it is kept longer than the row.
    """

    verdict: RowVerdict
    contact: int | None = None
    changes: Values = NOTHING
    fault: FieldFault | None = None
    before: Values = NOTHING


@record
class Claims:
    """What rows before have claimed. Of the unique field that is not matched by: who has its values, and what those
    rows have made of that. Of phone numbers: `reached` are those that they gave to contacts, alone and with the name;
    `moved` are contacts that have another number or name than the tables say. Unless `notes_numbers`, no later row asks
    for numbers."""

    holders: Mapping[str, int]
    taken: set[str] = attrs.field(factory=set[str])
    released: set[str] = attrs.field(factory=set[str])
    reached: set[str] = attrs.field(factory=set[str])
    moved: set[int] = attrs.field(factory=set[int])
    notes_numbers: bool = True

    def is_free(self, value: str, contact: int | None) -> bool:
        if value in self.taken:
            return False
        holder = self.holders.get(value)
        return holder is None or holder == contact or value in self.released

    def take(self, value: str | None, instead_of: str | None) -> None:
        if instead_of is not None:
            self.taken.discard(instead_of)
            self.released.add(instead_of)
        if value is not None:
            self.taken.add(value)

    def reach(self, values: Values) -> None:
        """A contact has these values now."""
        if self.notes_numbers and (number := values.get(PHONE)):
            self.reached.update((number, named_number(values)))


def unique_fields(policies: ImportPolicies) -> tuple[str, str]:
    """The column that rows are matched by, and the other one that is unique."""
    return ("email_key", "external_id") if policies.match == "email" else ("external_id", "email_key")


def key_of(values: Values, policies: ImportPolicies) -> tuple[str, str] | None:
    """By which column and value the contact of a row is found: by what rows are matched by, else by the other one, else
    by its phone number with the name, as several people may have one number."""
    for column in unique_fields(policies):
        if value := values.get(column):
            return column, value
    return (PHONE, named_number(values)) if values.get(PHONE) else None


def decide(
    values: Values,
    contact: Mapping[str, Any] | None,
    claims: Claims,
    policies: ImportPolicies,
    suppressed: str | None = None,
    more: Values = NOTHING,
) -> Decision:
    """What becomes of a valid row that is no duplicate. Rows come in order.

    `contact` is the one that it matches; its `custom` is an object by the field's key. `more` fills empty fields.
    """
    if suppressed is not None:
        return Decision("suppressed", fault=FieldFault("email", "suppressed", suppressed))
    other = unique_fields(policies)[1]
    if contact is None:
        given = {name: value for name, value in values.items() if value}
        return _create({**more, **given} if more else given, claims, other)
    if policies.fields == "error":
        return _refused(policies.match, "exists", "the contact already exists", contact["key"])
    changes = _changes(values, contact, policies)
    if more and policies.fields != "skip":
        _fill(changes, more, contact)
    if other in changes:
        value = changes[other]
        if value is not None and not claims.is_free(value, contact["key"]):
            return _taken(other, contact["key"])
        claims.take(value, contact[other])
    columns = (OPTED_OUT_AT if field == OPTED_OUT else field for field in changes)
    before = {column: contact[column] for column in columns}
    if not _NAMED_NUMBER.isdisjoint(changes):
        claims.moved.add(contact["key"])
        claims.reach({**contact, **changes})
    if "custom" in changes:
        before["custom"] = {key: contact["custom"].get(key) for key in changes["custom"]}
    return Decision("update" if changes else "unchanged", contact["key"], changes, before=before)


def _create(given: Values, claims: Claims, other: str) -> Decision:
    value = given.get(other)
    if value:
        if not claims.is_free(value, None):
            return _taken(other)
        claims.take(value, None)
    claims.reach(given)
    return Decision("create", None, given)


def _changes(values: Values, contact: Mapping[str, Any], policies: ImportPolicies) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if policies.fields != "skip":
        for field, value in values.items():
            if field in _NOT_TEXT:
                continue
            value = value or None
            if value != contact[field] and _replaces(field, value, contact[field], policies):
                changes[field] = value
                if field in DERIVED:
                    changes[DERIVED[field]] = values.get(DERIVED[field]) or None
        if custom := _custom_changes(values.get("custom", NOTHING), contact["custom"], policies):
            changes["custom"] = custom
    opted_out = values.get(OPTED_OUT)
    allowed = policies.consent == "overwrite" or (opted_out and policies.consent == "tighten")
    if opted_out is not None and allowed and opted_out != (contact["opted_out_at"] is not None):
        changes[OPTED_OUT] = opted_out
        if OPTED_OUT_AT in values:
            changes[OPTED_OUT_AT] = values[OPTED_OUT_AT]
    return changes


_NAMED_NUMBER = frozenset((PHONE, "first_name", "last_name"))
_NOT_TEXT = frozenset((OPTED_OUT, OPTED_OUT_AT, "custom", *DERIVED.values()))


def _custom_changes(values: Values, current: Values, policies: ImportPolicies) -> dict[str, Any]:
    return {
        key: value
        for key, value in values.items()
        if value != current.get(key) and _replaces("custom", value, current.get(key), policies)
    }


def _fill(changes: dict[str, Any], more: Values, contact: Mapping[str, Any]) -> None:
    for field, value in more.items():
        if field not in _NOT_TEXT and value and not contact[field] and field not in changes:
            changes[field] = value
            if field in DERIVED:
                changes[DERIVED[field]] = more.get(DERIVED[field])


def _replaces(field: str, value: object, current: object, policies: ImportPolicies) -> bool:
    """Whether the policy lets a cell's value replace what the contact has. What a contact must have is never erased."""
    if value is None:
        erases = policies.fields == "overwrite" and policies.empty == "erase"
        return erases and field not in KEPT and field != policies.match
    return current is None or policies.fields != "fill_empty"


def _refused(field: str, code: str, message: str, contact: int | None = None) -> Decision:
    return Decision("invalid", contact, fault=FieldFault(field, code, message))


def _taken(column: str, contact: int | None = None) -> Decision:
    field = "email" if column == "email_key" else column
    return _refused(field, f"{field}_taken", f"another contact has this {field}", contact)
