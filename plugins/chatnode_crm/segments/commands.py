"""Commands: contacts by a filter, and the dynamic lists that follow one."""

from __future__ import annotations

from chatnode.api import Context, Reader, Transaction, command, find_person, rfc3339
from chatnode_crm.asking import actor_of
from chatnode_crm.contacts import finding, shown
from chatnode_crm.cursors import read_numbers, write_cursor
from chatnode_crm.lines import MatchingContacts
from chatnode_crm.lists.changing import make_list
from chatnode_crm.lists.showing import show_list
from chatnode_crm.permissions import LISTS, VIEW
from chatnode_crm.segments import matching, saving
from chatnode_crm.segments.checking import start_check
from chatnode_crm.segments.collection import asker_for
from chatnode_crm.segments.model import ChangeSegment, CreateSegment, OfSegment, PreviewSegment, SegmentReply


@command("crm.segments.preview", permission=VIEW, reads=True)
async def preview(ctx: Context, asked: PreviewSegment) -> MatchingContacts:
    """The contacts that match a filter, in the order in which they were created, and how many there are."""
    asker, limit = asker_for(ctx), ctx.page_size(asked.limit)

    def read(reader: Reader) -> MatchingContacts:
        (after,) = read_numbers(asked.after, 1) or (0,)
        keys = matching.keys_page(reader, asker, asked.filter, after, limit + 1)
        count = matching.count(reader, asker, asked.filter) if asked.after is None else None
        following = write_cursor(keys[limit - 1]) if len(keys) > limit else None
        return MatchingContacts(shown.plain(reader, finding.rows(reader, keys[:limit])), count, following)

    return await ctx.query(read)


@command("crm.segments.create", permission=LISTS)
async def create(ctx: Context, asked: CreateSegment) -> SegmentReply:
    """Create a dynamic list: the contacts that match a filter, whenever it is used.

    Who has entered and left is found out every hour.
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


@command("crm.segments.update", permission=LISTS)
async def update(ctx: Context, asked: ChangeSegment) -> SegmentReply:
    """Give a dynamic list another filter. `crm.lists.update` changes its name."""
    asker = asker_for(ctx)

    def write(tx: Transaction) -> SegmentReply:
        row = saving.find_segment(tx, asked.list)
        row = saving.save_filter(tx, asker, row, asked.filter, actor=actor_of(ctx))
        return SegmentReply(show_list(tx, row).list, work=start_check(ctx, tx, row))

    return await ctx.write(write, repeatable=True)


@command("crm.segments.check", permission=LISTS)
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


COMMANDS = (preview, create, update, check, get)
