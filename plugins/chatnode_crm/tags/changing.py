"""Making, changing and deleting tags."""

from __future__ import annotations

import re
from typing import Any

import attrs

from chatnode.api import Refusal, Transaction, new_id
from chatnode_crm.naming import name_key, tidy
from chatnode_crm.tags.events import CrmTagDeleted
from chatnode_crm.tags.finding import TagRow, tag_by_key, tag_by_name
from chatnode_crm.tombstones import bury

_COLOR = re.compile("#[0-9A-Fa-f]{6}")


def make_tag(tx: Transaction, name: str, *, color: str | None = None, actor: int | None) -> TagRow:
    """A new tag. Raises `Refusal`: `conflict` for a name that another tag has, `invalid` for what is no colour."""
    _check_free(tx, name, None)
    (key,) = tx.execute(
        "INSERT INTO crm_tags (id, name, name_key, color, created_at, created_by, updated_at, updated_by) "
        "VALUES (:id, :name, :name_key, :color, :now, :actor, :now, :actor) RETURNING key",
        {
            "id": new_id(), "name": tidy(name), "name_key": name_key(name), "color": as_color(color),
            "now": tx.now, "actor": actor,
        },
    ).fetchone()  # fmt: skip
    return _again(tx, key)


def update_tag(tx: Transaction, row: TagRow, changes: dict[str, Any], *, actor: int | None) -> TagRow:
    """Change `name` or `color`; None is the default colour. What is the same already changes nothing.

    Raises `Refusal`: `conflict` for a name that another tag has, `invalid` for what is no colour.
    """
    wanted = dict(changes)
    if "name" in wanted:
        _check_free(tx, wanted["name"], row.key)
        wanted["name"] = tidy(wanted["name"])
    if "color" in wanted:
        wanted["color"] = as_color(wanted["color"])
    before = attrs.asdict(row)
    changed = {name: value for name, value in wanted.items() if before[name] != value}
    if not changed:
        return row
    if "name" in changed:
        changed["name_key"] = name_key(changed["name"])
    assignments = "".join(f"{name} = :{name}, " for name in changed)
    tx.execute(
        f"UPDATE crm_tags SET {assignments}updated_at = :now, updated_by = :actor WHERE key = :key",  # noqa: S608
        {**changed, "key": row.key, "now": tx.now, "actor": actor},
    )
    return _again(tx, row.key)


def delete_tag(tx: Transaction, row: TagRow, *, actor: int | None) -> None:
    """The tag is gone at once; rows of its contacts are removed afterwards (`tombstones.sweep`)."""
    tx.execute("DELETE FROM crm_tags WHERE key = ?", (row.key,))
    bury(tx, "tag", row.key, row.id)
    tx.record_many(CrmTagDeleted, [row.key], actor=actor)


def as_color(text: str | None, path: str = "color") -> str | None:
    """As it is stored: `#RRGGBB` in upper case; None for the default. Raises `Refusal("invalid")`."""
    if not text:
        return None
    if not _COLOR.fullmatch(text):
        raise Refusal("invalid", "expected # and six hexadecimal digits, such as #FF5733", path=path)
    return text.upper()


def _check_free(tx: Transaction, name: str, key: int | None) -> None:
    found = tag_by_name(tx, name)
    if found is not None and found.key != key:
        raise Refusal("conflict", f"the tag {found.name} already exists", path="name")


def _again(tx: Transaction, key: int) -> TagRow:
    row = tag_by_key(tx, key)
    assert row is not None
    return row
