"""Tags as clients see them, and pages of them and of their contacts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chatnode.api import Reader, Refusal, folded, read_cursor, rfc3339, write_cursor
from chatnode_crm.contacts.finding import by_id
from chatnode_crm.lines import MatchingContacts, page_of_matching
from chatnode_crm.naming import name_key
from chatnode_crm.pivots import TAGGINGS, Group, GroupFilter
from chatnode_crm.tags.finding import COLUMNS, DEFAULT_COLOR, TagRow, find_tags
from chatnode_crm.tags.model import (
    ContactsOfTags,
    ContactTag,
    ContactTagPage,
    GivenTag,
    GivenTags,
    ListTags,
)


def show_tag(row: TagRow) -> ContactTag:
    return ContactTag(
        row.id,
        row.name,
        row.color or DEFAULT_COLOR,
        row.contacts,
        rfc3339(row.created_at),
        rfc3339(row.updated_at),
    )


def page_of_tags(reader: Reader, asked: ListTags, limit: int) -> ContactTagPage:
    values: dict[str, Any] = {"limit": limit + 1}
    conditions: list[str] = []
    if asked.sort == "name":
        order = "t.name_key"
        (name,) = read_cursor(asked.after, str) or ("",)
        conditions.append("t.name_key > :name")
        values["name"] = name
    else:
        order = "t.contacts DESC, t.key DESC"
        if (last := read_cursor(asked.after, int, int)) is not None:
            conditions.append("(t.contacts, t.key) < (:contacts, :key)")
            values |= {"contacts": last[0], "key": last[1]}
    if asked.query:
        conditions.append("instr(t.name_key, :query) > 0")
        values["query"] = folded(asked.query).strip()
    where = f"WHERE {' AND '.join(conditions)} " if conditions else ""
    found = reader.execute(f"SELECT {COLUMNS} FROM crm_tags t {where}ORDER BY {order} LIMIT :limit", values)  # noqa: S608
    rows = [TagRow(*row) for row in found.fetchall()]
    if len(rows) <= limit:
        return ContactTagPage([show_tag(row) for row in rows])
    last_row = rows[limit - 1]
    by_name = asked.sort == "name"
    cursor = write_cursor(name_key(last_row.name)) if by_name else write_cursor(last_row.contacts, last_row.key)
    return ContactTagPage([show_tag(row) for row in rows[:limit]], cursor)


def tags_of_contact(reader: Reader, id: str) -> GivenTags:
    """The tags that a contact has, in the order of names. Raises `Refusal("not_found")`."""
    found = reader.execute(
        f"SELECT g.created_at, {COLUMNS} FROM crm_taggings g JOIN crm_tags t ON t.key = g.tag "  # noqa: S608
        "WHERE g.contact = ? ORDER BY t.name_key",
        (by_id(reader, id).key,),
    )
    return GivenTags([GivenTag(show_tag(TagRow(*row)), rfc3339(at)) for at, *row in found.fetchall()])


def contacts_of_tags(reader: Reader, asked: ContactsOfTags, limit: int) -> MatchingContacts:
    """Contacts by their tags, in the order in which they were created. Raises `Refusal`: `not_found`, `invalid`."""
    if not (asked.any or asked.all or asked.none):
        raise Refusal("invalid", "name at least one tag in any, all or none", path="any")
    some, all, none = (
        _sized(reader, tags, path) for tags, path in ((asked.any, "any"), (asked.all, "all"), (asked.none, "none"))
    )
    return page_of_matching(reader, TAGGINGS, GroupFilter(some, all=all, none=none), asked.after, limit)


def _sized(reader: Reader, tags: Sequence[str], path: str) -> list[Group]:
    return [Group(row.key, row.contacts) for row in find_tags(reader, tags, path)]
