"""Creating and changing contacts, many at a time. Events and journal have the real changes only.

Values are given by the names of columns. Texts are normalized and checked already (`values.py`), with `email_key` and
`phone_key` beside `email` and `phone`. `custom` is a dict by the field's key, as text; a key without a field is left
out. None and "" mean no value.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import orjson

from chatnode.api import IntegrityError, Refusal, Transaction
from chatnode_crm.contacts import finding, index, journal
from chatnode_crm.contacts.custom import read_custom
from chatnode_crm.contacts.deleting import delete_many, erase_many
from chatnode_crm.contacts.events import CrmContactCreated, CrmContactUpdated
from chatnode_crm.contacts.fields import by_key
from chatnode_crm.contacts.finding import ContactRow
from chatnode_crm.contacts.words import words_of

__all__ = ["create_many", "delete_many", "erase_many", "update_many"]

Values = Mapping[str, Any]

FIELDS = (
    "email", "email_key", "external_id", "first_name", "last_name", "company", "phone", "phone_key", "country", "city",
    "description", "owner", "opted_out_at",
)  # fmt: skip
"""The columns that can be written, besides `custom`."""
_FOUND_BY = frozenset({"email_key", "first_name", "last_name", "company", "phone", "phone_key"})
_INSERT = (
    f"INSERT INTO crm_contacts (key, id, {', '.join(FIELDS)}, custom, source, version, created_at, created_by, "  # noqa: S608
    f"updated_at, updated_by, words) VALUES ({', '.join('?' * (len(FIELDS) + 10))})"
)
_RANDOM_BYTES = 10


def create_many(tx: Transaction, rows: Sequence[Values], *, source: str, actor: int | None) -> list[int]:
    """Create contacts; returns their keys, in order.

    Raises `Refusal("conflict")` for an email address or external id that another contact has; what was written before
    is for the caller to undo.
    """
    keys = list(range(tx.next_gid, tx.next_gid + len(rows)))
    token, digits = os.urandom(_RANDOM_BYTES * len(rows)).hex(), 2 * _RANDOM_BYTES
    now, stored, fields = tx.now, list[tuple[Any, ...]](), _fields(tx, rows)
    for key, values in zip(keys, rows, strict=True):
        get, at = values.get, len(stored) * digits
        custom, cells = get("custom"), [*map(get, FIELDS)]
        if "" in cells:
            cells = [cell or None for cell in cells]
        stored.append((
            key, f"{key:012x}{token[at : at + digits]}", *cells, _json(_living(custom, fields)) if custom else None,
            source, key, now, actor, now, actor, words_of(values),
        ))  # fmt: skip
    try:
        tx.executemany(_INSERT, stored)
    except IntegrityError:
        raise _conflict(tx, rows, keys) from None
    if keys:
        index.add_new(tx, keys[0], keys[-1])
    tx.record_many(CrmContactCreated, keys, actor=actor)
    return keys


def update_many(tx: Transaction, changes: Sequence[tuple[int, Values]], *, actor: int | None) -> list[int]:
    """Change contacts, each given once by its key; returns the keys of those that are different now, in order.

    Only the given values change; of `custom`, only the given fields. Keys of contacts that do not exist are ignored.
    Raises `Refusal("conflict")` as `create_many` does.
    """
    before = {row.key: row for row in finding.rows(tx, [key for key, _ in changes])}
    fields = _fields(tx, [values for _, values in changes])
    differing = [
        (before[key], new)
        for key, values in changes
        if key in before and (new := _difference(before[key], values, fields))
    ]
    if not differing:
        return []
    keys = [row.key for row, _ in differing]
    first = tx.next_gid
    try:
        _write(tx, differing, first, actor)
    except IntegrityError:
        raise _conflict(tx, [new for _, new in differing], keys) from None
    journal.note_updates(tx, differing, first, actor)
    journal.move_to_gids(tx, first, tx.record_many(CrmContactUpdated, keys, actor=actor))
    return keys


def _difference(row: ContactRow, values: Values, fields: Collection[str]) -> dict[str, Any]:
    """What of the values is not in the row yet; of `custom`, all fields as they are to be."""
    new = {name: values[name] or None for name in FIELDS if name in values}
    different = {name: value for name, value in new.items() if value != getattr(row, name)}
    if given := _living(values.get("custom") or {}, fields):
        custom = _json(read_custom(row.custom) | given)
        if custom != row.custom:
            different["custom"] = custom
    return different


def _write(
    tx: Transaction, differing: Iterable[tuple[ContactRow, dict[str, Any]]], first: int, actor: int | None
) -> None:
    """One statement for each set of columns, so that no index of another column is touched."""
    statements: dict[tuple[str, ...], list[tuple[Any, ...]]] = defaultdict(list)
    gone, come = list[index.Entry](), list[index.Entry]()
    for gid, (row, new) in enumerate(differing, first):
        columns = tuple(new)
        values = tuple(new.values())
        if not _FOUND_BY.isdisjoint(new):
            words = words_of({name: new.get(name, getattr(row, name)) for name in _FOUND_BY})
            if words != row.words:
                columns, values = (*columns, "words"), (*values, words)
                gone.append((row.key, row.words))
                come.append((row.key, words))
        statements[columns].append((*values, gid, tx.now, actor, row.key))
    for columns, rows in statements.items():
        assignments = ", ".join(f"{column} = ?" for column in columns)
        tx.executemany(
            f"UPDATE crm_contacts SET {assignments}, version = ?, updated_at = ?, updated_by = ? WHERE key = ?",  # noqa: S608
            rows,
        )
    index.remove(tx, gone)
    index.add(tx, come)


def _conflict(tx: Transaction, rows: Sequence[Values], keys: Sequence[int]) -> Refusal:
    """Which value another contact has, perhaps one of the same call."""
    for column, path, find in (
        ("email_key", "email", finding.keys_by_email),
        ("external_id", "external_id", finding.keys_by_external),
    ):
        given = [(values[column], key) for values, key in zip(rows, keys, strict=True) if values.get(column)]
        holders = find(tx, [value for value, _ in given])
        for value, key in given:
            if holders.setdefault(value, key) != key:
                return Refusal("conflict", f"another contact has the {_NAMES[path]} {value[:100]!r}", path=path)
    return Refusal("conflict", "two contacts cannot have the same email address or external id")


_NAMES = {"email": "email address", "external_id": "external id"}


def _fields(tx: Transaction, rows: Sequence[Values]) -> Collection[str]:
    """The keys of the fields that users have defined, if some values need them."""
    return by_key(tx) if any(values.get("custom") for values in rows) else ()


def _living(custom: Mapping[str, Any], fields: Collection[str]) -> dict[str, Any]:
    """Without values of fields that were deleted after the values were checked: nothing would remove them again."""
    return {key: value for key, value in custom.items() if key in fields}


def _json(custom: Mapping[str, Any]) -> str | None:
    kept = {key: value for key, value in custom.items() if value is not None and value != ""}
    return orjson.dumps(kept, option=orjson.OPT_SORT_KEYS).decode() if kept else None
