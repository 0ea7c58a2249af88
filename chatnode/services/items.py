"""Lists that can be filtered, sorted, grouped and counted."""

from __future__ import annotations

from chatnode.dispatch.caller import Caller
from chatnode.dispatch.subject import Subject
from chatnode.dispatch.table import command
from chatnode.model import permissions
from chatnode.model.commands.items import ItemsGiven, QueryItems
from chatnode.model.times import now_ms
from chatnode.storage.filters import query as filters
from chatnode.storage.filters.collection import Asker


@command("items.query", permission=permissions.CHAT, reads=True)
async def query(ctx: Caller, command: QueryItems) -> ItemsGiven:
    """The rows of a collection that you may see, filtered and sorted, or counted in groups (see filters.md).

    Also `GET /items/<collection>`, with the other fields in the query.
    """
    limits = ctx.core.config.limits
    collection = ctx.core.collections.find(command.collection)
    ctx.check(collection.permission, reads=True)
    asked = filters.Query(
        command.filter, command.sort, ctx.page_size(command.limit), command.after, command.group_by, command.fields
    )
    plan = filters.plan(collection, asked, limits)
    person = ctx.me.key if collection.personal or ctx.account is not None else None
    asker = Asker(person, ctx.session, now_ms())
    page = await ctx.query(lambda reader: filters.run(reader, asker, plan, limits.query_seconds), seconds=0)
    return ItemsGiven(page.data, page.next)


SUBJECT = Subject(commands=(query,))
