"""What filters of contacts refer to: tags, lists, users, and fields that users define.

A stored filter refers to them by id, so that a new name changes nothing. It is shown with names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from chatnode.api import Querying, kinds
from chatnode_crm.contacts.collection import CONTACTS
from chatnode_crm.contacts.shown import CUSTOM
from chatnode_crm.naming import is_id, name_key

TAGS, LISTS = "tags", "lists"
_TABLES = {TAGS: "crm_tags", LISTS: "crm_lists"}


def with_ids(source: Querying, filter: dict[str, Any]) -> dict[str, Any]:
    """A filter that was checked, as it is stored."""
    return _changed(filter, partial(_id_of_field, source), partial(_id_of_value, source))


def with_names(source: Querying, filter: dict[str, Any]) -> dict[str, Any]:
    """A stored filter, as it is shown. What was deleted since keeps its id."""
    return _changed(filter, partial(_name_of_field, source), partial(_name_of_value, source))


def replaced(filter: dict[str, Any], text: str, by: str) -> dict[str, Any]:
    """A filter that was checked, with another text where fields for users are compared with `text`."""
    return _changed(filter, lambda name: name, lambda name, given: by if is_user(name) and given == text else given)


def tests(filter: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """The comparisons in a filter that was checked: field, operator and value."""
    for name, inner in filter.items():
        if name in ("_and", "_or"):
            for part in inner:
                yield from tests(part)
        elif name == "_not":
            yield from tests(inner)
        else:
            yield from ((name, operator, value) for operator, value in inner.items())


def texts_of(value: Any) -> Iterator[str]:
    """The texts that a comparison names."""
    match value:
        case str():
            yield value
        case list() | dict():
            for each in value.values() if isinstance(value, dict) else value:  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
                yield from texts_of(each)
        case _:
            pass


# ---- changing a filter

_FieldChange = Callable[[str], str]
_ValueChange = Callable[[str, str], str]


def _changed(filter: dict[str, Any], field: _FieldChange, value: _ValueChange) -> dict[str, Any]:
    members: list[tuple[str, Any]] = []
    for name, inner in filter.items():
        if name in ("_and", "_or"):
            members.append((name, [_changed(part, field, value) for part in inner]))
        elif name == "_not":
            members.append((name, _changed(inner, field, value)))
        else:
            members.append((field(name), {each: _values(name, given, value) for each, given in inner.items()}))
    made = dict(members)
    # Two names of one field are one afterwards.
    return made if len(made) == len(members) else {"_and": [{name: inner} for name, inner in members]}


def _values(name: str, given: Any, value: _ValueChange) -> Any:
    match given:
        case str():
            return value(name, given)
        case list():
            return [_values(name, each, value) for each in given]  # pyright: ignore[reportUnknownVariableType]
        case dict():
            return {key: _values(name, each, value) for key, each in given.items()}  # pyright: ignore[reportUnknownVariableType]
        case _:
            return given


def _id_of_field(source: Querying, name: str) -> str:
    if not name.startswith(CUSTOM):
        return name
    folded = name_key(name.removeprefix(CUSTOM))
    return CUSTOM + _one(source, "SELECT id FROM crm_fields WHERE name_key = ?", folded, name.removeprefix(CUSTOM))


def _name_of_field(source: Querying, name: str) -> str:
    if not name.startswith(CUSTOM):
        return name
    id = name.removeprefix(CUSTOM)
    return CUSTOM + _one(source, "SELECT name FROM crm_fields WHERE id = ?", id, id)


def _id_of_value(source: Querying, name: str, text: str) -> str:
    if name in _TABLES and not is_id(text):
        return _one(source, f"SELECT id FROM {_TABLES[name]} WHERE name_key = ?", name_key(text), text)  # noqa: S608
    if is_user(name):
        return _one(source, "SELECT id FROM people WHERE handle = ?", text.lower(), text)
    return text


def _name_of_value(source: Querying, name: str, text: str) -> str:
    if name in _TABLES:
        shown = _one(source, f"SELECT name FROM {_TABLES[name]} WHERE id = ?", text, text)  # noqa: S608
        return text if is_id(shown) else shown  # a name that looks like an id would be read as one
    if is_user(name):
        return _one(source, "SELECT handle FROM people WHERE id = ?", text, text)
    return text


def is_user(name: str) -> bool:
    """Whether the values of a field are users."""
    field = CONTACTS.field(name)
    return field is not None and isinstance(field.kind, kinds.PersonId)


def _one(source: Querying, sql: str, value: str, otherwise: str) -> str:
    row = source.execute(sql, (value,)).fetchone()
    return row[0] if row is not None else otherwise
