"""SQL that other databases write differently, in one place. The rest of the core's SQL is portable."""

from __future__ import annotations

IN_ORDER = "CROSS JOIN"
"""A join for which SQLite's planner keeps the tables in the order written; in other databases an ordinary JOIN."""

BY_ITS_KEY = "NOT INDEXED"
"""After the name of a table: it is read by its primary key, whatever else the conditions suggest; in other databases
nothing."""


def greatest(*terms: str) -> str:
    """The greatest of several numbers. None may be NULL, because databases treat that differently."""
    return f"max({', '.join(terms)})"


def least(*terms: str) -> str:
    """The least of several numbers, none of which may be NULL."""
    return f"min({', '.join(terms)})"


def each_of(parameter: str) -> str:
    """The right side of `IN`: the values of a parameter bound to a JSON list of any length."""
    return f"(SELECT value FROM json_each({parameter}))"  # noqa: S608


def items_of(json: str, name: str) -> str:
    """A source to `CROSS JOIN`: one row for each item of a list stored as JSON: its place as `key`, and `value`."""
    return f"json_each({json}) {name}"


def member_of(json: str, key: str) -> str:
    """A string in an object stored as JSON; NULL if the key is missing."""
    return f"({json} ->> '{key}')"


def part_of(json: str, key: str) -> str:
    """A part of an object stored as JSON, as JSON; NULL if the key is missing."""
    return f"({json} -> '{key}')"


def members_of(json: str, list: str, key: str) -> str:
    """A string of each object in a list, both in an object stored as JSON, as lines; NULL if the list is missing."""
    return f"(SELECT group_concat(item.value ->> '{key}', '\n') FROM json_each({json}, '$.{list}') item)"  # noqa: S608


def length_of(json: str, list: str) -> str:
    """The length of a list in an object stored as JSON; NULL if the list is missing."""
    return f"json_array_length({json}, '$.{list}')"


def json_list(value: str) -> str:
    """An aggregate: the values of all rows as one JSON list."""
    return f"json_group_array({value})"


def json_row(*columns: str) -> str:
    """The values of several columns as one JSON list."""
    return f"json_array({', '.join(columns)})"


def json_record(*columns: str) -> str:
    """The values of several columns as one JSON object, by name."""
    pairs = ", ".join(f"'{column}', {column}" for column in columns)
    return f"json_object({pairs})"


def usually(condition: str) -> str:
    """The condition, with a hint to the planner that most rows meet it."""
    return f"likelihood({condition}, 0.99)"
