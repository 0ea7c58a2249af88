"""Looking up tags."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from chatnode.api import Querying, Refusal, record
from chatnode_crm.naming import is_id, name_key

DEFAULT_COLOR = "#6B7280"
"""Grey: of tags without a colour of their own."""


@record(frozen=True)
class TagRow:
    """A row of `crm_tags`. `contacts` is how many contacts have it."""

    key: int
    id: str
    name: str
    color: str | None
    contacts: int
    created_at: int
    created_by: int | None
    updated_at: int
    updated_by: int | None


COLUMNS = ", ".join(f"t.{each.name}" for each in attrs.fields(TagRow))


def find_tag(reader: Querying, id_or_name: str, path: str = "tag") -> TagRow:
    """The tag with this id, or with this name in any case. Raises `Refusal("not_found")` at the field `path`."""
    column, value = ("id", id_or_name) if is_id(id_or_name) else ("name_key", name_key(id_or_name))
    found = _one(reader, f"t.{column} = ?", value)
    if found is None:
        raise Refusal("not_found", f"no such tag: {id_or_name[:80]!r}; crm.tags.list shows all", path=path)
    return found


def find_tags(reader: Querying, ids_or_names: Sequence[str], path: str = "tags") -> list[TagRow]:
    """Each tag once, in this order. Raises `Refusal("not_found")` for the first that does not exist."""
    found = (find_tag(reader, each, f"{path}.{place}") for place, each in enumerate(ids_or_names))
    return list({row.key: row for row in found}.values())


def tag_by_key(reader: Querying, key: int) -> TagRow | None:
    return _one(reader, "t.key = ?", key)


def tag_by_name(reader: Querying, name: str) -> TagRow | None:
    """In any case."""
    return _one(reader, "t.name_key = ?", name_key(name))


def _one(reader: Querying, condition: str, value: object) -> TagRow | None:
    row = reader.execute(f"SELECT {COLUMNS} FROM crm_tags t WHERE {condition}", (value,)).fetchone()  # noqa: S608
    return TagRow(*row) if row is not None else None
