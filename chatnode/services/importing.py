"""Bringing in conversations from elsewhere. `chatnode import` is the usual caller."""

from __future__ import annotations

from chatnode.dispatch.context import Context
from chatnode.dispatch.table import command
from chatnode.model import permissions
from chatnode.model.commands.importing import ImportConversation, Imported, ImportMessages
from chatnode.model.commands.shared import ConversationGiven
from chatnode.storage import importing


@command("import.conversation", permission=permissions.IMPORT)
async def import_conversation(ctx: Context, command: ImportConversation) -> ConversationGiven:
    """Find or make the public group that a conversation elsewhere becomes."""
    return ConversationGiven(await ctx.write(lambda tx: importing.open_conversation(tx, command)))


@command("import.messages", permission=permissions.IMPORT)
async def import_messages(ctx: Context, command: ImportMessages) -> Imported:
    """Append messages from elsewhere, in their order, those that are here already left out."""
    most = ctx.core.config.limits.message_chars

    return await ctx.write(lambda tx: importing.add_messages(tx, command, most))


COMMANDS = (import_conversation, import_messages)
