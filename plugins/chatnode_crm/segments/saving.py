"""The filters of dynamic lists: checked when they are saved, and again whenever they are used."""

from __future__ import annotations

from typing import Any

import orjson

from chatnode.api import Asker, Querying, Refusal, Transaction, kinds
from chatnode_crm.lists.changing import update_list
from chatnode_crm.lists.finding import ListRow, find_list
from chatnode_crm.referring import is_user, tests, texts_of, with_ids
from chatnode_crm.segments.matching import matching_sql


def find_segment(source: Querying, id_or_name: str, path: str = "list") -> ListRow:
    """A dynamic list. Raises `Refusal`: `not_found`, `invalid` for another list."""
    row = find_list(source, id_or_name, path)
    if row.filter is None:
        raise Refusal("invalid", f"{row.name} is not a dynamic list", path=path)
    return row


def filter_of(row: ListRow) -> dict[str, Any]:
    """The filter of a dynamic list."""
    return orjson.loads(row.filter or "{}")


def stored_filter(source: Querying, asker: Asker, filter: dict[str, Any]) -> dict[str, Any]:
    """A filter as it is stored: it means the same for all users, and stays the same when tags or lists are renamed.

    Raises `Refusal` with the path of the first fault.
    """
    matching_sql(source, asker, filter)
    for field, operator, value in tests(filter):
        if is_user(field) and kinds.CURRENT_PERSON in texts_of(value):
            path = f"filter.{field}.{operator}"
            raise Refusal("invalid", f"{path}: a list is the same for everybody; name the user", path=path)
    return with_ids(source, filter)


def save_filter(tx: Transaction, asker: Asker, row: ListRow, filter: dict[str, Any], *, actor: int | None) -> ListRow:
    """Give a dynamic list a filter. Its members are what they were until it is checked.

    Raises `Refusal` with the path of the first fault, also if the filter leads back to the list.
    """
    stored = stored_filter(tx, asker, filter)
    changed = update_list(tx, row, {"filter": orjson.dumps(stored).decode()}, actor=actor)
    matching_sql(tx, asker, stored)  # again, as now a circle would show
    if changed.filter != row.filter:
        tx.execute("DELETE FROM crm_segments WHERE TRUE")  # others may refer to this one
    return changed


def broken(source: Querying, asker: Asker, row: ListRow) -> str | None:
    """Why the filter of a dynamic list cannot be used, such as a tag that was deleted; None if it can.

    A broken filter matches nobody: every use of it raises `Refusal`, with the reason.
    """
    try:
        matching_sql(source, asker, filter_of(row))
    except Refusal as refusal:
        return refusal.message
    return None
