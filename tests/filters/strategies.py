"""Random filters of a collection, made from its declaration and from the rows that it shows."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from chatnode.storage.filters import kinds
from chatnode.storage.filters.collection import Collection, Field
from tests.filters.model import Row, comparable

SCRAPS = ("", "%", "_", "'", "' OR 1=1 --", "STRASSE", "é", "\U0001f600", "\n")


Sets = dict[str, tuple[str, ...]]
"""Names of saved filters, by the field whose values they are."""


def values(field: Field, rows: list[Row], handles: dict[str, str], sets: Sets) -> list[Any]:
    """Mostly what rows have, and its neighbours."""
    seen = list({str(row[field.name]): row[field.name] for row in rows if row[field.name] is not None}.values())
    match field.kind:
        case kinds.Timestamp():
            ms = [comparable(field, value) for value in seen]
            return [*seen, *ms, *(each - 1 for each in ms), 0]
        case kinds.Flag():
            return [True, False]
        case kinds.Integer():
            return [*seen, *range(-2, 9), 2**53 - 1, -(2**53) + 1]
        case kinds.PersonId():
            return [*seen, *handles, "ANN", "nobody", "$CURRENT_USER"]
        case kinds.Choice(words=words, other=other):
            return [*words, *map(str.lower, words), *map(str.upper, words), *other]
        case kinds.PublicId():
            return [*seen, "0" * 32]
        case kinds.Number():
            return [*seen, *(each + 0.5 for each in seen), -1, 0, 10**9]
        case kinds.Labels():
            return [*{label: None for labels in seen for label in labels}, *sets.get(field.name, ())]
        case kinds.Json():
            return []
        case _:
            return [*seen, *(text[:3] for text in seen), *(text[2:].upper() for text in seen), *SCRAPS]


def comparisons(field: Field, operator: str, possible: list[Any]) -> st.SearchStrategy[dict[str, Any]]:
    value = st.sampled_from(possible)
    match operator:
        case "_null":
            value = st.booleans()
        case "_in" | "_nin":
            value = st.lists(value, max_size=4)
        case "_between":
            value = st.lists(value, min_size=2, max_size=2)
        case "_eq" | "_neq":
            value = value | st.none()
        case "_has_any" | "_has_all" | "_has_none":
            value = st.lists(value, max_size=3)
        case "_has_at_least":
            value = st.fixed_dictionaries({"count": st.integers(1, 3), "of": st.lists(value, max_size=4)})
        case "_in_last" | "_in_next":
            units = st.sampled_from(["minute", "minutes", "hours", "days", "week", "weeks"])
            value = st.builds("{} {}".format, st.integers(0, 120) | st.just(999_999), units)
        case _:
            pass
    return st.fixed_dictionaries({operator: value})


class Leaves(list[st.SearchStrategy[dict[str, Any]]]):
    """What may be said of each field."""

    def __repr__(self) -> str:
        return f"{len(self)} fields"  # hypothesis shows its strategies, and these are long


def leaves(collection: Collection, rows: list[Row], handles: dict[str, str], sets: Sets | None = None) -> Leaves:
    found = Leaves([st.just({})])
    for field in collection.fields:
        possible = values(field, rows, handles, sets or {})
        if possible:
            said = st.one_of([comparisons(field, operator, possible) for operator in sorted(field.kind.operators)])
            both = st.builds(lambda one, two: one | two, said, said)
            found += [st.fixed_dictionaries({name: said | both}) for name in (field.name, *field.also)]
    return found


@st.composite
def filters(draw: st.DrawFn, possible: Leaves, depth: int = 3) -> dict[str, Any]:
    match draw(st.sampled_from(["field", "field", "_and", "_or", "_not", "both"])) if depth else "field":
        case "field":
            return draw(possible[draw(st.integers(0, len(possible) - 1))])
        case "_not":
            return {"_not": draw(filters(possible, depth - 1))}
        case "both":
            return draw(filters(possible, depth - 1)) | draw(filters(possible, depth - 1))
        case several:
            return {several: [draw(filters(possible, depth - 1)) for _ in range(draw(st.integers(0, 3)))]}
