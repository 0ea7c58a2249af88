"""A change of many contacts: which they are, what is done with each, and what is done in the end.

It is carried out page by page, in the order of the contacts' keys. A page that is carried out twice changes nothing the
second time.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any, Literal

import attrs

from chatnode.api import Asker, Querying, Refusal, Transaction, json_array, record
from chatnode_crm.lists.changing import archive_list, delete_list
from chatnode_crm.lists.finding import check_open, list_by_key
from chatnode_crm.lists.membership import add_many, remove_many
from chatnode_crm.people.opting import take_along
from chatnode_crm.pivots import MEMBERS, TAGGINGS, Group, GroupFilter, keys_page
from chatnode_crm.segments import selection
from chatnode_crm.segments.selection import Selection
from chatnode_crm.segments.through import lists_behind, lists_through
from chatnode_crm.tags.changing import delete_tag
from chatnode_crm.tags.finding import tag_by_key
from chatnode_crm.tags.tagging import tag_many, untag_many

Op = Literal["add", "remove", "tag", "untag"]
EndOp = Literal["archive_list", "delete_list", "delete_tag"]


@record(frozen=True)
class BulkSource:
    """Which contacts: those with the keys in `contacts`, ascending; or those of a `Selection`, by its fields; or those
    on at least `at_least` of the lists; or those that have one of the tags."""

    contacts: list[int] = attrs.field(factory=list[int])
    selected: dict[str, Any] | None = None
    lists: list[int] = attrs.field(factory=list[int])
    tags: list[int] = attrs.field(factory=list[int])
    at_least: int = 1

    def page(self, reader: Querying, asker: Asker | None, after: int, limit: int) -> list[int]:
        """Keys above `after`, ascending; fewer than `limit` on the last page. Lists and tags that were deleted
        meanwhile have none. A selection needs an asker."""
        if self.selected is not None and asker is not None:
            return selection.keys_page(reader, asker, Selection(**self.selected), after, limit)
        if self.lists:
            groups = _sized(reader, "SELECT key, members FROM crm_lists", self.lists)
            return keys_page(reader, MEMBERS, GroupFilter(groups, self.at_least), after, limit) if groups else []
        if self.tags:
            groups = _sized(reader, "SELECT key, contacts FROM crm_tags", self.tags)
            return keys_page(reader, TAGGINGS, GroupFilter(groups), after, limit) if groups else []
        start = bisect_right(self.contacts, after)
        return self.contacts[start : start + limit]

    def through(self, reader: Querying) -> set[int]:
        """The lists that the contacts come from."""
        if self.selected is not None:
            return lists_through(reader, Selection(**self.selected))
        return lists_behind(reader, self.lists)

    def most(self, reader: Querying) -> int | None:
        """How many contacts there are at most; None if that is not known before they were read."""
        if self.selected is not None:
            return None
        lists = _sized(reader, "SELECT key, members FROM crm_lists", self.lists)
        tags = _sized(reader, "SELECT key, contacts FROM crm_tags", self.tags)
        return len(self.contacts) + sum(group.size for group in (*lists, *tags))


def _sized(reader: Querying, select: str, keys: Sequence[int]) -> list[Group]:
    found = reader.execute(f"{select} WHERE key IN (SELECT value FROM json_each(?))", (json_array(keys),))  # noqa: S608
    return [Group(*row) for row in found.fetchall()]


@record(frozen=True)
class BulkStep:
    """What is done with each contact: the list or tag with the key `group` is given or taken."""

    op: Op
    group: int


@record(frozen=True)
class BulkEnd:
    """What is done in the end, when all steps were carried out."""

    op: EndOp
    group: int


@record(frozen=True)
class BulkPlan:
    """`actor` is the key of the user who asked."""

    source: BulkSource
    steps: list[BulkStep]
    ends: list[BulkEnd]
    actor: int | None


def carry_out(tx: Transaction, plan: BulkPlan, keys: Sequence[int]) -> int:
    """Carry out the steps for these contacts; returns how much changed.

    Raises `Refusal("conflict")` if a list was archived meanwhile, or its campaign has begun.
    """
    if not keys:
        return 0
    changed = 0
    for step in plan.steps:
        done = _STEPS[step.op](tx, step.group, keys, plan.actor)
        if step.op == "add" and done:
            take_along(tx, plan.source.through(tx), step.group, done)
        changed += len(done)
    return changed


def left_behind(reader: Querying, plan: BulkPlan, limit: int) -> tuple[list[int], int]:
    """Of a plan that removes its sources: contacts that came to them where it had been already, as they lack what it
    gives; and how many have ever come, for `end_unless_grown`.

    Raises `Refusal("conflict")` if what it gives was deleted.
    """
    if not plan.ends:
        return [], 0
    [step] = plan.steps
    _check_target(reader, step)
    pivot, select, keys = (
        (MEMBERS, "SELECT key, members FROM crm_lists", plan.source.lists)
        if step.op == "add"
        else (TAGGINGS, "SELECT key, contacts FROM crm_tags", plan.source.tags)
    )
    groups = _sized(reader, select, keys)
    given = GroupFilter(groups, none=[Group(step.group, 0)])
    return keys_page(reader, pivot, given, 0, limit) if groups else [], _added(reader, plan)


def end_unless_grown(tx: Transaction, plan: BulkPlan, added: int) -> bool:
    """Do what is to be done in the end, unless contacts have come to the sources since it was `added`."""
    if plan.ends:
        _check_target(tx, plan.steps[0])
        if _added(tx, plan) != added:
            return False
    end(tx, plan)
    return True


def _added(reader: Querying, plan: BulkPlan) -> int:
    """How many contacts have ever come to the sources that are there."""
    (added,) = reader.execute(
        "SELECT (SELECT coalesce(sum(added), 0) FROM crm_lists WHERE key IN (SELECT value FROM json_each(:lists))) "
        "+ (SELECT coalesce(sum(added), 0) FROM crm_tags WHERE key IN (SELECT value FROM json_each(:tags)))",
        {"lists": json_array(plan.source.lists), "tags": json_array(plan.source.tags)},
    ).fetchone()
    return added


def _check_target(reader: Querying, step: BulkStep) -> None:
    found = list_by_key(reader, step.group) if step.op == "add" else tag_by_key(reader, step.group)
    if found is None:
        what = "list" if step.op == "add" else "tag"
        raise Refusal("conflict", f"the {what} that the others are merged into was deleted; they stay")


def end(tx: Transaction, plan: BulkPlan) -> None:
    """Do what is to be done in the end."""
    for each in plan.ends:
        _ENDS[each.op](tx, each.group, plan.actor)


def _add(tx: Transaction, key: int, contacts: Sequence[int], actor: int | None) -> Sequence[int]:
    return add_many(tx, key, contacts, actor=actor) if _is_open(tx, key) else ()


def _remove(tx: Transaction, key: int, contacts: Sequence[int], actor: int | None) -> Sequence[int]:
    return remove_many(tx, key, contacts, actor=actor) if _is_open(tx, key) else ()


def _is_open(tx: Transaction, key: int) -> bool:
    """False if the list was deleted. Raises `Refusal("conflict")`."""
    row = list_by_key(tx, key)
    if row is not None:
        check_open(row)
    return row is not None


def _tag(tx: Transaction, key: int, contacts: Sequence[int], actor: int | None) -> Sequence[int]:
    return tag_many(tx, key, contacts, actor=actor) if tag_by_key(tx, key) is not None else ()


def _untag(tx: Transaction, key: int, contacts: Sequence[int], actor: int | None) -> Sequence[int]:
    return untag_many(tx, key, contacts, actor=actor) if tag_by_key(tx, key) is not None else ()


def _archive_list(tx: Transaction, key: int, actor: int | None) -> None:
    row = list_by_key(tx, key)
    if row is not None:
        archive_list(tx, row, actor=actor)


def _delete_list(tx: Transaction, key: int, actor: int | None) -> None:
    row = list_by_key(tx, key)
    if row is not None:
        delete_list(tx, row, actor=actor)


def _delete_tag(tx: Transaction, key: int, actor: int | None) -> None:
    row = tag_by_key(tx, key)
    if row is not None:
        delete_tag(tx, row, actor=actor)


_STEPS: dict[Op, Callable[[Transaction, int, Sequence[int], int | None], Sequence[int]]] = {
    "add": _add, "remove": _remove, "tag": _tag, "untag": _untag,
}  # fmt: skip
_ENDS: dict[EndOp, Callable[[Transaction, int, int | None], None]] = {
    "archive_list": _archive_list, "delete_list": _delete_list, "delete_tag": _delete_tag,
}  # fmt: skip
