"""Contacts as lists and tags show them: what is needed to recognize them."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from chatnode.api import Reader, rfc3339
from chatnode_crm.cursors import read_numbers, write_cursor
from chatnode_crm.jsons import json_array
from chatnode_crm.pivots import Pivot, Wanted, count_matching, keys_page


@attrs.define
class ContactLine:
    """A contact in a page of a list or a tag. Fields that it does not have are absent."""

    id: str
    created_at: str
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    phone: str | None = None
    country: str | None = None
    city: str | None = None


@attrs.define
class MatchingContacts:
    """`count` is how many there are on all pages; only the first page has it. `next` is absent on the last page."""

    contacts: list[ContactLine]
    count: int | None = None
    next: str | None = None


LINE = "c.id, c.created_at, c.email, c.first_name, c.last_name, c.company, c.phone, c.country, c.city"


def contact_line(id: str, created_at: int, *texts: str | None) -> ContactLine:
    """Of a row of the columns in `LINE`."""
    return ContactLine(id, rfc3339(created_at), *texts)


def contact_lines(reader: Reader, keys: Sequence[int]) -> list[ContactLine]:
    """In the order of the keys, which must be ascending."""
    rows = reader.execute(
        f"SELECT {LINE} FROM crm_contacts c WHERE c.key IN (SELECT value FROM json_each(?)) ORDER BY c.key",  # noqa: S608
        (json_array(keys),),
    )
    return [contact_line(*row) for row in rows.fetchall()]


def page_of_matching(reader: Reader, pivot: Pivot, wanted: Wanted, after: str | None, limit: int) -> MatchingContacts:
    """Contacts by their lists or tags, in the order in which they were created."""
    (key,) = read_numbers(after, 1) or (0,)
    keys = keys_page(reader, pivot, wanted, key, limit + 1)
    shown = contact_lines(reader, keys[:limit])
    count = count_matching(reader, pivot, wanted) if after is None else None
    return MatchingContacts(shown, count, write_cursor(keys[limit - 1]) if len(keys) > limit else None)
