"""Delivered and read marks."""

from __future__ import annotations

from chatnode.dispatch.caller import Caller
from chatnode.dispatch.subject import Subject
from chatnode.dispatch.table import HandlerResult, command, plain_command
from chatnode.model import permissions
from chatnode.model.commands.messages import AllMarked, GetMessage, MarkAll, Marked, MarkUpTo, ReceiptList
from chatnode.storage.engine.connection import Reader
from chatnode.storage.messages import messages, receipts, together


@plain_command("receipts.read", permission=permissions.CHAT, repeatable=True)
def read_up_to(ctx: Caller, asked: MarkUpTo) -> HandlerResult[Marked]:
    """Mark everything up to `seq` as read."""
    return together.mark(ctx.me, asked.conversation, "read", asked.seq)


@plain_command("receipts.delivered", permission=permissions.CHAT, active=False, repeatable=True)
def delivered_up_to(ctx: Caller, asked: MarkUpTo) -> HandlerResult[Marked]:
    """Mark everything up to `seq` as delivered to this device."""
    return together.mark(ctx.me, asked.conversation, "delivered", asked.seq)


@command("receipts.read_all", permission=permissions.CHAT)
async def read_all(ctx: Caller, asked: MarkAll) -> AllMarked:
    """Mark everything as read, in all your conversations or in those given."""
    return AllMarked(await ctx.write(lambda tx: receipts.mark_all(tx, ctx.me, asked.conversations)))


@command("receipts.list", permission=permissions.CHAT, reads=True)
async def list_of_message(ctx: Caller, asked: GetMessage) -> ReceiptList:
    """Who received and read a message, and when.

    To filter and sort: `items.query` of `message_reads`.
    """

    def read(reader: Reader) -> ReceiptList:
        place, message = messages.access(reader, ctx.me, asked.message)
        return ReceiptList(receipts.of_message(reader, ctx.me, place, message.sender.id, message.seq))

    return await ctx.query(read)


SUBJECT = Subject(
    commands=(read_up_to, delivered_up_to, read_all, list_of_message),
    events=receipts.EVENTS,
    tables=receipts.TABLES,
)
