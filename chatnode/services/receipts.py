"""Delivered and read marks."""

from __future__ import annotations

from chatnode.dispatch.caller import Caller
from chatnode.dispatch.table import command
from chatnode.model import permissions
from chatnode.model.commands.messages import AllMarked, GetMessage, MarkAll, Marked, MarkUpTo, ReceiptsGiven
from chatnode.storage.engine.connection import Reader
from chatnode.storage.messages import messages, receipts


@command("receipts.read", permission=permissions.CHAT, repeatable=True)
async def read_up_to(ctx: Caller, command: MarkUpTo) -> Marked:
    """Say that you have read everything up to `seq`."""
    me = ctx.me
    return await ctx.write(lambda tx: receipts.mark(tx, me, command.conversation, "read", command.seq), repeatable=True)


@command("receipts.delivered", permission=permissions.CHAT, active=False, repeatable=True)
async def delivered_up_to(ctx: Caller, command: MarkUpTo) -> Marked:
    """Say that this device holds everything up to `seq`."""
    me = ctx.me
    return await ctx.write(
        lambda tx: receipts.mark(tx, me, command.conversation, "delivered", command.seq), repeatable=True
    )


@command("receipts.read_all", permission=permissions.CHAT)
async def read_all(ctx: Caller, command: MarkAll) -> AllMarked:
    """Say that you have read everything, in all your conversations or in those that are named."""
    return AllMarked(await ctx.write(lambda tx: receipts.mark_all(tx, ctx.me, command.conversations)))


@command("receipts.list", permission=permissions.CHAT, reads=True)
async def list_of_message(ctx: Caller, command: GetMessage) -> ReceiptsGiven:
    """Who got and read a message, and when.

    To filter and sort: `items.query` of `message_reads`.
    """

    def read(reader: Reader) -> ReceiptsGiven:
        place, message = messages.access(reader, ctx.me, command.message)
        return ReceiptsGiven(receipts.of_message(reader, ctx.me, place, message.sender.id, message.seq))

    return await ctx.query(read)


COMMANDS = (read_up_to, delivered_up_to, read_all, list_of_message)
