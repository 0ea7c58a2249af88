"""Finding contacts: by id, key, email address or external id."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from chatnode.api import Querying, Refusal, json_array, record


@record(frozen=True)
class ContactRow:
    """A contact as it is stored. Times are in milliseconds; users are given by key."""

    key: int
    id: str
    email: str | None
    email_key: str | None
    external_id: str | None
    first_name: str | None
    last_name: str | None
    company: str | None
    phone: str | None
    phone_key: str | None
    country: str | None
    city: str | None
    description: str | None
    custom: str | None
    """Values of custom fields: a JSON object by the field's key."""
    owner: int | None
    source: str
    opted_out_at: int | None
    version: int
    """The gid of the last change."""
    created_at: int
    created_by: int | None
    updated_at: int
    updated_by: int | None
    words: str


COLUMNS = ", ".join(field.name for field in attrs.fields(ContactRow))
_EACH = "(SELECT value FROM json_each(?))"


def by_id(reader: Querying, id: str, path: str = "contact") -> ContactRow:
    """The contact with this id, or the one it was merged into. Raises `Refusal("not_found")`."""
    row = reader.execute(
        f"SELECT {COLUMNS} FROM crm_contacts WHERE key = coalesce("  # noqa: S608 -- constants
        "(SELECT key FROM crm_contacts WHERE id = :id), (SELECT contact FROM crm_redirects WHERE id = :id))",
        {"id": id},
    ).fetchone()
    if row is None:
        raise Refusal("not_found", f"no such contact: {id[:80]!r}", path=path)
    return ContactRow(*row)


def rows(reader: Querying, keys: Sequence[int]) -> list[ContactRow]:
    """The contacts with these keys, in the order of the keys; those that do not exist are left out."""
    sql = f"SELECT {COLUMNS} FROM crm_contacts WHERE key IN {_EACH}"  # noqa: S608 -- constants
    found = {row[0]: row for row in reader.execute(sql, (json_array(keys),))}
    return [ContactRow(*found[key]) for key in keys if key in found]


def newest(reader: Querying, before: int, most: int) -> list[ContactRow]:
    """Up to `most` contacts with keys below `before`, newest first."""
    found = reader.execute(
        f"SELECT {COLUMNS} FROM crm_contacts WHERE key < ? ORDER BY key DESC LIMIT ?",  # noqa: S608 -- constants
        (before, most),
    )
    return [ContactRow(*row) for row in found]


def ids(reader: Querying, keys: Iterable[int]) -> dict[int, str]:
    """Ids by key, of those that exist."""
    sql = f"SELECT key, id FROM crm_contacts WHERE key IN {_EACH}"  # noqa: S608 -- constants
    return dict(reader.execute(sql, (json_array(keys),)).fetchall())


def keys_by_id(reader: Querying, ids: Iterable[str]) -> dict[str, int]:
    """Keys by id, also for the ids of contacts that were merged into another; unknown ids are left out."""
    asked = json_array(ids)
    found = reader.execute(f"SELECT id, contact FROM crm_redirects WHERE id IN {_EACH}", (asked,)).fetchall()  # noqa: S608
    return dict(found) | _keys(reader, "id", asked)


def keys_by_email(reader: Querying, email_keys: Iterable[str]) -> dict[str, int]:
    """Keys by normalized email address, of those that exist."""
    return _keys(reader, "email_key", json_array(email_keys))


def keys_by_external(reader: Querying, ids: Iterable[str]) -> dict[str, int]:
    """Keys by external id, of those that exist."""
    return _keys(reader, "external_id", json_array(ids))


def _keys(reader: Querying, column: str, values: str) -> dict[str, int]:
    sql = f"SELECT {column}, key FROM crm_contacts WHERE {column} IN {_EACH}"  # noqa: S608 -- a column's name
    return dict(reader.execute(sql, (values,)).fetchall())
