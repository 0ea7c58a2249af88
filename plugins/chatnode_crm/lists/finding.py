"""Looking up lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import attrs

from chatnode.api import Querying, Refusal, record
from chatnode_crm.naming import is_id, name_key

ListKind = Literal["static", "dynamic", "campaign"]
Stage = Literal["creation", "population", "execution", "analysis"]
BEGUN: tuple[Stage, ...] = ("execution", "analysis")
OPEN = "(kind <> 'dynamic' AND is_active = 1 AND coalesce(stage, '') NOT IN ('execution', 'analysis'))"
"""What `ListRow.is_open` says, in SQL."""


@record(frozen=True)
class ListRow:
    """A row of `crm_lists`. `members` is how many contacts are on it, `active_at` when it or they last changed."""

    key: int
    id: str
    name: str
    description: str | None
    kind: ListKind
    filter: str | None
    stage: Stage | None
    is_active: bool = attrs.field(converter=bool)
    archived_at: int | None
    restored_at: int | None
    owner: int | None
    members: int
    active_at: int
    created_at: int
    created_by: int | None
    updated_at: int
    updated_by: int | None

    @property
    def is_open(self) -> bool:
        """Whether it is decided now who is on the list: `check_open` says why not."""
        return self.kind != "dynamic" and self.is_active and self.stage not in BEGUN


COLUMNS = ", ".join(f"l.{each.name}" for each in attrs.fields(ListRow))


def find_list(reader: Querying, id_or_name: str, path: str = "list") -> ListRow:
    """The list with this id, or with this name in any case. Raises `Refusal("not_found")` at the field `path`."""
    column, value = ("id", id_or_name) if is_id(id_or_name) else ("name_key", name_key(id_or_name))
    row = reader.execute(
        f"SELECT {COLUMNS} FROM crm_lists l WHERE l.{column} = ?",  # noqa: S608 -- constants
        (value,),
    ).fetchone()
    if row is None:
        raise Refusal("not_found", f"no such list: {id_or_name[:80]!r}; crm.lists.list shows all", path=path)
    return ListRow(*row)


def find_lists(reader: Querying, ids_or_names: Sequence[str], path: str = "lists") -> list[ListRow]:
    """Each list once, in this order. Raises `Refusal("not_found")` for the first that does not exist."""
    found = (find_list(reader, each, f"{path}.{place}") for place, each in enumerate(ids_or_names))
    return list({row.key: row for row in found}.values())


def list_by_key(reader: Querying, key: int) -> ListRow | None:
    row = reader.execute(
        f"SELECT {COLUMNS} FROM crm_lists l WHERE l.key = ?",  # noqa: S608 -- constants
        (key,),
    ).fetchone()
    return ListRow(*row) if row is not None else None


def check_open(row: ListRow, path: str = "list") -> None:
    """Raises `Refusal("conflict")` unless users decide who is on the list now.

    A dynamic list follows its filter, an archived one stays as it is until it is restored, and who takes part in a
    campaign is settled once it has begun.
    """
    if row.kind == "dynamic":
        raise Refusal("conflict", f"{row.name} is a dynamic list: its filter decides who is on it", path=path)
    if not row.is_active:
        raise Refusal("conflict", f"{row.name} is archived; restore it first", path=path)
    if row.stage in BEGUN:
        raise Refusal("conflict", f"the campaign {row.name} has begun: its contacts cannot be changed", path=path)


def find_open_list(reader: Querying, id_or_name: str, path: str = "list") -> ListRow:
    """The list, if users decide who is on it now. Raises `Refusal`: `not_found`, `conflict` (see `check_open`)."""
    row = find_list(reader, id_or_name, path)
    check_open(row, path)
    return row
