"""Parses filters, sorts and lists of fields: typed, and checked against the collection and the limits."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, TypeVar, cast

from chatnode.config import Limits
from chatnode.counting import counted
from chatnode.errors import Refusal
from chatnode.model.records import record
from chatnode.storage.filters.collection import Collection, Field
from chatnode.storage.filters.kinds import RELATIVE, Fault, Labels, Operand, SavedFilter, duration

T = TypeVar("T")

MOST_DEPTH, MOST_TERMS, MOST_VALUES = 50, 400, 10_000
"""What SQLite itself can handle, with room to spare; used for settings of 0."""

_COMPARISONS = {
    "_eq", "_neq", "_lt", "_lte", "_gt", "_gte", "_contains", "_icontains", "_starts_with", "_ends_with", *RELATIVE,
}  # fmt: skip


@record(frozen=True)
class Test:
    """A comparison of one field. For `_null`, `wanted` is whether it must be missing. Of the comparisons of sets only
    `_has_any` is here; the others are made of it."""

    field: Field
    operator: str
    operands: tuple[Operand, ...] = ()
    wanted: bool = True


@record(frozen=True)
class All:
    parts: tuple[Condition, ...]


@record(frozen=True)
class AnyOf:
    parts: tuple[Condition, ...]


@record(frozen=True)
class AtLeast:
    """At least `count` of the parts."""

    count: int
    parts: tuple[Condition, ...]


@record(frozen=True)
class Not:
    part: Condition


Condition = Test | All | AnyOf | AtLeast | Not


@record(frozen=True)
class Key:
    """One sort key; `descending` puts the highest first, and rows without it last."""

    field: Field
    descending: bool


def parse_filter(collection: Collection, value: Any, limits: Limits, path: str = "filter") -> Condition:
    """Raises `Refusal`: `invalid` with the path of the first fault, `too_large` if it exceeds a limit."""
    return _Parser(collection, limits).condition(value, path, 0)


def parse_sort(collection: Collection, text: str, path: str = "sort") -> list[Key]:
    """`-last_message_at,title`; empty for no order. Raises `Refusal("invalid")`."""
    keys: list[Key] = []
    for part in _parts(text):
        field = _known(collection, part.removeprefix("-"), path)
        if not field.sorts:
            raise Refusal("invalid", f"{path}: cannot sort by {field.name}; {_sortable(collection)}", path=path)
        if any(key.field is field for key in keys):
            raise Refusal("invalid", f"{path} names {field.name} twice", path=path)
        keys.append(Key(field, part.startswith("-")))
    return keys


def parse_fields(collection: Collection, text: str, path: str = "fields") -> dict[str, Field]:
    """Fields by the names that the request used for them. Raises `Refusal("invalid")`."""
    return {name: _known(collection, name, path) for name in _parts(text)}


def parse_groups(collection: Collection, text: str, path: str = "group_by") -> dict[str, Field]:
    """Like `parse_fields`, for grouping fields."""
    found = parse_fields(collection, text, path)
    for name, field in found.items():
        if not field.groups:
            possible = collection.names(lambda each: each.groups) or "none"
            raise Refusal("invalid", f"{path}: cannot group by {name}; allowed are {possible}", path=path)
    return found


class _Parser:
    def __init__(self, collection: Collection, limits: Limits) -> None:
        self.collection = collection
        self.limits = limits
        self.most_depth = min(limits.filter_depth or MOST_DEPTH, MOST_DEPTH)
        self.most_terms = min(limits.filter_terms or MOST_TERMS, MOST_TERMS)
        self.most_values = min(limits.filter_values or MOST_VALUES, MOST_VALUES)
        self.terms = 0
        self.values = 0
        self.open: list[str] = []
        """Names of the saved filters that are being read, each of which refers to the next."""

    def condition(self, value: Any, path: str, depth: int) -> Condition:
        """An object: all of its conditions."""
        if depth > self.most_depth:
            raise Refusal("too_large", f"filters are nested at most {self.most_depth} deep", path=path)
        members = _object(value, path, 'as in {"title": {"_eq": "plans"}}')
        parts: list[Condition] = []
        for name, inner in members.items():
            inner_path = f"{path}.{name[:80]}"
            if name in ("_and", "_or"):
                self.count(inner_path)
                filters = _list(inner, inner_path, "filters")
                if len(filters) > self.most_terms:  # empty ones have no terms
                    raise self.too_many_terms(inner_path)
                items = [self.condition(each, f"{inner_path}.{index}", depth + 1) for index, each in enumerate(filters)]
                parts.append(All(tuple(items)) if name == "_and" else AnyOf(tuple(items)))
            elif name == "_not":
                self.count(inner_path)
                parts.append(Not(self.condition(inner, inner_path, depth + 1)))
            elif name.startswith("_"):
                raise Refusal(
                    "invalid", f"{inner_path} is unknown; expected _and, _or, _not or a field", path=inner_path
                )
            else:
                parts += self.tests(_known(self.collection, name, inner_path), inner, inner_path, depth)
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def tests(self, field: Field, value: Any, path: str, depth: int) -> list[Condition]:
        """All conditions on one field."""
        if not field.filters or not field.kind.operators:
            possible = self.collection.names(lambda each: each.filters and bool(each.kind.operators))
            raise Refusal("invalid", f"{path}: cannot filter by {field.name}; allowed are {possible}", path=path)
        members = _object(value, path, f"with {_operators(field)}")
        if not members:
            raise Refusal("invalid", f"{path} is empty; expected {_operators(field)}", path=path)
        return [
            self.test(field, operator, inner, f"{path}.{operator[:80]}", depth) for operator, inner in members.items()
        ]

    def test(self, field: Field, operator: str, value: Any, path: str, depth: int) -> Condition:
        self.count(path)
        if operator not in field.kind.operators:
            raise Refusal("invalid", f"{path}: {field.name} takes {_operators(field)}", path=path)
        if operator == "_null":
            if value.__class__ is not bool:
                raise Refusal("invalid", f"{path} takes true or false", path=path)
            return Test(field, operator, wanted=value)
        if value is None and operator in ("_eq", "_neq"):
            return Test(field, "_null", wanted=operator == "_eq")
        if operator in RELATIVE:
            return Test(field, operator, (self.checked(duration, value, path),))
        if operator in _COMPARISONS:
            return Test(field, operator, (self.operand(field, value, path),))
        if isinstance(field.kind, Labels):
            return self.labels(field, field.kind, operator, value, path, depth)
        items = _list(value, path, "values")
        if operator == "_between" and len(items) != 2:
            raise Refusal("invalid", f"{path} takes a list of two values, lowest and highest", path=path)
        operands = [self.operand(field, each, f"{path}.{index}") for index, each in enumerate(items)]
        return Test(field, operator, tuple(operands))

    def operand(self, field: Field, value: Any, path: str) -> Operand:
        return self.checked(field.kind.operand, value, path)

    def checked(self, check: Callable[[Any, int], T], value: Any, path: str) -> T:
        self.values += 1
        if self.values > self.most_values:
            most = counted(self.most_values, "value")
            raise Refusal("too_large", f"a filter compares with at most {most}", path=path)
        try:
            return check(value, self.limits.filter_chars)
        except Fault as fault:
            raise Refusal("invalid", f"{path} {fault}", path=path) from None

    def labels(self, field: Field, kind: Labels, operator: str, value: Any, path: str, depth: int) -> Condition:
        """What a set has of several values."""
        count = 0
        if operator == "_has_at_least":
            count, value, path = _at_least(value, path)
        items = _list(value, path, "values")
        found = [(self.checked(kind.label, each, f"{path}.{index}"), index) for index, each in enumerate(items)]
        if operator == "_has_at_least":  # each counts once
            first: dict[object, tuple[Any, int]] = {}
            for label, index in found:
                first.setdefault(_identity(label), (label, index))
            found = list(first.values())
        has = [
            self.saved(label, f"{path}.{index}", depth)
            if isinstance(label, SavedFilter)
            else Test(field, "_has_any", (label,))
            for label, index in found
        ]
        match operator:
            case "_has_all":
                return All(tuple(has))
            case "_has_at_least":
                return AtLeast(count, tuple(has))
            case "_has_any":
                return _any_of(has)
            case _:
                return Not(_any_of(has))

    def saved(self, saved: SavedFilter, path: str, depth: int) -> Condition:
        """A saved filter in the place that refers to it. Its faults are at that place, and say where in it they are."""
        if saved.name in self.open:
            circle = " → ".join([*self.open[self.open.index(saved.name) :], saved.name])
            raise Refusal("invalid", f"{path} refers to itself: {circle}", path=path)
        self.open.append(saved.name)
        try:
            return All((self.condition(saved.filter, "filter", depth + 1),))
        except Refusal as refusal:
            raise Refusal(refusal.code, f"{path}, {saved.name}: {refusal.message}", path=path) from None
        finally:
            self.open.pop()

    def count(self, path: str) -> None:
        self.terms += 1
        if self.terms > self.most_terms:
            raise self.too_many_terms(path)

    def too_many_terms(self, path: str) -> Refusal:
        return Refusal("too_large", f"a filter has at most {counted(self.most_terms, 'term')}", path=path)


def _identity(label: object) -> object:
    """The same for labels that are the same."""
    return (SavedFilter, label.name) if isinstance(label, SavedFilter) else label


def _at_least(value: Any, path: str) -> tuple[int, Any, str]:
    """The count, the values, and their path."""
    members = _object(value, path, 'as in {"count": 2, "of": ["a", "b", "c"]}')
    if members.keys() != {"count", "of"} or members["count"].__class__ is not int or members["count"] < 1:
        raise Refusal("invalid", f'{path} takes a count of at least 1 and values: {{"count": 2, "of": […]}}', path=path)
    return members["count"], members["of"], f"{path}.of"


def _any_of(parts: list[Condition]) -> Condition:
    """Any of them; values of the same field are compared together."""
    plain = [part for part in parts if isinstance(part, Test)]
    others = [part for part in parts if not isinstance(part, Test)]
    together = [Test(plain[0].field, "_has_any", tuple(part.operands[0] for part in plain))] if plain else []
    return AnyOf((*together, *others))


def _known(collection: Collection, name: str, path: str) -> Field:
    field = collection.field(name)
    if field is None:
        near = get_close_matches(name[:80], [each.name for each in collection.fields], 1)
        meant = f" (did you mean {near[0]}?)" if near else ""
        raise Refusal(
            "invalid",
            f"{path}: {collection.name} has no field {name[:80]!r}{meant}; it has {collection.names()}",
            path=path,
        )
    return field


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _sortable(collection: Collection) -> str:
    return f"allowed are {collection.names(lambda field: field.sorts)}"


def _operators(field: Field) -> str:
    return ", ".join(sorted(field.kind.operators))


def _object(value: Any, path: str, example: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Refusal("invalid", f"{path} must be an object, {example}", path=path)
    return cast("dict[str, Any]", value)


def _list(value: Any, path: str, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise Refusal("invalid", f"{path} must be a list of {what}", path=path)
    return cast("list[Any]", value)
