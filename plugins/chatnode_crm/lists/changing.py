"""Making, changing, archiving and deleting lists."""

from __future__ import annotations

from typing import Any

import attrs

from chatnode.api import Querying, Refusal, Transaction, new_id
from chatnode_crm.lists.events import CrmListDeleted
from chatnode_crm.lists.finding import ListKind, ListRow, Stage, list_by_key
from chatnode_crm.naming import name_key, tidy
from chatnode_crm.tombstones import bury

_LONGEST = 255
_STAGES: tuple[Stage, ...] = ("creation", "population", "execution", "analysis")


def make_list(
    tx: Transaction,
    name: str,
    *,
    kind: ListKind,
    actor: int | None,
    description: str | None = None,
    filter: str | None = None,
    owner: int | None = None,
) -> ListRow:
    """A new, empty list. `filter` is JSON, for a dynamic list, which the caller has checked; the owner is the actor by
    default. Raises `Refusal("conflict")` for a name that another list has.
    """
    _check_free(tx, name, None)
    stage: Stage | None = "creation" if kind == "campaign" else None
    (key,) = tx.execute(
        "INSERT INTO crm_lists (id, name, name_key, description, kind, filter, stage, owner, active_at, created_at, "
        "created_by, updated_at, updated_by) VALUES (:id, :name, :name_key, :description, :kind, :filter, :stage, "
        ":owner, :now, :now, :actor, :now, :actor) RETURNING key",
        {
            "id": new_id(), "name": tidy(name), "name_key": name_key(name), "description": description or None,
            "kind": kind, "filter": filter, "stage": stage, "owner": owner if owner is not None else actor,
            "now": tx.now, "actor": actor,
        },
    ).fetchone()  # fmt: skip
    return _again(tx, key)


def update_list(tx: Transaction, row: ListRow, changes: dict[str, Any], *, actor: int | None) -> ListRow:
    """Change `name`, `description`, `owner`, `filter` or `kind`; those that are not named stay.

    What is the same already changes nothing. Raises `Refusal("conflict")` for a name that another list has.
    """
    wanted = dict(changes)
    if "name" in wanted:
        _check_free(tx, wanted["name"], row.key)
        wanted["name"] = tidy(wanted["name"])
    if "description" in wanted:
        wanted["description"] = wanted["description"] or None
    before = attrs.asdict(row)
    changed = {name: value for name, value in wanted.items() if before[name] != value}
    if "name" in changed:
        changed["name_key"] = name_key(changed["name"])
    return _write(tx, row, changed, actor) if changed else row


def archive_list(tx: Transaction, row: ListRow, *, actor: int | None) -> ListRow:
    """The list stays as it is until it is restored. Archiving it again changes nothing."""
    return _write(tx, row, {"is_active": 0, "archived_at": tx.now}, actor) if row.is_active else row


def restore_list(tx: Transaction, row: ListRow, *, actor: int | None) -> ListRow:
    """A campaign is at the stage that it was at before."""
    if row.is_active:
        return row
    return _write(tx, row, {"is_active": 1, "archived_at": None, "restored_at": tx.now}, actor)


def move_campaign(tx: Transaction, row: ListRow, stage: Stage, *, actor: int | None) -> ListRow:
    """Move a campaign to its next stage, or back to one before; to the stage where it is changes nothing.

    Raises `Refusal`: `invalid` for other kinds of lists, `conflict` for an archived campaign and for leaving a stage
    out.
    """
    if row.stage is None:
        raise Refusal("invalid", f"{row.name} is not a campaign", path="list")
    if not row.is_active:
        raise Refusal("conflict", f"{row.name} is archived; restore it first", path="list")
    if stage == row.stage:
        return row
    at, to = _STAGES.index(row.stage), _STAGES.index(stage)
    if to > at + 1:
        raise Refusal("conflict", f"{row.name} is at {row.stage}; the next stage is {_STAGES[at + 1]}", path="stage")
    return _write(tx, row, {"stage": stage}, actor)


def delete_list(tx: Transaction, row: ListRow, *, actor: int | None) -> None:
    """The list is gone at once; rows of its members are removed afterwards (`tombstones.sweep`)."""
    tx.execute("DELETE FROM crm_lists WHERE key = ?", (row.key,))
    bury(tx, "list", row.key, row.id)
    tx.record_many(CrmListDeleted, [row.key], actor=actor)


def copy_name(reader: Querying, name: str) -> str:
    """What a copy is called: "Name (Copy)", or the first of "Name (Copy 2)" and so on that is free."""
    number = 1
    while True:
        end = " (Copy)" if number == 1 else f" (Copy {number})"
        copy = name[: _LONGEST - len(end)].rstrip() + end
        if _with_name(reader, copy) is None:
            return copy
        number += 1


def _check_free(reader: Querying, name: str, key: int | None) -> None:
    if _with_name(reader, name) not in (None, key):
        raise Refusal("conflict", f"the list {tidy(name)} already exists", path="name")


def _with_name(reader: Querying, name: str) -> int | None:
    row = reader.execute("SELECT key FROM crm_lists WHERE name_key = ?", (name_key(name),)).fetchone()
    return row[0] if row is not None else None


def _write(tx: Transaction, row: ListRow, changes: dict[str, Any], actor: int | None) -> ListRow:
    assignments = "".join(f"{name} = :{name}, " for name in changes)
    tx.execute(
        f"UPDATE crm_lists SET {assignments}active_at = :now, updated_at = :now, updated_by = :actor "  # noqa: S608
        "WHERE key = :key",
        {**changes, "key": row.key, "now": tx.now, "actor": actor},
    )
    return _again(tx, row.key)


def _again(tx: Transaction, key: int) -> ListRow:
    row = list_by_key(tx, key)
    assert row is not None
    return row
