"""The inbox."""

from __future__ import annotations

from chatnode.dispatch.context import Context
from chatnode.dispatch.table import command
from chatnode.model import permissions
from chatnode.model.commands.messages import InboxGiven, ListInbox
from chatnode.storage import inbox


@command("inbox.list", permission=permissions.CHAT, reads=True)
async def list_page(ctx: Context, command: ListInbox) -> InboxGiven:
    """Your conversations, latest activity first, with last message, unread and mention counts."""
    limit = ctx.page_size(command.limit)
    return await ctx.read(lambda reader: inbox.page(reader, ctx.me, command.after, limit))


COMMANDS = (list_page,)
