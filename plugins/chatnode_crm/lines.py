"""Pages of contacts that are chosen by their lists or tags."""

from __future__ import annotations

from typing import Any

from chatnode.api import Reader, read_cursor, record, write_cursor
from chatnode_crm.contacts import finding, shown
from chatnode_crm.pivots import GroupFilter, Pivot, count_matching, keys_page


@record
class MatchingContacts:
    """`count` is how many there are on all pages; only the first page has it. `next` is absent on the last page."""

    contacts: list[dict[str, Any]]
    count: int | None = None
    next: str | None = None


def page_of_matching(
    reader: Reader, pivot: Pivot, wanted: GroupFilter, after: str | None, limit: int
) -> MatchingContacts:
    """Contacts by their lists or tags, in the order in which they were created."""
    (key,) = read_cursor(after, int) or (0,)
    keys = keys_page(reader, pivot, wanted, key, limit + 1)
    contacts = shown.plain(reader, finding.rows(reader, keys[:limit]))
    count = count_matching(reader, pivot, wanted) if after is None else None
    return MatchingContacts(contacts, count, write_cursor(keys[limit - 1]) if len(keys) > limit else None)
