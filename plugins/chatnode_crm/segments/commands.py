"""Commands: contacts by a filter, and the dynamic lists that follow one."""

from __future__ import annotations

from typing import Any

from chatnode.api import (
    Asker,
    Context,
    Reader,
    Transaction,
    command,
    find_person,
    json_array,
    read_cursor,
    rfc3339,
    write_cursor,
)
from chatnode_crm.contacts import finding
from chatnode_crm.contacts.shown import plain
from chatnode_crm.lines import MatchingContacts
from chatnode_crm.lists.changing import make_list
from chatnode_crm.lists.finding import ListRow, find_list
from chatnode_crm.lists.model import AskMembers, ListMember, ListMemberPage
from chatnode_crm.lists.pages import page_of_members
from chatnode_crm.lists.showing import show_list
from chatnode_crm.permissions import LISTS, VIEW
from chatnode_crm.requester import actor_of
from chatnode_crm.segments import matching, saving
from chatnode_crm.segments.checking import start_check
from chatnode_crm.segments.collection import asker_for
from chatnode_crm.segments.model import ChangeSegment, CreateSegment, OfSegment, PreviewSegment, SegmentReply


@command("crm.segments.preview", permission=VIEW, reads=True)
async def preview(ctx: Context, asked: PreviewSegment) -> MatchingContacts:
    """The contacts that match a filter, in the order in which they were created, and how many there are."""
    asker, limit = asker_for(ctx), ctx.page_size(asked.limit)

    def read(reader: Reader) -> MatchingContacts:
        keys, following = _page(reader, asker, asked.filter, asked.after, limit)
        count = matching.count(reader, asker, asked.filter) if asked.after is None else None
        return MatchingContacts(plain(reader, finding.rows(reader, keys)), count, following)

    return await ctx.query(read)


def _page(
    reader: Reader, asker: Asker, filter: dict[str, Any], after: str | None, limit: int
) -> tuple[list[int], str | None]:
    """The keys of contacts that match, and the cursor of the next page."""
    (key,) = read_cursor(after, int) or (0,)
    keys = matching.keys_page(reader, asker, filter, key, limit + 1)
    return keys[:limit], write_cursor(keys[limit - 1]) if len(keys) > limit else None


@command("crm.segments.create", permission=LISTS, limit="changes")
async def create(ctx: Context, asked: CreateSegment) -> SegmentReply:
    """Create a dynamic list: the contacts that match a filter, whenever it is used.

    Every hour the node checks which contacts have entered or left it.
    """
    asker = asker_for(ctx)

    def write(tx: Transaction) -> SegmentReply:
        owner = find_person(tx, asked.owner, "owner").key if asked.owner is not None else None
        row = make_list(
            tx, asked.name, kind="dynamic", description=asked.description, filter="{}", owner=owner, actor=actor_of(ctx)
        )
        row = saving.save_filter(tx, asker, row, asked.filter, actor=actor_of(ctx))
        return SegmentReply(show_list(tx, row).list, work=start_check(ctx, tx, row))

    return await ctx.write(write, repeatable=True)


@command("crm.segments.update", permission=LISTS, limit="changes")
async def update(ctx: Context, asked: ChangeSegment) -> SegmentReply:
    """Replace the filter of a dynamic list. The same filter changes nothing. `crm.lists.update` changes its name."""
    asker = asker_for(ctx)

    def write(tx: Transaction) -> SegmentReply:
        row = saving.find_segment(tx, asked.list)
        changed = saving.save_filter(tx, asker, row, asked.filter, actor=actor_of(ctx))
        work = start_check(ctx, tx, changed) if changed.filter != row.filter else None
        return SegmentReply(show_list(tx, changed).list, work=work)

    return await ctx.write(write, repeatable=True)


@command("crm.segments.check", permission=LISTS, limit="changes")
async def check(ctx: Context, asked: OfSegment) -> SegmentReply:
    """Bring the members of a dynamic list up to date now, instead of within the hour."""

    def write(tx: Transaction) -> SegmentReply:
        row = saving.find_segment(tx, asked.list)
        return SegmentReply(show_list(tx, row).list, work=start_check(ctx, tx, row))

    return await ctx.write(write, repeatable=True)


@command("crm.segments.get", permission=VIEW, reads=True)
async def get(ctx: Context, asked: OfSegment) -> SegmentReply:
    """A dynamic list: how many contacts match now, and whether its filter still works."""
    asker = asker_for(ctx)

    def read(reader: Reader) -> SegmentReply:
        row = saving.find_segment(reader, asked.list)
        broken = saving.broken(reader, asker, row)
        found = reader.execute("SELECT checked_at FROM crm_segments WHERE list = ?", (row.key,)).fetchone()
        return SegmentReply(
            show_list(reader, row).list,
            broken=broken,
            count=matching.count(reader, asker, saving.filter_of(row)) if broken is None else None,
            checked_at=rfc3339(found[0]) if found is not None else None,
        )

    return await ctx.query(read)


@command("crm.lists.members", permission=VIEW, reads=True)
async def members(ctx: Context, asked: AskMembers) -> ListMemberPage:
    """The contacts of a list and when they were added, newest first; or those who were added to any list.

    Of an active dynamic list, those that its filter matches now, in the order in which they were created. They were
    added when that was found; with `days`, only those for whom it was found before are shown.
    """
    asker, limit = asker_for(ctx), ctx.page_size(asked.limit)

    def read(reader: Reader) -> ListMemberPage:
        row = find_list(reader, asked.list) if asked.list is not None and asked.days is None else None
        if row is None or row.filter is None or not row.is_active:
            return page_of_members(reader, asked, limit)
        return _matching_members(reader, asker, row, asked.after, limit)

    return await ctx.query(read)


def _matching_members(reader: Reader, asker: Asker, row: ListRow, after: str | None, limit: int) -> ListMemberPage:
    keys, following = _page(reader, asker, saving.filter_of(row), after, limit)
    added = dict(
        reader.execute(
            "SELECT contact, added_at FROM crm_members WHERE list = ? AND contact IN (SELECT value FROM json_each(?))",
            (row.key, json_array(keys)),
        ).fetchall()
    )
    rows = finding.rows(reader, keys)
    shown = [
        ListMember(contact, rfc3339(added.get(each.key, asker.now)))
        for contact, each in zip(plain(reader, rows), rows, strict=True)
    ]
    return ListMemberPage(shown, following)


COMMANDS = (preview, create, update, check, get, members)
