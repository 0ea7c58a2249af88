"""Which contacts a filter matches, as SQL, page by page, and how many."""

from __future__ import annotations

from typing import Any

from chatnode.api import Asker, FilterSql, Querying, filter_sql
from chatnode_crm.segments.collection import CONTACTS


def matching_sql(source: Querying, asker: Asker, filter: dict[str, Any]) -> FilterSql:
    """A SELECT of the keys of the contacts that match, for use in other statements, and the values to bind.

    Raises `Refusal` with the path of the first fault.
    """
    found = filter_sql(source, asker, CONTACTS, filter)
    return FilterSql(f"SELECT item.key FROM {CONTACTS.source} WHERE {found.sql}", found.values)  # noqa: S608


def keys_page(source: Querying, asker: Asker, filter: dict[str, Any], after_key: int, limit: int) -> list[int]:
    """The keys of up to `limit` contacts that match, in ascending order, after a key. Fewer: there are no more."""
    found = matching_sql(source, asker, filter)
    rows = source.execute(
        f"{found.sql} AND item.key > :after_key ORDER BY item.key LIMIT :most",
        {**found.values, "after_key": after_key, "most": limit},
    )
    return [key for (key,) in rows.fetchall()]


def count(source: Querying, asker: Asker, filter: dict[str, Any]) -> int:
    """How many contacts match."""
    found = filter_sql(source, asker, CONTACTS, filter)
    (number,) = source.execute(
        f"SELECT count(*) FROM {CONTACTS.source} WHERE {found.sql}",  # noqa: S608
        found.values,
    ).fetchone()
    return number
