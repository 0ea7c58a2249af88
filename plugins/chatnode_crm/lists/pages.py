"""Pages of lists, of their members, and of the lists of a contact. Each order has an index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chatnode.api import DAY_MS, Querying, Reader, Refusal, counted, folded, now_ms, read_cursor, rfc3339, write_cursor
from chatnode_crm.contacts.finding import by_id, rows
from chatnode_crm.contacts.shown import plain
from chatnode_crm.lines import MatchingContacts, page_of_matching
from chatnode_crm.lists.finding import COLUMNS, ListRow, find_list, find_lists
from chatnode_crm.lists.model import (
    AskMembers,
    ContactListPage,
    JoinedList,
    JoinedLists,
    ListLists,
    ListMember,
    ListMemberPage,
    OverlapOfLists,
)
from chatnode_crm.lists.showing import show_lists
from chatnode_crm.naming import name_key
from chatnode_crm.pivots import MEMBERS, Group, GroupFilter


def page_of_lists(reader: Reader, asked: ListLists, limit: int) -> ContactListPage:
    (name,) = read_cursor(asked.after, str) or ("",)
    conditions, values = ["l.name_key > :after"], {"after": name, "limit": limit + 1}
    if asked.active is not None:
        conditions.append("l.is_active = :active")
        values["active"] = int(asked.active)
    if asked.kind is not None:
        conditions.append("l.kind = :kind")
        values["kind"] = asked.kind
    if asked.query:
        conditions.append("instr(l.name_key, :query) > 0")
        values["query"] = folded(asked.query).strip()
    found = reader.execute(
        f"SELECT {COLUMNS} FROM crm_lists l WHERE {' AND '.join(conditions)} ORDER BY l.name_key LIMIT :limit",  # noqa: S608
        values,
    )
    lists = [ListRow(*row) for row in found.fetchall()]
    shown = show_lists(reader, lists[:limit])
    return ContactListPage(shown, write_cursor(name_key(shown[-1].name)) if len(lists) > limit else None)


def page_of_members(reader: Reader, asked: AskMembers, limit: int) -> ListMemberPage:
    """Members of a list, or of all lists, from the one that was added last."""
    conditions: list[str] = []
    values: dict[str, Any] = {"limit": limit + 1}
    if asked.list is not None:
        values["list"] = find_list(reader, asked.list).key
        conditions.append("m.list = :list")
    if asked.days is not None:
        values["since"] = now_ms() - asked.days * DAY_MS
        conditions.append("m.added_at >= :since")
    cursor = read_cursor(asked.after, int, int, int)
    if cursor is not None:
        values |= dict(zip(("at", "group", "contact"), cursor, strict=True))
        # With a list named, its number is the same in all rows: left out, the index is used.
        conditions.append(
            "(m.added_at, m.list, m.contact) < (:at, :group, :contact)"
            if asked.list is None
            else "(m.added_at, m.contact) < (:at, :contact)"
        )
    order = "m.added_at DESC, m.list DESC, m.contact DESC" if asked.list is None else "m.added_at DESC, m.contact DESC"
    found = reader.execute(
        "SELECT m.added_at, m.list, m.contact, l.id, l.name FROM crm_members m "  # noqa: S608
        "CROSS JOIN crm_lists l ON l.key = m.list "  # in this order, which is that of an index
        f"{'WHERE ' if conditions else ''}{' AND '.join(conditions)} ORDER BY {order} LIMIT :limit",
        values,
    ).fetchall()
    shown = found[:limit]
    contacts = plain(reader, rows(reader, [contact for _, _, contact, _, _ in shown]))
    members = [
        ListMember(contact, rfc3339(at), *((id, name) if asked.list is None else ()))
        for contact, (at, _, _, id, name) in zip(contacts, shown, strict=True)
    ]
    return ListMemberPage(members, write_cursor(*shown[-1][:3]) if len(found) > limit else None)


def lists_of_contact(reader: Reader, id: str, *, archived: bool) -> JoinedLists:
    """The lists that a contact is on, in the order of names. Raises `Refusal("not_found")`."""
    found = reader.execute(
        f"SELECT m.added_at, {COLUMNS} FROM crm_members m JOIN crm_lists l ON l.key = m.list "  # noqa: S608
        f"WHERE m.contact = ? {'' if archived else 'AND l.is_active = 1 '}ORDER BY l.name_key",
        (by_id(reader, id).key,),
    ).fetchall()
    shown = show_lists(reader, [ListRow(*row) for _, *row in found])
    return JoinedLists([JoinedList(each, rfc3339(at)) for each, (at, *_) in zip(shown, found, strict=True)])


def overlap(reader: Reader, asked: OverlapOfLists, limit: int) -> MatchingContacts:
    """Contacts that are on at least k of some lists, in the order in which they were created."""
    wanted = wanted_of(reader, asked.lists, asked.at_least)
    return page_of_matching(reader, MEMBERS, wanted, asked.after, limit)


def wanted_of(reader: Querying, lists: Sequence[str], at_least: int | None) -> GroupFilter:
    """On at least so many of the lists, each counted once. Raises `Refusal`: `not_found`, `invalid`."""
    found = find_lists(reader, lists)
    if not found:
        raise Refusal("invalid", "name at least one list", path="lists")
    if at_least is not None and at_least > len(found):
        raise Refusal("invalid", f"is {at_least}, but lists names {counted(len(found), 'list')}", path="at_least")
    return GroupFilter([Group(row.key, row.members) for row in found], at_least if at_least is not None else len(found))
