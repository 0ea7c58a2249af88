"""Contacts as programs see them: users by id, times as RFC 3339, values of custom fields by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from chatnode.api import Querying, json_array, rfc3339
from chatnode_crm.contacts import fields
from chatnode_crm.contacts.custom import read_custom
from chatnode_crm.contacts.finding import ContactRow

TEXTS = (
    "email", "external_id", "first_name", "last_name", "company", "phone", "country", "city", "description",
)  # fmt: skip
_USERS = ("owner", "created_by", "updated_by")
_TIMES = ("opted_out_at", "created_at", "updated_at")
_CHANGEABLE = (*TEXTS, "owner", "opted_out_at", "custom")
CUSTOM = "custom."

time = rfc3339


def plain(reader: Querying, rows: Sequence[ContactRow]) -> list[dict[str, Any]]:
    """Contacts as commands return them. Fields without a value are left out."""
    people = users(reader, (getattr(row, name) for row in rows for name in _USERS))
    known = fields.by_key(reader) if any(row.custom is not None for row in rows) else {}
    return [_plain(row, people, known) for row in rows]


def _plain(
    row: ContactRow, people: Mapping[int, dict[str, str]], known: Mapping[str, fields.FieldRow]
) -> dict[str, Any]:
    made: dict[str, Any] = {"id": row.id}
    made |= {name: value for name in TEXTS if (value := getattr(row, name)) is not None}
    if row.owner is not None and row.owner in people:
        made["owner"] = people[row.owner]
    if row.custom is not None and (custom := fields.named(known, orjson.loads(row.custom))):
        made["custom"] = custom
    made |= {"source": row.source, "version": row.version}
    for name in _TIMES:
        if (at := getattr(row, name)) is not None:
            made[name] = rfc3339(at)
    for name in ("created_by", "updated_by"):
        if (key := getattr(row, name)) in people:
            made[name] = people[key]
    return made


def users(reader: Querying, keys: Iterable[int | None]) -> dict[int, dict[str, str]]:
    """References to users, by key. Erased users are left out."""
    asked = json_array({key for key in keys if key is not None})
    found = reader.execute(
        "SELECT key, id, handle FROM people WHERE key IN (SELECT value FROM json_each(?)) AND erased_at IS NULL",
        (asked,),
    )
    return {key: {"id": id, "handle": handle} for key, id, handle in found}


# ---- in events


_USUAL = ("email", "first_name", "last_name", "company", "phone", "country", "city")


def data_of(reader: Querying, values: Mapping[str, Any]) -> dict[str, Any]:
    """The data of the event that a contact was created, from values as the journal has them: the usual fields always,
    others if they have a value."""
    made = {name: values.get(name) for name in _USUAL}
    more = fields_of(reader, values)
    return made | {name: value for name, value in more.items() if name not in made and value is not None}


def all_fields(reader: Querying, row: ContactRow) -> dict[str, Any]:
    """Every field of a contact that can change, null without a value; custom fields only if they have one."""
    values = {name: getattr(row, name) for name in _CHANGEABLE}
    values["custom"] = read_custom(row.custom)
    return fields_of(reader, values)


def fields_of(reader: Querying, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of the journal as programs see them, with a custom field as `custom.<name>`."""
    made = {name: value for name, value in values.items() if name != "custom"}
    if made.get("owner") is not None:
        owner = users(reader, [made["owner"]]).get(made["owner"])
        made["owner"] = owner["id"] if owner is not None else None
    for name in ("opted_out_at", "created_at"):
        if made.get(name) is not None:
            made[name] = rfc3339(made[name])
    if custom := values.get("custom"):
        named = fields.named(fields.by_key(reader), custom)
        made |= {f"{CUSTOM}{name}": value for name, value in named.items()}
    return made
