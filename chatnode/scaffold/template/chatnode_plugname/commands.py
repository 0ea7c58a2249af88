"""The commands. All are available on the socket, over HTTP, in OpenAPI and with `chatnode call`."""

from __future__ import annotations

from chatnode.api import CHAT, Context, Reader, Refusal, Transaction, access_conversation, command

from . import storage
from .model import AddItem, ItemAdded, ItemGiven, ItemsGiven, ListItems, Settings


@command("plugname.add", permission="plugname.add")
async def add(ctx: Context, command: AddItem) -> ItemGiven:
    """Add an item to a conversation. All members are notified."""
    me, most = ctx.me, ctx.settings(Settings).most

    def write(tx: Transaction) -> ItemGiven:
        place = access_conversation(tx, me, command.conversation)
        if most and storage.count(tx, place, me) >= most:
            raise Refusal("too_large", f"you have already added {most} items here", path="conversation")
        key, item = storage.add(tx, place, me, command.text)
        tx.record(ItemAdded(place.id, item), conversation=place.key, subject=key, actor=me.key)
        return ItemGiven(item)

    return await ctx.write(write)


@command("plugname.list", permission=CHAT, reads=True)
async def list_items(ctx: Context, command: ListItems) -> ItemsGiven:
    """The items of a conversation, oldest first."""
    me = ctx.me

    def read(reader: Reader) -> ItemsGiven:
        return ItemsGiven(storage.items_of(reader, access_conversation(reader, me, command.conversation)))

    return await ctx.read(read)


COMMANDS = (add, list_items)
