"""Querying collections."""

from __future__ import annotations

from typing import Annotated, Any

from chatnode.model.cursors import After
from chatnode.model.fields import Limit, Text
from chatnode.model.records import record

Filter = dict[str, Any]
"""Checked later, against the fields of the collection."""

Names = Annotated[str, Text(1_000)]


@record
class QueryItems:
    """`filter` is described in docs/filters.md. `sort`, `group_by` and `fields` are comma-separated names of fields;
    a `-` before a sort field means descending."""

    collection: Annotated[str, Text(100, 1)]
    filter: Filter | None = None
    sort: Names = ""
    limit: Limit = 50
    after: After | None = None
    group_by: Names = ""
    fields: Names = ""


@record
class ItemsReply:
    """Rows with the fields of the collection, or groups with their `count`. `next` is the `after` of the next page;
    absent on the last page."""

    data: list[dict[str, Any]]
    next: str | None = None
