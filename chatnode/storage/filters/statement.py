"""The statement of a checked query."""

from __future__ import annotations

from typing import Any

import attrs

from chatnode.model.records import record
from chatnode.storage.filters.collection import Collection, Field
from chatnode.storage.filters.compile import TRUE, Parameters, after_sql, condition_sql, order_sql
from chatnode.storage.filters.parse import Condition, Key


@record(frozen=True)
class Plan:
    """A checked query: what to show, in which order, and where to start. It holds no connection."""

    collection: Collection
    condition: Condition | None
    shown: dict[str, Field]
    keys: list[Key]
    after: list[Any] | None
    limit: int
    grouped: bool

    @property
    def place(self) -> str:
        return self.collection.name + ("/" + ",".join(self.shown) if self.grouped else "")


def statement(plan: Plan, parameters: Parameters, parts: tuple[str, ...] = (TRUE,)) -> str:
    """The SQL of a plan. It selects one row more than the limit, which shows whether there is another page.

    `parts` are conditions of which exactly one holds for each row. Each part is searched by itself, with its own index.
    """
    wheres = _wheres(plan, parameters, parts)
    if plan.grouped:
        source, where = _groups(plan.collection, wheres), TRUE
        if plan.after is not None:
            where = after_sql(plan.keys, plan.after, parameters)
    elif len(wheres) == 1:
        source, where = plan.collection.source, wheres[0]
    else:
        return _of_parts(plan, parameters, wheres)
    return _select(plan, parameters, source, where, plan.keys)


def part(plan: Plan, parameters: Parameters, also: str, keys: list[Key]) -> str:
    """The SQL of one part only, in the order of `keys`. The last bound value is the limit."""
    (where,) = _wheres(plan, parameters, (also,))
    return _select(plan, parameters, plan.collection.source, where, keys)


def _wheres(plan: Plan, parameters: Parameters, parts: tuple[str, ...]) -> list[str]:
    where = f"({plan.collection.visible})"
    if plan.condition is not None:
        where += f" AND {condition_sql(plan.condition, parameters)}"
    if plan.after is not None and not plan.grouped:
        where += f" AND {after_sql(plan.keys, plan.after, parameters)}"
    return [where if also == TRUE else f"{where} AND {also}" for also in parts]


def _select(plan: Plan, parameters: Parameters, source: str, where: str, keys: list[Key]) -> str:
    limit = parameters.bind(plan.limit + 1)  # with a literal, SQLite would sort rows that an index has in order
    columns = ", ".join(_columns(plan))
    return f"SELECT {columns} FROM {source} WHERE {where} ORDER BY {order_sql(keys)} LIMIT {limit}"  # noqa: S608


def _columns(plan: Plan) -> list[str]:
    return [field.sql for field in plan.shown.values()] + [key.field.sql for key in plan.keys]


def _of_parts(plan: Plan, parameters: Parameters, wheres: list[str]) -> str:
    made = ", ".join(f"{sql} AS c{index}" for index, sql in enumerate(_columns(plan)))
    found = _union(made, plan.collection.source, wheres)
    named = [
        Key(attrs.evolve(key.field, sql=f"c{len(plan.shown) + index}"), key.descending)
        for index, key in enumerate(plan.keys)
    ]
    limit = parameters.bind(plan.limit + 1)
    return f"SELECT * FROM ({found}) subquery ORDER BY {order_sql(named)} LIMIT {limit}"  # noqa: S608


def _groups(collection: Collection, wheres: list[str]) -> str:
    made = ", ".join(f"{field.sql} AS g{index}" for index, field in enumerate(collection.fields))
    by = ", ".join(str(index + 1) for index in range(len(collection.fields)))
    if len(wheres) == 1:
        counted = f"SELECT {made}, count(*) AS g_count FROM {collection.source} WHERE {wheres[0]}"  # noqa: S608
    else:
        names = ", ".join(f"g{index}" for index in range(len(collection.fields)))
        counted = f"SELECT {names}, count(*) AS g_count FROM ({_union(made, collection.source, wheres)}) parts"  # noqa: S608
    return f"({counted} GROUP BY {by}) subquery"


def _union(columns: str, source: str, wheres: list[str]) -> str:
    return " UNION ALL ".join(f"SELECT {columns} FROM {source} WHERE {where}" for where in wheres)  # noqa: S608
