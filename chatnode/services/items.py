"""Lists that can be filtered, sorted, grouped and counted."""

from __future__ import annotations

from chatnode.dispatch.caller import Caller
from chatnode.dispatch.querying import query_items
from chatnode.dispatch.subject import Subject
from chatnode.dispatch.table import command
from chatnode.model import permissions
from chatnode.model.commands.items import ItemsReply, QueryItems


@command("items.query", permission=permissions.CHAT, reads=True)
async def query(ctx: Caller, asked: QueryItems) -> ItemsReply:
    """The rows of a collection that you may see, filtered and sorted, or counted in groups (see filters.md).

    Also `GET /items/<collection>`, with the other fields in the query.
    """
    page = await query_items(
        ctx,
        ctx.core.collections.find(asked.collection),
        filter=asked.filter,
        sort=asked.sort,
        limit=asked.limit,
        after=asked.after,
        group_by=asked.group_by,
        fields=asked.fields,
    )
    return ItemsReply(page.data, page.next)


SUBJECT = Subject(commands=(query,))
