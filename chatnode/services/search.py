"""Searching messages."""

from __future__ import annotations

from chatnode.dispatch.context import Context
from chatnode.dispatch.table import command
from chatnode.errors import Refusal
from chatnode.model import permissions, search_query
from chatnode.model.commands.search import SearchGiven, SearchMessages
from chatnode.storage import conversations, search
from chatnode.storage.database import Reader
from chatnode.storage.search import Cursor


@command("search.messages", permission=permissions.CHAT, reads=True)
async def messages(ctx: Context, command: SearchMessages) -> SearchGiven:
    """Messages that you may see and that have the words of `query`, newest first.

    `docs/protocol.md` describes the language of queries.
    """
    settings = ctx.core.config.search
    if not settings.enabled:
        raise Refusal("unavailable", "search is switched off on this node (search.enabled)")
    query = search_query.parse(command.query, settings.parts)
    after = Cursor.read(command.after) if command.after is not None else None
    limit = ctx.page_size(command.limit)

    def read(reader: Reader) -> SearchGiven:
        place = conversations.access(reader, ctx.me, command.conversation) if command.conversation else None
        return search.find(
            reader, ctx.me, query, conversation=place and place.key, after=after, limit=limit,
            seconds=settings.deadline_seconds,
        )  # fmt: skip

    return await ctx.read(read)


COMMANDS = (messages,)
