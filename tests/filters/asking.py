"""Everything that can be asked of a collection, made from its declaration: a new collection is asked the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chatnode.storage.filters import kinds
from chatnode.storage.filters.collection import Collection, Field

MOST = 500


def questions(collection: Collection, words: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Fields of `items.query`: every order, every group, every comparison of every field, with such words."""
    yield {}
    for field in collection.fields:
        if field.sorts:
            yield {"sort": field.name}
            yield {"sort": f"-{field.name}", "limit": 2}  # with a cursor
        if field.groups:
            yield {"group_by": field.name}
            yield {"group_by": field.name, "sort": "-count", "limit": 1}
        for asked in _comparisons(field, words):
            yield {"filter": {field.name: asked}, "fields": field.name}
            yield {"filter": {"_not": {field.name: asked}}, "fields": collection.key[0]}


def _comparisons(field: Field, words: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    values: tuple[Any, ...]
    match field.kind:
        case kinds.Json():
            return
        case kinds.Flag():
            values = (True,)
        case kinds.Integer():
            values = (0, 3, 5)
        case kinds.Choice(words=choices):
            values = choices
        case kinds.PublicId():
            values = ("0" * 32,)
        case kinds.PersonId():
            values = ("bob", "$CURRENT_USER")
        case _:
            values = words
    yield {"_null": True}
    for value in values:
        yield {"_eq": value}
        if "_lt" in field.kind.operators:
            yield {"_lt": value}
        if "_icontains" in field.kind.operators:
            yield {"_icontains": value}
            yield {"_starts_with": value}
            yield {"_ends_with": value}
    if "_in_last" in field.kind.operators:
        yield {"_in_last": "1 day"}
        yield {"_in_next": "1 day"}
