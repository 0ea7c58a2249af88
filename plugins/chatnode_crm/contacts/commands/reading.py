"""Lists of contacts, and what happened to one."""

from __future__ import annotations

from typing import Any, cast

from chatnode.api import Context, Reader, command, read_cursor, rfc3339, write_cursor
from chatnode_crm.contacts import finding, journal, searching, shown, timeline
from chatnode_crm.contacts.model import (
    ContactHistory,
    ContactTimeline,
    CrmContact,
    CrmContactPage,
    FoundContacts,
    HistoryItem,
    ListCrmContacts,
    PageOfContact,
    SearchContacts,
    TimelineItem,
    UserRef,
)
from chatnode_crm.permissions import VIEW


@command("crm.contacts.list", permission=VIEW, reads=True)
async def list_contacts(ctx: Context, asked: ListCrmContacts) -> CrmContactPage:
    """All contacts, newest first. For filters and other orders, use `items.query` of `crm_contacts`."""
    limit = ctx.page_size(asked.limit)

    def read(reader: Reader) -> CrmContactPage:
        (before,) = read_cursor(asked.after, int) or (2**62,)
        rows = finding.newest(reader, before, limit + 1)
        contacts = shown.plain(reader, rows[:limit])
        following = write_cursor(rows[limit - 1].key) if len(rows) > limit else None
        return CrmContactPage(cast("list[CrmContact]", contacts), following)

    return await ctx.read(read)


@command("crm.contacts.search", permission=VIEW, reads=True)
async def search(ctx: Context, asked: SearchContacts) -> FoundContacts:
    """Contacts with words that begin with each word of the query, in names, company, email address or phone number.

    Case and accents are ignored. Contacts that have the words as a whole come first, then those that have them in their
    names, then in the order of names. If many match, only the newest are considered.
    """
    limit = ctx.page_size(asked.limit)

    def read(reader: Reader) -> FoundContacts:
        rows, more = searching.search(reader, asked.query, limit)
        return FoundContacts(cast("list[CrmContact]", shown.plain(reader, rows)), more)

    return await ctx.query(read)


@command("crm.contacts.timeline", permission=VIEW, reads=True)
async def read_timeline(ctx: Context, asked: PageOfContact) -> ContactTimeline:
    """The history of a contact: changes, notes, lists and tags, newest first."""
    limit = ctx.page_size(asked.limit)

    def read(reader: Reader) -> ContactTimeline:
        contact = finding.by_id(reader, asked.contact)
        at, number, key = read_cursor(asked.after, int, int, int) or timeline.NEWEST
        found = timeline.page(reader, contact.key, (at, number, key), limit + 1)
        people = shown.users(reader, (entry.actor for _, entry in found))
        entries = [
            TimelineItem(rfc3339(entry.at), entry.kind, _data(reader, entry), _user(people, entry.actor))
            for _, entry in found[:limit]
        ]
        return ContactTimeline(entries, write_cursor(*found[limit - 1][0]) if len(found) > limit else None)

    return await ctx.read(read)


@command("crm.contacts.history", permission=VIEW, reads=True)
async def history(ctx: Context, asked: PageOfContact) -> ContactHistory:
    """The changes of a contact's fields that the journal still has, newest first: which values, when, by which user."""
    limit = ctx.page_size(asked.limit)

    def read(reader: Reader) -> ContactHistory:
        contact = finding.by_id(reader, asked.contact)
        (before,) = read_cursor(asked.after, int) or (2**62,)
        found = journal.entries_of(reader, contact.key, before, limit + 1)
        people = shown.users(reader, (entry.actor for entry in found))
        changes = [
            HistoryItem(
                entry.gid,
                rfc3339(entry.at),
                shown.fields_of(reader, entry.before),
                shown.fields_of(reader, entry.after or {}),
                _user(people, entry.actor),
            )
            for entry in found[:limit]
        ]
        return ContactHistory(changes, write_cursor(found[limit - 1].gid) if len(found) > limit else None)

    return await ctx.read(read)


def _data(reader: Reader, entry: timeline.TimelineEntry) -> dict[str, Any]:
    if entry.kind != "changed":
        return entry.data
    return {side: shown.fields_of(reader, values) for side, values in entry.data.items()}


def _user(people: dict[int, dict[str, str]], key: int | None) -> UserRef | None:
    return cast("UserRef | None", people.get(key)) if key is not None else None


COMMANDS = (list_contacts, search, read_timeline, history)
