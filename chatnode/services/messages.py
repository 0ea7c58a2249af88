"""Posting and reading messages."""

from __future__ import annotations

from chatnode.dispatch.context import Context
from chatnode.dispatch.table import command
from chatnode.errors import Refusal
from chatnode.model import permissions
from chatnode.model.commands.messages import GetMessage, ListMessages, MessageGiven, MessagesGiven, Posted, PostMessage
from chatnode.storage import conversations, messages
from chatnode.storage.database import Reader
from chatnode.storage.messages import Draft


@command("messages.post", permission=permissions.CHAT, limit="posts")
async def post(ctx: Context, command: PostMessage) -> Posted:
    """Post a message. The reply comes when it is on disk; the same `cid` again returns the same reply."""
    most = ctx.core.config.limits.message_chars
    if most and len(command.text) > most:
        raise Refusal("too_large", f"a message has at most {most} characters", path="text")
    draft = Draft(command.conversation, command.cid, command.text, command.reply_to)
    sender = ctx.me
    return await ctx.write(lambda tx: messages.post(tx, sender, draft))


@command("messages.list", permission=permissions.CHAT, reads=True)
async def list_page(ctx: Context, command: ListMessages) -> MessagesGiven:
    """A page of a conversation's history in ascending order: the newest, or before or after a seq."""
    limit = ctx.page_size(command.limit)

    def read(reader: Reader) -> MessagesGiven:
        place = conversations.access(reader, ctx.me, command.conversation)
        return MessagesGiven(messages.page(reader, place, before=command.before, after=command.after, limit=limit))

    return await ctx.read(read)


@command("messages.get", permission=permissions.CHAT, reads=True)
async def get(ctx: Context, command: GetMessage) -> MessageGiven:
    """One message by id."""
    _, message = await ctx.read(lambda reader: messages.access(reader, ctx.me, command.message))
    return MessageGiven(message)


COMMANDS = (post, list_page, get)
