"""The inbox."""

from __future__ import annotations

from chatnode.dispatch.caller import Caller
from chatnode.dispatch.subject import Subject
from chatnode.dispatch.table import command
from chatnode.model import permissions
from chatnode.model.commands.messages import InboxPage, ListInbox
from chatnode.storage.engine.connection import Reader
from chatnode.storage.messages import inbox


@command("inbox.list", permission=permissions.CHAT, reads=True)
async def list_page(ctx: Caller, asked: ListInbox) -> InboxPage:
    """Your conversations, latest activity first, with last message, unread and mention counts.

    To filter and sort: `items.query` of `conversations`.
    """
    limit = ctx.page_size(asked.limit)

    def read(reader: Reader) -> InboxPage:
        return inbox.page(
            reader, ctx.me, asked.after, limit,
            unread=asked.unread, archived=asked.archived, starred=asked.starred,
        )  # fmt: skip

    return await ctx.query(read)


SUBJECT = Subject(commands=(list_page,))
