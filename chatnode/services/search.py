"""Searching messages."""

from __future__ import annotations

from chatnode.dispatch.caller import Caller
from chatnode.dispatch.core import Core
from chatnode.dispatch.subject import Subject
from chatnode.dispatch.table import command
from chatnode.errors import Refusal
from chatnode.model import permissions, search_query
from chatnode.model.commands.search import SearchMessages, SearchPage
from chatnode.storage.conversations import conversations
from chatnode.storage.engine.connection import Reader
from chatnode.storage.search import checks as search_checks
from chatnode.storage.search import find as search
from chatnode.storage.search import index as search_index
from chatnode.storage.search.find import SearchCursor
from chatnode.storage.search.renewal import Rebuilding


@command("search.messages", permission=permissions.CHAT, reads=True)
async def messages(ctx: Caller, asked: SearchMessages) -> SearchPage:
    """Messages that you may see and that match `query`, newest first.

    `docs/search.md` describes the query language.
    """
    settings = ctx.core.config.search
    if not settings.enabled:
        raise Refusal("unavailable", "search is disabled on this node (search.enabled)")
    query = search_query.parse(asked.query, settings.parts)
    after = SearchCursor.read(asked.after) if asked.after is not None else None
    limit = ctx.page_size(asked.limit)

    def read(reader: Reader) -> SearchPage:
        place = conversations.access(reader, ctx.me, asked.conversation) if asked.conversation else None
        return search.find(
            reader, ctx.me, query, conversation=place and place.key, after=after, limit=limit,
            seconds=settings.deadline_seconds,
        )  # fmt: skip

    return await ctx.query(read, seconds=0)  # it has a deadline of its own, and gives what it found by then


async def repair(core: Core) -> int:
    """Rebuild the index if it does not match the messages; returns the number of messages indexed, 0 if it was intact.

    In slices between other writes; about 10 s for a million messages. Until it is done, searches may be `partial`.
    """
    if not await core.db.read(search_checks.problems):
        return 0
    rebuilding = Rebuilding(core.config.search)
    while not await core.db.write(rebuilding.go_on):
        pass
    return await core.db.read(search_index.indexed)


SUBJECT = Subject(
    commands=(messages,),
    tables=search_index.TABLES,
    checks=search_checks.CHECKS,
)
