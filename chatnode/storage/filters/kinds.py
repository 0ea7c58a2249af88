"""The types of fields: which operators and values each takes, and how its values are shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import attrs
import orjson

from chatnode.counting import counted
from chatnode.model.records import record
from chatnode.model.times import DAY_MS, FIRST_MS, HOUR_MS, LAST_MS, milliseconds, rfc3339

Value = str | int | float
"""A value as SQLite takes and returns it."""

EQUALITY = frozenset({"_eq", "_neq", "_in", "_nin", "_null"})
ORDER = frozenset({"_lt", "_lte", "_gt", "_gte", "_between"})
TEXTUAL = frozenset({"_contains", "_icontains", "_starts_with", "_ends_with"})
RELATIVE = frozenset({"_in_last", "_in_next"})
SETS = frozenset({"_has_any", "_has_all", "_has_none", "_has_at_least", "_null"})

CURRENT_PERSON = "$CURRENT_USER"
"""Stands for the requesting user, wherever a user is expected."""

_MOST_WHOLE = 2**53 - 1
_ID = re.compile(r"[0-9a-f]{32}")


class Fault(ValueError):
    """A value that a field does not accept; the text says why, for people."""


@record(frozen=True)
class Operand:
    """A checked value. `sql` is the expression to compare with, where `{}` stands for the parameter; it is never built
    from input.
    """

    value: Value
    sql: str = "{}"


@record(frozen=True)
class Kind:
    """One kind of field. `takes` completes "takes …" in an error."""

    takes: str = "no value"
    operators: frozenset[str] = frozenset()

    def operand(self, value: Any, most_chars: int) -> Operand:
        """Check a value from JSON; raises `Fault`."""
        raise Fault(f"takes {self.takes}")

    def show(self, value: Any) -> Any:
        """A value from SQLite as JSON; never called with NULL."""
        return value

    def is_stored(self, value: Any) -> bool:
        """Whether SQLite could store this value in such a field; checked for cursors."""
        return value.__class__ is str and is_storable(value)


@record(frozen=True)
class String(Kind):
    takes: str = "a string"
    operators: frozenset[str] = EQUALITY | ORDER | TEXTUAL

    def operand(self, value: Any, most_chars: int) -> Operand:
        return Operand(_text(self, value, most_chars))


@record(frozen=True)
class Integer(Kind):
    takes: str = "an integer"
    operators: frozenset[str] = EQUALITY | ORDER

    def operand(self, value: Any, most_chars: int) -> Operand:
        if value.__class__ is not int or abs(value) > _MOST_WHOLE:
            raise Fault(f"takes {self.takes}")
        return Operand(value)

    def is_stored(self, value: Any) -> bool:
        return value.__class__ is int and -(2**63) <= value < 2**63


@record(frozen=True)
class Number(Kind):
    """A number with or without a fraction."""

    takes: str = "a number"
    operators: frozenset[str] = EQUALITY | ORDER

    def operand(self, value: Any, most_chars: int) -> Operand:
        if value.__class__ not in (int, float) or not abs(value) <= _MOST_WHOLE:  # written so that NaN is refused too
            raise Fault(f"takes {self.takes}")
        return Operand(value)

    def is_stored(self, value: Any) -> bool:
        return value.__class__ in (int, float) and abs(value) <= _MOST_WHOLE


@record(frozen=True)
class Timestamp(Integer):
    """Milliseconds since 1970 in the database, RFC 3339 in JSON. Digits below the millisecond are dropped."""

    takes: str = "a time, such as 2026-11-21T10:17:06.042Z, or milliseconds since 1970"
    operators: frozenset[str] = EQUALITY | ORDER | RELATIVE

    def operand(self, value: Any, most_chars: int) -> Operand:
        if value.__class__ is int and FIRST_MS <= value <= LAST_MS:
            return Operand(value)
        if value.__class__ is str:
            with suppress(ValueError):
                return Operand(milliseconds(value))
        raise Fault(f"takes {self.takes}")

    def show(self, value: Any) -> Any:
        return rfc3339(value)


@record(frozen=True)
class Flag(Integer):
    takes: str = "true or false"
    operators: frozenset[str] = EQUALITY

    def operand(self, value: Any, most_chars: int) -> Operand:
        if value.__class__ is not bool:
            raise Fault(f"takes {self.takes}")
        return Operand(int(value))

    def show(self, value: Any) -> Any:
        return bool(value)


@record(frozen=True)
class Choice(Kind):
    """One of a few words, in any case; `other` maps aliases to them."""

    words: tuple[str, ...] = ()
    other: Mapping[str, str] = attrs.field(factory=dict[str, str])
    takes: str = attrs.field(
        init=False, default=attrs.Factory(lambda self: f"one of {', '.join(self.words)}", takes_self=True)
    )
    operators: frozenset[str] = attrs.field(init=False, default=EQUALITY)

    def operand(self, value: Any, most_chars: int) -> Operand:
        if value.__class__ is str:
            for word in self.words:
                if value.lower() == word.lower():
                    return Operand(word)
            if value in self.other:
                return Operand(self.other[value])
        raise Fault(f"takes {self.takes}")


@record(frozen=True)
class PublicId(Kind):
    takes: str = "an id of 32 hexadecimal digits"
    operators: frozenset[str] = EQUALITY

    def operand(self, value: Any, most_chars: int) -> Operand:
        if value.__class__ is not str or not _ID.fullmatch(value):
            raise Fault(f"takes {self.takes}")
        return Operand(value)


@record(frozen=True)
class PersonId(Kind):
    """A user's id, compared by id or handle. An unknown handle matches no user."""

    takes: str = f"a user's id or handle, or {CURRENT_PERSON}"
    operators: frozenset[str] = EQUALITY

    def operand(self, value: Any, most_chars: int) -> Operand:
        text = _text(self, value, most_chars)
        if text == CURRENT_PERSON:
            return Operand(text, _MY_ID)
        return Operand(text) if _ID.fullmatch(text) else Operand(text.lower(), _ID_OF_HANDLE)


