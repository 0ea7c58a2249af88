"""What a filter means, said again over rows as they are shown, to compare the database's answers with."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from chatnode.model.folding import caseless
from chatnode.storage.filters import kinds
from chatnode.storage.filters.collection import Collection, Field
from chatnode.storage.filters.parse import Key

Row = dict[str, Any]


class Model:
    """`handles` maps a handle to its id; `me` is the id of the one who asks, at the time `now`."""

    def __init__(self, collection: Collection, handles: dict[str, str], me: str, now: int) -> None:
        self.collection = collection
        self.handles = handles
        self.me = me
        self.now = now

    def holds(self, condition: dict[str, Any], row: Row) -> bool:
        return all(self._member(name, value, row) for name, value in condition.items())

    def _member(self, name: str, value: Any, row: Row) -> bool:
        match name:
            case "_and":
                return all(self.holds(part, row) for part in value)
            case "_or":
                return any(self.holds(part, row) for part in value)
            case "_not":
                return not self.holds(value, row)
        field = self.collection.field(name)
        assert field is not None
        return all(self._test(field, operator, given, row) for operator, given in value.items())

    def _test(self, field: Field, operator: str, given: Any, row: Row) -> bool:
        shown = row[field.name]
        if operator == "_null" or given is None:
            wanted = given if operator == "_null" else operator == "_eq"
            return (shown is None) == wanted
        if isinstance(field.kind, kinds.Labels):
            return self._has(field.kind, operator, given, shown or [], row)
        if shown is None:
            return operator in ("_neq", "_nin")
        if operator in kinds.RELATIVE:
            span = _milliseconds(given)
            ahead = comparable(field, shown) - self.now
            return -span < ahead <= 0 if operator == "_in_last" else 0 < ahead <= span
        have = comparable(field, shown)
        want = [self._value(field, each) for each in given] if isinstance(given, list) else self._value(field, given)
        match operator:
            case "_eq":
                return have == want
            case "_neq":
                return have != want
            case "_in":
                return have in want
            case "_nin":
                return have not in want
            case "_lt":
                return have < want
            case "_lte":
                return have <= want
            case "_gt":
                return have > want
            case "_gte":
                return have >= want
            case "_between":
                return want[0] <= have <= want[1]
            case "_contains":
                return want in have
            case "_icontains":
                return caseless(want) in caseless(have)
            case "_starts_with":
                return have.startswith(want)
            case "_ends_with":
                return have.endswith(want)
        raise AssertionError(operator)

    def _has(self, kind: kinds.Labels, operator: str, given: Any, labels: list[str], row: Row) -> bool:
        """Labels are shown by the values that `find` returns, or by names that have them."""
        named = given["of"] if operator == "_has_at_least" else given
        found = {kind.find(each): each for each in named if not isinstance(kind.find(each), kinds.SavedFilter)}
        saved = [each for each in map(kind.find, named) if isinstance(each, kinds.SavedFilter)]
        have = {kind.find(label) for label in labels}
        different = {each.name: each for each in saved}.values()
        has = [value in have for value in found] + [self.holds(each.filter, row) for each in different]
        match operator:
            case "_has_any":
                return any(has)
            case "_has_all":
                return all(has)
            case "_has_none":
                return not any(has)
            case _:
                return sum(has) >= given["count"]

    def _value(self, field: Field, given: Any) -> Any:
        if isinstance(field.kind, kinds.PersonId):
            return self.me if given == "$CURRENT_USER" else self.handles.get(given.lower(), given)
        if isinstance(field.kind, kinds.Choice):
            words = {word.lower(): word for word in field.kind.words}
            return field.kind.other.get(given) or words[given.lower()]
        return comparable(field, given)

    @staticmethod
    def in_order(rows: list[Row], keys: list[Key]) -> list[Row]:
        """Sorted by the last key first: Python's sort is stable. Rows without a value are the lowest."""
        for key in reversed(keys):

            def place(row: Row, field: Field = key.field) -> tuple[bool, Any]:
                shown = row[field.name]
                return (shown is not None, comparable(field, shown) if shown is not None else 0)

            rows = sorted(rows, key=place, reverse=key.descending)
        return rows


def _milliseconds(duration: str) -> int:
    number, unit = duration.split()
    return round(timedelta(**{unit.rstrip("s") + "s": int(number)}).total_seconds() * 1000)


def comparable(field: Field, value: Any) -> Any:
    """A time as milliseconds, everything else as it is."""
    if isinstance(field.kind, kinds.Timestamp) and isinstance(value, str):
        return round(datetime.fromisoformat(value).timestamp() * 1000)
    return value
