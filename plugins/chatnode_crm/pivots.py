"""Contacts by the lists or tags that they have: in at least so many of some, in all of others, in none of yet others.

The SQL walks the groups with the fewest contacts, in the order of contacts, and looks each contact up in the others:
a contact in at least k of n groups is in one of the n - k + 1 smallest. A page costs what it shows, wherever it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from chatnode.api import Querying, record

_DEARER = 1.5
"""How much longer it takes to look a contact up in a group than to sort a row of one, measured with a million."""


@record(frozen=True)
class Pivot:
    """A table of pairs, with the column that names the list or the tag."""

    table: str
    group: str


MEMBERS = Pivot("crm_members", "list")
TAGGINGS = Pivot("crm_taggings", "tag")


@record(frozen=True)
class Group:
    """A list or a tag, by its key, and how many contacts it has."""

    key: int
    size: int


def _by_size(groups: Sequence[Group]) -> list[Group]:
    return sorted(groups, key=lambda group: group.size)


@record(frozen=True)
class GroupFilter:
    """Contacts in at least `at_least` of `some` groups, if there are any, in `all` of others, and in none of `none`."""

    some: list[Group] = attrs.field(factory=list[Group], converter=_by_size)
    at_least: int = 1
    all: list[Group] = attrs.field(factory=list[Group], converter=_by_size)
    none: list[Group] = attrs.field(factory=list[Group], converter=_by_size)


def keys_page(reader: Querying, pivot: Pivot, wanted: GroupFilter, after: int, limit: int) -> list[int]:
    """Keys of contacts above `after`, in ascending order."""
    sql, values = _matching(pivot, wanted)
    found = reader.execute(f"{sql} ORDER BY contact LIMIT :limit", {**values, "after": after, "limit": limit})
    return [contact for (contact,) in found.fetchall()]


def count_matching(reader: Querying, pivot: Pivot, wanted: GroupFilter) -> int:
    every = [*wanted.some, *wanted.all]
    if len(every) == 1 and not wanted.none:
        return every[0].size
    sql, values = _grouped(pivot, wanted) if _many_have(wanted) else _matching(pivot, wanted)
    (count,) = reader.execute(f"SELECT count(*) FROM ({sql}) d", {**values, "after": 0}).fetchone()  # noqa: S608
    return count


def _many_have(wanted: GroupFilter) -> bool:
    """Whether sorting the rows of all groups is cheaper than looking the contacts of the smallest up in the others."""
    if wanted.all or wanted.at_least == 1:
        return False
    looked_up = sum(group.size for group in _walked(wanted)) * len(wanted.some)
    return looked_up > _DEARER * sum(group.size for group in wanted.some)


def _walked(wanted: GroupFilter) -> list[Group]:
    """The groups of which one has the contact."""
    return wanted.all[:1] or wanted.some[: len(wanted.some) - wanted.at_least + 1]


def _matching(pivot: Pivot, wanted: GroupFilter) -> tuple[str, dict[str, Any]]:
    """A SELECT of each contact once; with ORDER BY, SQLite merges its parts instead of sorting them."""
    conditions = ["w.contact > :after", *_conditions(pivot, wanted)]
    walked = _walked(wanted)
    has = [_has(pivot, group) for group in wanted.some]
    if wanted.some and (wanted.at_least > 1 or wanted.all):
        conditions.append(f"({' + '.join(f'(CASE WHEN {each} THEN 1 ELSE 0 END)' for each in has)}) >= :at_least")
    condition = " AND ".join(conditions)
    if not walked:
        return f"SELECT contact FROM (SELECT key AS contact FROM crm_contacts) w WHERE {condition}", {}  # noqa: S608
    part = f"SELECT w.contact AS contact FROM {pivot.table} w WHERE w.{pivot.group} = :g%d AND {condition}"  # noqa: S608
    values = {f"g{place}": group.key for place, group in enumerate(walked)}
    return " UNION ".join(part % place for place in range(len(walked))), {**values, "at_least": wanted.at_least}


def _grouped(pivot: Pivot, wanted: GroupFilter) -> tuple[str, dict[str, Any]]:
    """The same contacts, by sorting the rows of all groups: for counting where most of the groups are large."""
    among = ", ".join(str(group.key) for group in wanted.some)
    conditions = [f"w.{pivot.group} IN ({among})", "w.contact > :after", *_conditions(pivot, wanted)]
    return (
        f"SELECT w.contact AS contact FROM {pivot.table} w WHERE {' AND '.join(conditions)} "  # noqa: S608
        "GROUP BY w.contact HAVING count(*) >= :at_least",
        {"at_least": wanted.at_least},
    )


def _conditions(pivot: Pivot, wanted: GroupFilter) -> list[str]:
    return [
        *(_has(pivot, group) for group in wanted.all[1:]),
        *(f"NOT {_has(pivot, group)}" for group in wanted.none),
    ]


def _has(pivot: Pivot, group: Group) -> str:
    """Keys are numbers of our own, not what users wrote."""
    return (
        f"EXISTS (SELECT 1 FROM {pivot.table} p WHERE p.{pivot.group} = {group.key:d} "  # noqa: S608
        "AND p.contact = w.contact)"
    )