# The parameter is named, so that there is one for each value; with NULL, `NOT IN` would never be true.
_MY_ID = "(SELECT coalesce(max(id), '') FROM people WHERE key = :me AND CAST({} AS TEXT) IS NOT NULL)"
_ID_OF_HANDLE = "(SELECT coalesce(max(id), '') FROM people WHERE handle = {})"


@record(frozen=True)
class SavedFilter:
    """What a value of `Labels` may stand for: the rows that a filter matches, such as those of a saved search.

    `filter` is one of the same collection, and counts towards the limits of the filter that refers to it. `name` is
    what errors call it; two of one node have different names.
    """

    name: str
    filter: Any


@record(frozen=True, kw_only=True)
class Labels(Kind):
    """A set of values, such as tags, that another table holds. The field's `sql` is a JSON list of them, or NULL.

    A row has a value if `row`, an expression over the collection's source, is among what `relation` selects: a
    statement that ends with the column of the values, to which a condition is added, as in `SELECT t.contact FROM
    crm_taggings t WHERE t.tag`. It must not select NULL. `some` is a condition: that the row has any value; by default,
    that it is among what the relation selects. `find` gets a text from a filter and returns the stored value that it
    means, or the saved filter that it stands for. It raises `Fault`, whose text completes a sentence that begins with
    the path, as in "names no tag".
    """

    row: str
    relation: str
    find: Callable[[str], Value | SavedFilter]
    some: str | None = None
    takes: str = "a string"
    operators: frozenset[str] = SETS

    def label(self, value: Any, most_chars: int) -> Operand | SavedFilter:
        """Check one value of a list from JSON; raises `Fault`."""
        found = self.find(_text(self, value, most_chars))
        return found if isinstance(found, SavedFilter) else Operand(found)

    def show(self, value: Any) -> Any:
        return orjson.loads(value)


@record(frozen=True)
class Json(Kind):
    """Shown only."""

    def show(self, value: Any) -> Any:
        return orjson.loads(value)


_UNIT_MS = {"minute": 60_000, "hour": HOUR_MS, "day": DAY_MS, "week": 7 * DAY_MS}
_DURATION = re.compile(r"([0-9]{1,6}) (minute|hour|day|week)s?")


def duration(value: Any, most_chars: int) -> Operand:
    """What `_in_last` and `_in_next` take: a duration, in milliseconds. Raises `Fault`."""
    found = _DURATION.fullmatch(value) if value.__class__ is str else None
    if found is None:
        raise Fault("takes a number of minutes, hours, days or weeks, such as 30 days")
    return Operand(int(found[1]) * _UNIT_MS[found[2]])


def is_storable(text: str) -> bool:
    """Whether SQLite takes the text as it is: no NUL, no half of a surrogate pair."""
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def _text(kind: Kind, value: Any, most_chars: int) -> str:
    if value.__class__ is not str:
        raise Fault(f"takes {kind.takes}")
    if most_chars and len(value) > most_chars:
        raise Fault(f"has {counted(len(value), 'character')}; the maximum is {most_chars}")
    if not is_storable(value):
        raise Fault("contains a character that is not allowed in text")
    return value
