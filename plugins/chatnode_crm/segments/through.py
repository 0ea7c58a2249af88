"""Through which lists a selection reaches contacts: who opted out of one of them is not written to."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import orjson

from chatnode.api import Querying, json_array
from chatnode_crm.naming import is_id, name_key
from chatnode_crm.referring import LISTS, texts_of
from chatnode_crm.segments.selection import Selection, as_filter


def lists_through(source: Querying, selection: Selection) -> set[int]:
    """The keys of the lists that a selection names, also inside of dynamic lists; not those that contacts must not be
    on. A selection by ids, or of all contacts, names none."""
    if selection.ids is not None:
        return set()
    found = set[int]()
    _follow(source, as_filter(selection), found)
    return found


def lists_behind(source: Querying, keys: Collection[int]) -> set[int]:
    """These lists, and those that the filters of dynamic ones among them name."""
    found = set[int]()
    for key, filter in _rows(source, "key", keys):
        found.add(key)
        _follow(source, filter, found)
    return found


def _follow(source: Querying, filter: dict[str, Any], found: set[int]) -> None:
    named = set(_named(filter, wanted=True))
    by_name = {name_key(text) for text in named if not is_id(text)}
    for key, inner in (*_rows(source, "id", named), *_rows(source, "name_key", by_name)):
        if key not in found:
            found.add(key)
            _follow(source, inner, found)


def _named(filter: dict[str, Any], *, wanted: bool) -> Iterator[str]:
    """The lists on which contacts are that match a filter, as it names them. `wanted` is false within a `_not`."""
    for name, inner in filter.items():
        if name in ("_and", "_or"):
            for part in inner:
                yield from _named(part, wanted=wanted)
        elif name == "_not":
            yield from _named(inner, wanted=not wanted)
        elif name == LISTS:
            for operator, value in inner.items():
                if (operator != "_has_none") == wanted:
                    yield from texts_of(value)


def _rows(source: Querying, column: str, values: Collection[int] | Collection[str]) -> list[tuple[int, dict[str, Any]]]:
    """The lists' keys and filters."""
    rows = source.execute(
        f"SELECT key, filter FROM crm_lists WHERE {column} IN (SELECT value FROM json_each(?))",  # noqa: S608
        (json_array(values),),
    )
    return [(key, orjson.loads(filter) if filter is not None else {}) for key, filter in rows.fetchall()]
