"""SQL that other databases spell in another way, in one place. All other SQL of the core is in words they share."""

from __future__ import annotations

IN_ORDER = "CROSS JOIN"
"""A join for which the planner keeps the order of the tables, as it is written; elsewhere an ordinary JOIN."""


def greatest(*terms: str) -> str:
    """The greatest of some numbers. None of them may be NULL: databases differ in what that makes."""
    return f"max({', '.join(terms)})"


def least(*terms: str) -> str:
    """The least of some numbers, none of them NULL."""
    return f"min({', '.join(terms)})"


def each_of(parameter: str) -> str:
    """What `IN` takes: the values of a parameter that is bound to a list as JSON, however long it is."""
    return f"(SELECT value FROM json_each({parameter}))"  # noqa: S608


def items_of(json: str, name: str) -> str:
    """A source to `CROSS JOIN`: a row for each item of a list that is stored as JSON, with the item as `value`."""
    return f"json_each({json}) {name}"


def member_of(json: str, key: str) -> str:
    """A text in an object that is stored as JSON; NULL if it has none."""
    return f"({json} ->> '{key}')"


def json_list(value: str) -> str:
    """An aggregate: the values of all rows in one list, as JSON text."""
    return f"json_group_array({value})"


def json_row(*columns: str) -> str:
    """The values of some columns in one list, as JSON."""
    return f"json_array({', '.join(columns)})"


def json_record(*columns: str) -> str:
    """The values of some columns by their names in one object, as JSON."""
    pairs = ", ".join(f"'{column}', {column}" for column in columns)
    return f"json_object({pairs})"


def usually(condition: str) -> str:
    """The condition, which the planner is told to expect of most rows."""
    return f"likelihood({condition}, 0.99)"
