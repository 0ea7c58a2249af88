"""Querying a collection: rows, or groups with their counts."""

from __future__ import annotations

from typing import Any

import attrs

from chatnode.config import Limits
from chatnode.errors import Refusal
from chatnode.model.records import record
from chatnode.storage.engine.connection import Querying, Reader
from chatnode.storage.engine.deadlines import deadline
from chatnode.storage.filters import kinds, timeline
from chatnode.storage.filters.collection import Asker, Collection, Field
from chatnode.storage.filters.compile import Parameters, condition_sql
from chatnode.storage.filters.cursor import read_cursor, write_cursor
from chatnode.storage.filters.parse import Condition, Key, parse_fields, parse_filter, parse_groups, parse_sort
from chatnode.storage.filters.statement import Plan

COUNT = "count"


@record(frozen=True)
class Query:
    """A query as the client sent it; `fields`, `sort` and `group_by` are comma-separated names."""

    filter: dict[str, Any] | None = None
    sort: str = ""
    limit: int = 50
    after: str | None = None
    group_by: str = ""
    fields: str = ""


@record(frozen=True)
class ItemsPage:
    """Rows as JSON values. `next` is the `after` of the next page, None on the last page."""

    data: list[dict[str, Any]]
    next: str | None


@record(frozen=True)
class FilterSql:
    """A condition for your own query over the collection's `source`, and the values to bind.

    The values are named `me`, `session`, `now`, and `v` followed by a number.
    """

    sql: str
    values: dict[str, Any]


def plan(collection: Collection, query: Query, limits: Limits) -> Plan:
    """Check a query against its collection; raises `Refusal` with the path of the fault."""
    condition = None if query.filter is None else parse_filter(collection, query.filter, limits)
    if query.group_by:
        made = _plan_groups(collection, query, condition)
    else:
        shown = parse_fields(collection, query.fields) or {field.name: field for field in collection.fields}
        keys = _with_ties(collection, parse_sort(collection, query.sort) or parse_sort(collection, collection.order))
        made = Plan(collection, condition, shown, keys, None, query.limit, False)
    if query.after is None:
        return made
    return attrs.evolve(made, after=read_cursor(made.place, made.keys, query.after))


def _with_ties(collection: Collection, keys: list[Key]) -> list[Key]:
    """The keys, followed by the collection's key in the direction of the last one, to break ties."""
    descending = keys[-1].descending
    named = [key.field for key in keys]
    ties = [field for name in collection.key if (field := collection.field(name)) is not None and field not in named]
    return [*keys, *(Key(field, descending) for field in ties)]


def _plan_groups(collection: Collection, query: Query, condition: Condition | None) -> Plan:
    """Groups are planned as rows of another collection, with the grouping fields and the count."""
    if query.fields:
        raise Refusal("invalid", "omit fields; groups show their group_by fields and count", path="fields")
    named = parse_groups(collection, query.group_by)
    if not named:
        raise Refusal("invalid", "group_by names no field", path="group_by")
    if COUNT in named:
        raise Refusal("invalid", f"cannot group by {COUNT}, which is the number of rows of a group", path="group_by")
    columns = {
        name: attrs.evolve(field, name=name, sql=f"g{index}", also=(), sorts=True, among=None, derived=None)
        for index, (name, field) in enumerate(named.items())
    }
    columns[COUNT] = Field(COUNT, kinds.Integer(), "g_count")
    groups = attrs.evolve(collection, fields=tuple(columns.values()), key=tuple(named), order=query.group_by)
    keys = parse_sort(groups, query.sort) or [Key(columns[name], False) for name in named]
    inner = attrs.evolve(collection, fields=tuple(named.values()), key=(), order="")
    return Plan(inner, condition, columns, _with_ties(groups, keys), None, query.limit, True)


def run(reader: Reader, asker: Asker, plan: Plan, seconds: float) -> ItemsPage:
    """Run a plan; raises `Refusal("too_large")` after `seconds` (0: no limit)."""
    with deadline(reader, seconds, "filter by a conversation, a user or a time, or sort by another field"):
        rows = timeline.rows(reader, asker, plan)
        if rows is None:
            parameters = Parameters(asker)
            statement = timeline.statement(plan, parameters)
            rows = reader.execute(statement, parameters.values).fetchall()
    page = rows[: plan.limit]
    width = len(plan.shown)
    data = [
        {
            name: None if value is None else field.kind.show(value)
            for (name, field), value in zip(plan.shown.items(), row[:width], strict=True)
        }
        for row in page
    ]
    last = list(page[-1][width:]) if len(rows) > plan.limit else None
    return ItemsPage(data, None if last is None else write_cursor(plan.place, plan.keys, last))


def plan_query(
    source: Querying,
    asker: Asker,
    collection: Collection,
    *,
    filter: dict[str, Any] | None = None,
    sort: str = "",
    limit: int = 50,
    after: str | None = None,
    group_by: str = "",
    fields: str = "",
) -> Plan:
    """Check a query of a collection, as `items.query` does, against the asker's limits and permissions.

    `source` is passed to `Collection.learn`. Raises `Refusal` with the path of the first fault.
    """
    asked = Query(filter, sort, min(limit, asker.limits.page_items), after, group_by, fields)
    return plan(collection.as_seen_by(asker, source), asked, asker.limits)


def run_query(reader: Reader, asker: Asker, plan: Plan) -> ItemsPage:
    """Run a plan. Raises `Refusal("too_large")` after `limits.query_seconds`."""
    return run(reader, asker, plan, asker.limits.query_seconds)


def filter_sql(
    source: Querying,
    asker: Asker,
    collection: Collection,
    filter: dict[str, Any],
) -> FilterSql:
    """An SQL condition with bound values: true for the rows that the asker may see and that match the filter.

    For a plugin's own queries, such as one that stores the members of a segment. Raises `Refusal` with the path of the
    first fault.
    """
    seen = collection.as_seen_by(asker, source)
    condition = parse_filter(seen, filter, asker.limits)
    parameters = Parameters(asker)
    return FilterSql(f"(({seen.visible}) AND {condition_sql(condition, parameters)})", parameters.values)
