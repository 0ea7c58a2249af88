"""Which contacts a command is about."""

from __future__ import annotations

from typing import Annotated, Any

import attrs

from chatnode.api import Asker, Id, Items, Querying, Refusal
from chatnode_crm.jsons import json_array
from chatnode_crm.naming import GroupRef
from chatnode_crm.segments import matching


@attrs.define
class Selection:
    """Which contacts. Give exactly one of the fields.

    `ids`: these. `in_list`: those on a list; of a dynamic list, those that its filter matches now. `in_lists`: those on
    at least `at_least` of several lists, by default on all. `filter`: those that match (see filters.md, collection
    `crm_contacts`). `all`: all.
    """

    ids: Annotated[list[Id], Items(1_000)] | None = None
    in_list: GroupRef | None = None
    in_lists: Annotated[list[GroupRef], Items(100)] | None = None
    at_least: int | None = None
    filter: dict[str, Any] | None = None
    all: bool = False


def check(source: Querying, asker: Asker, selection: Selection, path: str = "contacts") -> None:
    """Raises `Refusal` unless the selection names contacts, lists and fields that exist, and exactly one kind of
    choice."""
    given = [name for name in ("ids", "in_list", "in_lists", "filter") if getattr(selection, name) is not None]
    given += ["all"] * selection.all
    if len(given) != 1:
        have = f"has {' and '.join(given)}" if given else "is empty"
        raise Refusal("invalid", f"{path} {have}; give one of ids, in_list, in_lists, filter, all", path=path)
    if selection.at_least is not None and selection.in_lists is None:
        raise Refusal("invalid", f"{path}.at_least goes with in_lists only", path=f"{path}.at_least")
    if selection.ids is not None:
        known = {id for _, id in _of_ids(source, selection.ids)}
        for place, id in enumerate(selection.ids):
            if id not in known:
                raise Refusal("not_found", "no such contact", path=f"{path}.ids.{place}")
        return
    try:
        matching.matching_sql(source, asker, as_filter(selection))
    except Refusal as refusal:
        raise Refusal(refusal.code, f"{path}: {refusal.message}", path=f"{path}.{given[0]}") from None


def as_filter(selection: Selection) -> dict[str, Any]:
    """The filter that a selection other than by ids is."""
    if selection.filter is not None:
        return selection.filter
    if selection.in_list is not None:
        return {"lists": {"_has_any": [selection.in_list]}}
    if selection.in_lists is not None:
        return {"lists": {"_has_all": selection.in_lists}}
    return {}


def keys_page(source: Querying, asker: Asker, selection: Selection, after_key: int, limit: int) -> list[int]:
    """The keys of up to `limit` of the contacts, in ascending order, after a key. Fewer: there are no more."""
    if selection.ids is not None:
        keys = sorted(key for key, _ in _of_ids(source, selection.ids))
        return [key for key in keys if key > after_key][:limit]
    return matching.keys_page(source, asker, as_filter(selection), after_key, limit)


def count(source: Querying, asker: Asker, selection: Selection) -> int:
    """How many contacts."""
    if selection.ids is not None:
        return len(_of_ids(source, selection.ids))
    return matching.count(source, asker, as_filter(selection))


def _of_ids(source: Querying, ids: list[str]) -> list[tuple[int, str]]:
    return source.execute(
        "SELECT key, id FROM crm_contacts WHERE id IN (SELECT value FROM json_each(?))", (json_array(ids),)
    ).fetchall()
