"""Lists as clients see them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from chatnode.api import PersonRef, Querying, json_array, rfc3339, rfc3339_or_none
from chatnode_crm.lists.finding import ListRow
from chatnode_crm.lists.model import ContactList, ListReply
from chatnode_crm.referring import with_names


def show_lists(reader: Querying, rows: Sequence[ListRow]) -> list[ContactList]:
    """In two queries, however many they are."""
    added = dict(
        reader.execute(
            "SELECT k.value, (SELECT max(m.added_at) FROM crm_members m WHERE m.list = k.value) FROM json_each(?) k",
            (json_array(row.key for row in rows),),
        ).fetchall()
    )
    owners = {
        key: PersonRef(id, handle)
        for key, id, handle in reader.execute(
            "SELECT key, id, handle FROM people WHERE key IN (SELECT value FROM json_each(?))",
            (json_array(row.owner for row in rows if row.owner is not None),),
        ).fetchall()
    }
    return [
        _shown(
            row,
            with_names(reader, orjson.loads(row.filter)) if row.filter is not None else None,
            added[row.key],
            owners.get(row.owner) if row.owner is not None else None,
        )
        for row in rows
    ]


def show_list(reader: Querying, row: ListRow) -> ListReply:
    (shown,) = show_lists(reader, [row])
    return ListReply(shown)


def _shown(row: ListRow, filter: dict[str, Any] | None, added_at: int | None, owner: PersonRef | None) -> ContactList:
    return ContactList(
        id=row.id,
        name=row.name,
        kind=row.kind,
        is_active=row.is_active,
        contact_count=row.members,
        created_at=rfc3339(row.created_at),
        updated_at=rfc3339(row.updated_at),
        last_activity_at=rfc3339(row.active_at),
        description=row.description,
        filter=filter,
        stage="archive" if row.stage is not None and not row.is_active else row.stage,
        archived_at=rfc3339_or_none(row.archived_at),
        last_added_at=rfc3339_or_none(added_at),
        owner=owner,
    )
