"""Making lists, changing them, and looking at them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chatnode.api import Context, Nothing, Reader, Transaction, command, find_person
from chatnode_crm.lines import MatchingContacts
from chatnode_crm.lists import pages
from chatnode_crm.lists.changing import (
    archive_list,
    delete_list,
    make_list,
    move_campaign,
    restore_list,
    update_list,
)
from chatnode_crm.lists.finding import ListRow, find_list
from chatnode_crm.lists.model import (
    ChangeList,
    ContactListPage,
    CreateList,
    JoinedLists,
    ListLists,
    ListReply,
    ListsOfContact,
    MoveCampaign,
    OfList,
    OverlapOfLists,
)
from chatnode_crm.lists.showing import show_list
from chatnode_crm.permissions import LISTS, VIEW
from chatnode_crm.requester import actor_of
from chatnode_crm.settings import CrmSettings


@command("crm.lists.create", permission=LISTS, limit="changes")
async def create(ctx: Context, asked: CreateList) -> ListReply:
    """Create an empty list: `static`, or `campaign`, which has stages and is archived in time.

    Names of lists differ in more than case, accents and spaces.
    """

    def write(tx: Transaction) -> ListReply:
        owner = find_person(tx, asked.owner, "owner").key if asked.owner is not None else None
        row = make_list(
            tx, asked.name, kind=asked.kind, description=asked.description, owner=owner, actor=actor_of(ctx)
        )
        return show_list(tx, row)

    return await ctx.write(write, repeatable=True)


@command("crm.lists.get", permission=VIEW, reads=True)
async def get(ctx: Context, asked: OfList) -> ListReply:
    """A list, with the number of its contacts."""

    def read(reader: Reader) -> ListReply:
        return show_list(reader, find_list(reader, asked.list))

    return await ctx.read(read)


@command("crm.lists.update", permission=LISTS, limit="changes")
async def update(ctx: Context, asked: ChangeList) -> ListReply:
    """Change a list's name, description or owner."""

    def change(tx: Transaction, row: ListRow) -> ListRow:
        given = {"name": asked.name, "description": asked.description}
        changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        if asked.owner is not None:
            changes["owner"] = find_person(tx, asked.owner, "owner").key
        return update_list(tx, row, changes, actor=actor_of(ctx))

    return await _change(ctx, asked.list, change)


@command("crm.lists.archive", permission=LISTS, limit="changes")
async def archive(ctx: Context, asked: OfList) -> ListReply:
    """Archive a list: it stays as it is until it is restored. Archiving it again changes nothing."""
    return await _change(ctx, asked.list, lambda tx, row: archive_list(tx, row, actor=actor_of(ctx)))


@command("crm.lists.restore", permission=LISTS, limit="changes")
async def restore(ctx: Context, asked: OfList) -> ListReply:
    """Make an archived list active again. A campaign is at the stage that it was at before."""
    return await _change(ctx, asked.list, lambda tx, row: restore_list(tx, row, actor=actor_of(ctx)))


@command("crm.lists.stage", permission=LISTS, limit="changes")
async def stage(ctx: Context, asked: MoveCampaign) -> ListReply:
    """Move a campaign from stage to stage: `creation`, `population`, `execution`, `analysis`."""
    return await _change(ctx, asked.list, lambda tx, row: move_campaign(tx, row, asked.stage, actor=actor_of(ctx)))


@command("crm.lists.delete", permission=LISTS, limit="changes")
async def delete(ctx: Context, asked: OfList) -> Nothing:
    """Delete a list. Its contacts stay."""

    def write(tx: Transaction) -> None:
        row = find_list(tx, asked.list)
        delete_list(tx, row, actor=actor_of(ctx))
        ctx.audit(tx, "list_deleted", row.id, contacts=row.members)

    await ctx.write(write)
    ctx.wake("lists_sweep")
    return Nothing()


@command("crm.lists.list", permission=VIEW, reads=True)
async def list_page(ctx: Context, asked: ListLists) -> ContactListPage:
    """Lists in the order of names; active, archived or all.

    To filter and sort: `items.query` of `contact_lists`.
    """
    limit = ctx.page_size(asked.limit)
    return await ctx.query(lambda reader: pages.page_of_lists(reader, asked, limit))


@command("crm.lists.of", permission=VIEW, reads=True)
async def lists_of_contact(ctx: Context, asked: ListsOfContact) -> JoinedLists:
    """The lists that a contact is on, and since when."""
    return await ctx.read(lambda reader: pages.lists_of_contact(reader, asked.contact, archived=asked.archived))


@command("crm.lists.overlap", permission=VIEW, reads=True)
async def overlap(ctx: Context, asked: OverlapOfLists) -> MatchingContacts:
    """Contacts that are on all of some lists, or on at least `at_least` of them. `crm.lists.intersect` keeps the
    result.
    """
    limit, seconds = ctx.page_size(asked.limit), ctx.settings(CrmSettings).count_seconds
    return await ctx.query(lambda reader: pages.overlap(reader, asked, limit), seconds=seconds)


async def _change(ctx: Context, list: str, change: Callable[[Transaction, ListRow], ListRow]) -> ListReply:
    def write(tx: Transaction) -> ListReply:
        return show_list(tx, change(tx, find_list(tx, list)))

    return await ctx.write(write, repeatable=True)


COMMANDS = (create, get, update, archive, restore, stage, delete, list_page, lists_of_contact, overlap)
