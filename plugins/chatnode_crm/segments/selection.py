"""Which contacts a command is about."""

from __future__ import annotations

from typing import Annotated, Any

import attrs

from chatnode.api import Asker, Id, Items, Querying, Refusal, Whole, counted, kinds, record
from chatnode_crm.contacts.finding import keys_by_id
from chatnode_crm.naming import GroupRef
from chatnode_crm.referring import LISTS, replaced, with_ids
from chatnode_crm.segments import matching


@record
class Selection:
    """Which contacts. Give exactly one of `ids`, `in_list`, `in_lists`, `filter` and `all`.

    `ids`: these. `in_list`: those on a list; of a dynamic list, those that its filter matches now. `in_lists`: those on
    at least `at_least` of several lists, on all by default. `filter`: those that match (see filters.md, collection
    `crm_contacts`). `all`: all.
    """

    ids: Annotated[list[Id], Items(10_000)] | None = None
    in_list: GroupRef | None = None
    in_lists: Annotated[list[GroupRef], Items(100)] | None = None
    at_least: Annotated[int, Whole(1, 100)] | None = None
    filter: dict[str, Any] | None = None
    all: bool = False


_CHOICES = ("ids", "in_list", "in_lists", "filter")


def check(source: Querying, asker: Asker, selection: Selection, path: str = "contacts") -> Selection:
    """The selection as it is to be stored: it means the same later, without the asker, and whatever gets another name.

    Raises `Refusal` unless it names contacts, lists and fields that exist, and exactly one kind of choice.
    """
    given = _given(selection, path)
    if selection.ids is not None:
        known = keys_by_id(source, selection.ids)
        for place, id in enumerate(selection.ids):
            if id not in known:
                raise Refusal("not_found", "no such contact", path=f"{path}.ids.{place}")
        return selection
    filter = as_filter(selection)
    try:
        matching.matching_sql(source, asker, filter)
    except Refusal as refusal:
        raise _placed(refusal, given, path) from None
    return _settled(source, asker, selection, filter)


def _given(selection: Selection, path: str) -> str:
    """The name of the field that says which contacts."""
    given = [name for name in _CHOICES if getattr(selection, name) is not None] + ["all"] * selection.all
    if len(given) != 1:
        have = f"has {' and '.join(given)}" if given else "is empty"
        raise Refusal("invalid", f"{path} {have}; give one of {', '.join(_CHOICES)} and all", path=path)
    lists = selection.in_lists
    if selection.at_least is not None and (lists is None or selection.at_least > len(set(lists))):
        number = 0 if lists is None else len(set(lists))
        raise Refusal("invalid", f"{path}.at_least: in_lists names {counted(number, 'list')}", path=f"{path}.at_least")
    return given[0]


def _placed(refusal: Refusal, given: str, path: str) -> Refusal:
    """A fault of the filter that a selection is, at its place in the selection."""
    inner = refusal.path or "filter"
    match given:
        case "in_lists":
            place = f"{path}.in_lists.{inner.rpartition('.')[2]}"
        case "filter":
            place = f"{path}.{inner}"
        case _:
            place = f"{path}.{given}"
    message = refusal.message.removeprefix(inner)
    return Refusal(refusal.code, f"{place}{'' if message != refusal.message else ': '}{message}", path=place)


def as_filter(selection: Selection) -> dict[str, Any]:
    """The filter that a selection other than by ids is."""
    if selection.filter is not None:
        return selection.filter
    if selection.in_list is not None:
        return {LISTS: {"_has_any": [selection.in_list]}}
    if selection.in_lists is not None:
        if selection.at_least is None:
            return {LISTS: {"_has_all": selection.in_lists}}
        return {LISTS: {"_has_at_least": {"count": selection.at_least, "of": selection.in_lists}}}
    return {}


def _settled(source: Querying, asker: Asker, selection: Selection, filter: dict[str, Any]) -> Selection:
    if selection.in_list is not None:
        (list_id,) = with_ids(source, filter)[LISTS]["_has_any"]
        return attrs.evolve(selection, in_list=list_id)
    if asker.me is not None:
        (me,) = source.execute("SELECT id FROM people WHERE key = ?", (asker.me,)).fetchone()
        filter = replaced(filter, kinds.CURRENT_PERSON, me)
    return attrs.evolve(selection, in_lists=None, at_least=None, filter=with_ids(source, filter), all=False)


def keys_page(source: Querying, asker: Asker, selection: Selection, after_key: int, limit: int) -> list[int]:
    """The keys of up to `limit` of the contacts, in ascending order, after a key. Fewer: there are no more.

    Raises `Refusal` if the selection is broken, as when a tag that it names was deleted since.
    """
    if selection.ids is not None:
        keys = sorted(set(keys_by_id(source, selection.ids).values()))
        return [key for key in keys if key > after_key][:limit]
    return matching.keys_page(source, asker, as_filter(selection), after_key, limit)


def count(source: Querying, asker: Asker, selection: Selection) -> int:
    """How many contacts. Raises `Refusal` like `keys_page`."""
    if selection.ids is not None:
        return len(set(keys_by_id(source, selection.ids).values()))
    return matching.count(source, asker, as_filter(selection))
