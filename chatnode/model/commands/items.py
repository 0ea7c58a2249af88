"""Asking collections."""

from __future__ import annotations

from typing import Annotated, Any

import attrs

from chatnode.model.fields import Limit, Text

Filter = dict[str, Any]
"""Checked against the fields of what it filters, where those are known."""

Names = Annotated[str, Text(1_000)]


@attrs.define
class QueryItems:
    """`filter` is described in docs/filters.md. `sort`, `group_by` and `fields` are names of fields with commas
    between them; a `-` before one that sorts has the highest first."""

    collection: Annotated[str, Text(100, 1)]
    filter: Filter | None = None
    sort: Names = ""
    limit: Limit = 50
    after: Annotated[str, Text(10_000, 1)] | None = None
    group_by: Names = ""
    fields: Names = ""


@attrs.define
class ItemsGiven:
    """Rows with the fields of the collection, or groups with their `count`. `next` is the `after` of the following
    page, absent on the last."""

    data: list[dict[str, Any]]
    next: str | None = None
