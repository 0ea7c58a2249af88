"""Fields that users define for contacts. Values are stored with the contact, by the field's key.

A number is stored as it is, a date as the milliseconds since 1970 when it begins in UTC, a flag as 0 or 1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

import attrs
import orjson

from chatnode.api import DAY_MS, IntegrityError, Querying, Refusal, Transaction, counted, folded, new_id, record
from chatnode_crm.contacts.values.flags import read_flag
from chatnode_crm.contacts.values.text import clean_lines

FieldKind = Literal["text", "number", "date", "flag", "choice"]
MOST_CHARS = 10_000
MOST_NUMBER = 2**53 - 1
_NUMBER = re.compile(r"[+-]?[0-9]{1,16}(\.[0-9]*)?")
"""With the digits that `MOST_NUMBER` has: `int` raises an error for very many."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@record(frozen=True)
class FieldRow:
    """A custom field. `choices` are the words of the kind choice."""

    key: int
    id: str
    name: str
    kind: FieldKind
    choices: tuple[str, ...] = ()


class BadValue(ValueError):
    """A value that the field does not accept; the text says why, for people."""


_SELECT = "SELECT key, id, name, kind, choices FROM crm_fields"


# ---- reading


def listed(reader: Querying) -> list[FieldRow]:
    """All fields, in the order in which they were defined."""
    return [_row(row) for row in reader.execute(f"{_SELECT} ORDER BY key").fetchall()]


def by_key(reader: Querying) -> dict[str, FieldRow]:
    """All fields by key, as text, which is how values refer to them."""
    return {str(field.key): field for field in listed(reader)}


def by_name(reader: Querying) -> dict[str, FieldRow]:
    """All fields by the folded form of their name, in which `checked` finds them."""
    return {folded(field.name): field for field in listed(reader)}


def find(reader: Querying, name: str, path: str = "field") -> FieldRow:
    """The field with this name or id. Raises `Refusal("not_found")`."""
    row = reader.execute(f"{_SELECT} WHERE name_key = ? OR id = ?", (folded(name), name)).fetchone()
    if row is None:
        raise Refusal("not_found", f"no such field: {name[:80]!r}; crm.fields.list shows all", path=path)
    return _row(row)


def _row(row: tuple[Any, ...]) -> FieldRow:
    key, id, name, kind, choices = row
    return FieldRow(key, id, name, kind, tuple(orjson.loads(choices)) if choices is not None else ())


# ---- values


