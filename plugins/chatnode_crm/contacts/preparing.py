"""Values as clients send them, made ready for `writing.py`: cleaned, checked, with users and custom fields resolved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from chatnode.api import Context, Querying, Refusal, find_person, record
from chatnode_crm.contacts import fields
from chatnode_crm.contacts.values import FieldFault, Rules, check
from chatnode_crm.settings import CrmSettings

OWNER, CUSTOM, OPTED_OUT = "owner", "custom", "opted_out"


@record(frozen=True)
class PreparedContact:
    """A contact's values by column, and what is wrong with them. With any fault, do not write the values.

    `opted_out` is what the client said, as only the transaction knows the time.
    """

    values: dict[str, Any]
    faults: Sequence[FieldFault] = ()
    opted_out: bool | None = None

    def refuse(self) -> None:
        """Raises `Refusal` with the first fault."""
        for fault in self.faults:
            raise Refusal("invalid", f"{fault.field} {fault.message}", path=fault.field)


def rules_of(ctx: Context) -> Rules:
    """How values are read on this node."""
    return Rules(default_region=ctx.settings(CrmSettings).phone_region or None)


def prepare(reader: Querying, rows: Sequence[Mapping[str, Any]], rules: Rules) -> list[PreparedContact]:
    """Check rows with the fields of a contact, besides them `owner` (a user's handle or id), `opted_out` and `custom`
    (an object by field name). "" and null mean no value."""
    known = fields.by_name(reader) if any(row.get(CUSTOM) for row in rows) else {}
    return [_prepare(reader, row, rules, known) for row in rows]


def _prepare(
    reader: Querying, row: Mapping[str, Any], rules: Rules, known: Mapping[str, fields.FieldRow]
) -> PreparedContact:
    plain = {name: value for name, value in row.items() if name not in (OWNER, CUSTOM, OPTED_OUT)}
    checked, found = check(plain, rules)
    values: dict[str, Any] = {**checked}
    faults = [fault for fault in found if not fault.warning]
    if OWNER in row:
        _owner(reader, row[OWNER], values, faults)
    if row.get(CUSTOM) is not None:
        _custom(row[CUSTOM], known, values, faults)
    opted_out = row.get(OPTED_OUT)
    if opted_out is not None and opted_out.__class__ is not bool:
        faults.append(FieldFault(OPTED_OUT, "not_flag", "must be true or false"))
    return PreparedContact(values, faults, opted_out if isinstance(opted_out, bool) else None)


def _owner(reader: Querying, owner: Any, values: dict[str, Any], faults: list[FieldFault]) -> None:
    if not owner:
        values[OWNER] = None
        return
    try:
        account = find_person(reader, str(owner), OWNER)
    except Refusal as refused:
        faults.append(FieldFault(OWNER, refused.code, refused.message))
        return
    if account.erased_at is not None or account.imported:
        faults.append(FieldFault(OWNER, "not_found", "must be a user who can sign in"))
    values[OWNER] = account.key


def _custom(
    custom: Any, known: Mapping[str, fields.FieldRow], values: dict[str, Any], faults: list[FieldFault]
) -> None:
    if not isinstance(custom, Mapping):
        faults.append(FieldFault(CUSTOM, "not_object", "must be an object of values by field name"))
        return
    values[CUSTOM], wrong = fields.checked(known, cast("Mapping[str, Any]", custom))
    faults += [FieldFault(f"{CUSTOM}.{name}", "invalid", message) for name, message in wrong]


def opted(prepared: PreparedContact, opted_out_at: int | None, now: int) -> dict[str, Any]:
    """The values, with the time of opting out: the first one stays."""
    if prepared.opted_out is None:
        return prepared.values
    return {**prepared.values, "opted_out_at": (opted_out_at or now) if prepared.opted_out else None}
