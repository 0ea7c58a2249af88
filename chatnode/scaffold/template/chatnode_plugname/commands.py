"""The commands. All are available on the socket, over HTTP, in OpenAPI and with `chatnode call`."""

from __future__ import annotations

from chatnode.api import CHAT, Context, Reader, Refusal, Transaction, access_conversation, command, counted

from . import storage
from .model import AddItem, ItemAdded, ItemReply, ItemsReply, ListItems, Settings


@command("plugname.add", permission="plugname.add")
async def add(ctx: Context, asked: AddItem) -> ItemReply:
    """Add an item to a conversation. All members are notified."""
    me, limit = ctx.me, ctx.settings(Settings).max_items

    def write(tx: Transaction) -> ItemReply:
        place = access_conversation(tx, me, asked.conversation)
        if limit and storage.count(tx, place, me) >= limit:
            raise Refusal("too_large", f"you have already added {counted(limit, 'item')} here", path="conversation")
        key, item = storage.add(tx, place, me, asked.text)
        tx.record(ItemAdded(place.id, item), conversation=place.key, subject=key, actor=me.key)
        return ItemReply(item)

    return await ctx.write(write)


@command("plugname.list", permission=CHAT, reads=True)
async def list_items(ctx: Context, asked: ListItems) -> ItemsReply:
    """The items of a conversation, oldest first."""
    me = ctx.me

    def read(reader: Reader) -> ItemsReply:
        return ItemsReply(storage.items_of(reader, access_conversation(reader, me, asked.conversation)))

    return await ctx.read(read)


COMMANDS = (add, list_items)
