"""Conditions as SQL. Every value is a bound parameter; the SQL itself contains no user input.

Logic has two values: a comparison with a missing field (NULL) is false, and `_neq` and `_nin` are the exact opposites
of `_eq` and `_in`, hence true. In SQL, NULL counts as false where only AND and OR enclose it; only `_not` must turn it
into false first.
"""

from __future__ import annotations

from typing import Any

from chatnode.storage.filters.collection import Asker
from chatnode.storage.filters.kinds import Choice, Labels, Operand, Value
from chatnode.storage.filters.parse import All, AnyOf, AtLeast, Condition, Key, Not, Test

TRUE, FALSE = "TRUE", "FALSE"
_SYMBOL = {"_neq": "IS DISTINCT FROM", "_lt": "<", "_lte": "<=", "_gt": ">", "_gte": ">="}


class Parameters:
    """The values of a statement, by the names they have in it."""

    def __init__(self, asker: Asker) -> None:
        self.values: dict[str, Any] = {"me": asker.me, "session": asker.session, "now": asker.now}

    def bind(self, value: Value) -> str:
        name = f"v{len(self.values)}"
        self.values[name] = value
        return f":{name}"


def condition_sql(condition: Condition, parameters: Parameters) -> str:
    """An SQL expression that is true (never 0 or NULL) exactly for the rows that the condition holds for."""
    match condition:
        case All(parts):
            return _joined([condition_sql(part, parameters) for part in parts], "AND", TRUE)
        case AnyOf(parts):
            return _joined([condition_sql(part, parameters) for part in parts], "OR", FALSE)
        case AtLeast(count, parts):
            each = [f"CASE WHEN {condition_sql(part, parameters)} THEN 1 ELSE 0 END" for part in parts]
            return f"({_joined(each, '+', '0')} >= {parameters.bind(count)})"
        case Not(part):
            return f"({condition_sql(part, parameters)} IS NOT TRUE)"
        case Test():
            return f"({_test_sql(condition, parameters)})"


def _joined(parts: list[str], word: str, nothing: str) -> str:
    """Built as a balanced tree, because SQLite limits the depth of an expression."""
    if len(parts) < 2:
        return parts[0] if parts else nothing
    middle = len(parts) // 2
    return f"({_joined(parts[:middle], word, nothing)} {word} {_joined(parts[middle:], word, nothing)})"


def _test_sql(test: Test, parameters: Parameters) -> str:
    field, operator, operands = test.field, test.operator, test.operands
    if field.among is not None and (words := _words(test)) is not None:
        return field.among(words)
    if isinstance(field.kind, Labels):
        return _labels_sql(field.kind, test, [_operand_sql(operand, parameters) for operand in operands])
    if operator == "_null":
        return f"{field.sql} IS NULL" if test.wanted else f"{field.sql} IS NOT NULL"
    values = [_operand_sql(operand, parameters) for operand in operands]
    match operator:
        case "_in":
            return f"{field.sql} IN ({', '.join(values)}){_by_derived(test, parameters)}"
        case "_nin":
            return f"{field.sql} NOT IN ({', '.join(values)}) OR {field.sql} IS NULL"
        case "_between":
            return f"{field.sql} BETWEEN {values[0]} AND {values[1]}"
        case "_contains":
            return f"instr({field.sql}, {values[0]}) > 0"
        case "_icontains":
            return f"instr(caseless({field.sql}), caseless({values[0]})) > 0"
        case "_ends_with":
            start = f"length({field.sql}) - length({values[0]})"
            return f"{start} >= 0 AND substr({field.sql}, {start} + 1) = {values[0]}"
        case "_in_last":
            return f"{field.sql} > (:now - {values[0]}) AND {field.sql} <= :now"
        case "_in_next":
            return f"{field.sql} > :now AND {field.sql} <= (:now + {values[0]})"
        case "_starts_with":  # the first half is for an index
            return f"{field.sql} >= {values[0]} AND substr({field.sql}, 1, length({values[0]})) = {values[0]}"
        case "_eq":
            return f"{field.sql} = {values[0]}{_by_derived(test, parameters)}"
        case _:
            return f"{field.sql} {_SYMBOL[operator]} {values[0]}"


def _by_derived(test: Test, parameters: Parameters) -> str:
    """Says nothing new, but rows can be found by it."""
    derived = test.field.derived
    if derived is None:
        return ""
    keys = [parameters.bind(derived.of(str(operand.value))) for operand in test.operands]
    return f" AND {derived.sql} IN ({', '.join(keys)})"


def _labels_sql(kind: Labels, test: Test, values: list[str]) -> str:
    """What the relation selects is read once, and not for each row: with few rows, these are found by their key."""
    if test.operator == "_null":
        some = kind.some or f"{kind.row} IN ({kind.relation} IS NOT NULL)"
        return f"NOT ({some})" if test.wanted else some
    return f"{kind.row} IN ({kind.relation} IN ({', '.join(values)}))"


def _operand_sql(operand: Operand, parameters: Parameters) -> str:
    return operand.sql.format(parameters.bind(operand.value))


def _words(test: Test) -> frozenset[str] | None:
    """The words that a test allows, for a field that has one of its words in every row."""
    kind = test.field.kind
    if not isinstance(kind, Choice):
        return None
    all_words = frozenset(kind.words)
    named = frozenset(str(operand.value) for operand in test.operands)
    match test.operator:
        case "_eq" | "_in":
            return named
        case "_neq" | "_nin":
            return all_words - named
        case _:
            return frozenset() if test.wanted else all_words


# ---- order and paging


def order_sql(keys: list[Key]) -> str:
    """Rows without a key come first in ascending and last in descending order, as in SQLite's indexes."""
    return ", ".join(f"{key.field.sql} {_FALLING if key.descending else _RISING}" for key in keys)


_RISING, _FALLING = "ASC NULLS FIRST", "DESC NULLS LAST"


def after_sql(keys: list[Key], values: list[Value | None], parameters: Parameters) -> str:
    """The condition for rows that come after the row with these values, in the order of the keys."""
    cases: list[str] = []
    same: list[str] = []
    for key, value in zip(keys, values, strict=True):
        cases.append(_joined([*same, _beyond(key, value, parameters)], "AND", TRUE))
        sql = key.field.sql
        same.append(f"{sql} IS NULL" if value is None else f"{sql} = {parameters.bind(value)}")
    found = _joined(cases, "OR", FALSE)
    first, value = keys[0], values[0]
    if first.field.nullable or value is None:
        return found
    start = f"{first.field.sql} {'<=' if first.descending else '>='} {parameters.bind(value)}"
    return f"({start} AND {found})"  # says nothing new, but an index can begin there


def _beyond(key: Key, value: Value | None, parameters: Parameters) -> str:
    sql = key.field.sql
    if value is None:
        return FALSE if key.descending else f"{sql} IS NOT NULL"
    if not key.descending:
        return f"{sql} > {parameters.bind(value)}"
    below = f"{sql} < {parameters.bind(value)}"
    return f"({below} OR {sql} IS NULL)" if key.field.nullable else below
