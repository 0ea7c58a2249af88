"""Making tags, changing them, and looking at them."""

from __future__ import annotations

from typing import Any

from chatnode.api import Context, Nothing, Reader, Transaction, command
from chatnode_crm.lines import MatchingContacts
from chatnode_crm.permissions import TAGS, VIEW
from chatnode_crm.requester import actor_of
from chatnode_crm.settings import CrmSettings
from chatnode_crm.tags import showing
from chatnode_crm.tags.changing import delete_tag, make_tag, update_tag
from chatnode_crm.tags.finding import find_tag
from chatnode_crm.tags.model import (
    ChangeTag,
    ContactsOfTags,
    ContactTagPage,
    CreateTag,
    GivenTags,
    ListTags,
    OfTag,
    TagReply,
    TagsOfContact,
)


@command("crm.tags.create", permission=TAGS, limit="changes")
async def create(ctx: Context, asked: CreateTag) -> TagReply:
    """Create a tag. Names of tags differ in more than case, accents and spaces."""

    def write(tx: Transaction) -> TagReply:
        return TagReply(showing.show_tag(make_tag(tx, asked.name, color=asked.color, actor=actor_of(ctx))))

    return await ctx.write(write, repeatable=True)


@command("crm.tags.get", permission=VIEW, reads=True)
async def get(ctx: Context, asked: OfTag) -> TagReply:
    """A tag, with the number of contacts that have it."""

    def read(reader: Reader) -> TagReply:
        return TagReply(showing.show_tag(find_tag(reader, asked.tag)))

    return await ctx.read(read)


@command("crm.tags.update", permission=TAGS, limit="changes")
async def update(ctx: Context, asked: ChangeTag) -> TagReply:
    """Rename a tag, or change its colour. Contacts keep it."""
    given = {"name": asked.name, "color": asked.color}
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}

    def write(tx: Transaction) -> TagReply:
        row = update_tag(tx, find_tag(tx, asked.tag), changes, actor=actor_of(ctx))
        return TagReply(showing.show_tag(row))

    return await ctx.write(write, repeatable=True)


@command("crm.tags.delete", permission=TAGS, limit="changes")
async def delete(ctx: Context, asked: OfTag) -> Nothing:
    """Delete a tag. Contacts that have it stay."""

    def write(tx: Transaction) -> None:
        row = find_tag(tx, asked.tag)
        delete_tag(tx, row, actor=actor_of(ctx))
        ctx.audit(tx, "tag_deleted", row.id, contacts=row.contacts)

    await ctx.write(write)
    ctx.wake("lists_sweep")
    return Nothing()


@command("crm.tags.list", permission=VIEW, reads=True)
async def list_page(ctx: Context, asked: ListTags) -> ContactTagPage:
    """Tags in the order of names, or those that most contacts have first.

    To filter and sort: `items.query` of `contact_tags`.
    """
    limit = ctx.page_size(asked.limit)
    return await ctx.query(lambda reader: showing.page_of_tags(reader, asked, limit))


@command("crm.tags.of", permission=VIEW, reads=True)
async def tags_of_contact(ctx: Context, asked: TagsOfContact) -> GivenTags:
    """The tags that a contact has, and since when."""
    return await ctx.read(lambda reader: showing.tags_of_contact(reader, asked.contact))


@command("crm.tags.contacts", permission=VIEW, reads=True)
async def contacts(ctx: Context, asked: ContactsOfTags) -> MatchingContacts:
    """Contacts that have any, all or none of some tags."""
    limit, seconds = ctx.page_size(asked.limit), ctx.settings(CrmSettings).count_seconds
    return await ctx.query(lambda reader: showing.contacts_of_tags(reader, asked, limit), seconds=seconds)


COMMANDS = (create, get, update, delete, list_page, tags_of_contact, contacts)