def checked(known: Mapping[str, FieldRow], custom: Mapping[str, Any]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Values by name as they are stored, by key; and what is wrong with the others, as name and message.

    `known` is `by_name`. None and "" mean no value. Texts, as in files, are read as what the field takes.
    """
    stored: dict[str, Any] = {}
    faults: list[tuple[str, str]] = []
    for name, value in custom.items():
        field = known.get(folded(name))
        if field is None:
            faults.append((name, "no such field; define it with crm.fields.define"))
            continue
        try:
            stored[str(field.key)] = None if value is None or value == "" else stored_value(field, value)
        except BadValue as fault:
            faults.append((name, str(fault)))
    return stored, faults


def stored_value(field: FieldRow, value: Any) -> str | int | float:
    """A value as it is stored. Raises `BadValue`."""
    match field.kind:
        case "text":
            return _text(value)
        case "number":
            return _number(value)
        case "date":
            return _date(value)
        case "flag":
            return _flag(value)
        case "choice":
            return _choice(field.choices, value)


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else str(value) if isinstance(value, int | float) else None
    if text is None or isinstance(value, bool):
        raise BadValue("must be a string")
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise BadValue("contains a character that is not allowed in text")
    text = clean_lines(text)
    if len(text) > MOST_CHARS:
        raise BadValue(f"has {counted(len(text), 'character')}; the maximum is {MOST_CHARS}")
    return text


def _number(value: Any) -> int | float:
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = float(value) if "." in value else int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MOST_NUMBER:
        raise BadValue("must be a number, such as 12 or 12.5")
    return int(value) if value == int(value) else value


def _date(value: Any) -> int:
    try:
        day = date.fromisoformat(value.strip()[:10])
        if len(value.strip()) > 10:
            datetime.fromisoformat(value.strip())
    except (AttributeError, ValueError):
        raise BadValue("must be a date, such as 2026-01-31") from None
    return (datetime(day.year, day.month, day.day, tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)


def _flag(value: Any) -> int:
    found = value if isinstance(value, bool) else read_flag(str(value))
    if found is None:
        raise BadValue("must be true or false")
    return int(found)


def _choice(choices: Sequence[str], value: Any) -> str:
    for choice in choices:
        if isinstance(value, str) and folded(choice) == folded(value.strip()):
            return choice
    raise BadValue(f"must be one of {', '.join(choices)}")


def named(known: Mapping[str, FieldRow], custom: Mapping[str, Any]) -> dict[str, Any]:
    """Stored values by name, as they are shown; those of fields that were deleted are left out."""
    return {
        field.name: None if value is None else _shown(field, value)
        for key, value in custom.items()
        if (field := known.get(key)) is not None
    }


def _shown(field: FieldRow, value: Any) -> Any:
    if field.kind == "flag":
        return bool(value)
    return (_EPOCH + timedelta(days=value // DAY_MS)).date().isoformat() if field.kind == "date" else value


# ---- changing


def define(
    tx: Transaction, name: str, kind: FieldKind, choices: Sequence[str], actor: int | None, most: int
) -> FieldRow:
    """Raises `Refusal`: `conflict` if there is such a field, `too_large` if there are `most` fields (0: no limit)."""
    (count,) = tx.execute("SELECT count(*) FROM crm_fields").fetchone()
    if most and count >= most:
        raise Refusal("too_large", f"there are {most} custom fields, which is the maximum", path="name")
    try:
        row = tx.execute(
            "INSERT INTO crm_fields (id, name, name_key, kind, choices, created_at, created_by) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING key, id, name, kind, choices",
            (new_id(), name, folded(name), kind, _choices(kind, choices), tx.now, actor),
        ).fetchone()
    except IntegrityError:
        raise _taken(name) from None
    return _row(row)


def change(tx: Transaction, field: FieldRow, name: str | None, choices: Sequence[str] | None) -> FieldRow:
    """Rename a field, or replace its choices. Contacts keep the values they have, also of a choice that is gone.

    Raises `Refusal("conflict")` if there is a field with this name.
    """
    changed = attrs.evolve(
        field, name=field.name if name is None else name, choices=field.choices if choices is None else tuple(choices)
    )
    try:
        tx.execute(
            "UPDATE crm_fields SET name = ?, name_key = ?, choices = ? WHERE key = ?",
            (changed.name, folded(changed.name), _choices(field.kind, changed.choices), field.key),
        )
    except IntegrityError:
        raise _taken(changed.name) from None
    return changed


def delete(tx: Transaction, field: FieldRow) -> None:
    """Delete a field. Its values are not shown from now on, and removed by the upkeep."""
    tx.execute("DELETE FROM crm_fields WHERE key = ?", (field.key,))
    tx.execute("INSERT INTO crm_upkeep (name) VALUES ('fields') ON CONFLICT DO NOTHING")


def _choices(kind: FieldKind, choices: Sequence[str]) -> str | None:
    if kind != "choice":
        if choices:
            raise Refusal("invalid", f"a field of the kind {kind} has no choices", path="choices")
        return None
    kept = {folded(choice): choice.strip() for choice in reversed(choices) if choice.strip()}
    if not kept:
        raise Refusal("invalid", "a field of the kind choice needs choices", path="choices")
    return orjson.dumps(list(reversed(kept.values()))).decode()


def _taken(name: str) -> Refusal:
    return Refusal("conflict", f"the field {name[:80]!r} already exists", path="name")
