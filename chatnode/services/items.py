"""Lists that can be filtered, sorted, grouped and counted."""

from __future__ import annotations

from chatnode.dispatch.caller import Caller
from chatnode.dispatch.querying import query_items
from chatnode.dispatch.subject import Subject
from chatnode.dispatch.table import command
from chatnode.model import permissions
from chatnode.model.commands.items import ItemsGiven, QueryItems


@command("items.query", permission=permissions.CHAT, reads=True)
async def query(ctx: Caller, command: QueryItems) -> ItemsGiven:
    """The rows of a collection that you may see, filtered and sorted, or counted in groups (see filters.md).

    Also `GET /items/<collection>`, with the other fields in the query.
    """
    page = await query_items(
        ctx,
        ctx.core.collections.find(command.collection),
        filter=command.filter,
        sort=command.sort,
        limit=command.limit,
        after=command.after,
        group_by=command.group_by,
        fields=command.fields,
    )
    return ItemsGiven(page.data, page.next)


SUBJECT = Subject(commands=(query,))
