"""Bringing in conversations from elsewhere. `chatnode import` is the usual caller."""

from __future__ import annotations

from chatnode.dispatch.context import Context
from chatnode.dispatch.table import command
from chatnode.model import permissions
from chatnode.model.commands.importing import ImportConversation, Imported, ImportMessages
from chatnode.model.commands.shared import ConversationGiven
from chatnode.storage import audit, importing
from chatnode.storage.transaction import Transaction


@command("import.conversation", permission=permissions.IMPORT)
async def import_conversation(ctx: Context, command: ImportConversation) -> ConversationGiven:
    """Find or make the public group that a conversation elsewhere becomes."""

    def write(tx: Transaction) -> str:
        before = tx.next_gid
        conversation = importing.open_conversation(tx, command)
        if tx.next_gid > before:  # created, not found
            audit.record(tx, ctx.account, "import.conversation", conversation, source=command.source)
        return conversation

    return ConversationGiven(await ctx.write(write))


@command("import.messages", permission=permissions.IMPORT)
async def import_messages(ctx: Context, command: ImportMessages) -> Imported:
    """Append messages from elsewhere, in their order, those that are here already left out."""
    most = ctx.core.config.limits.message_chars

    def write(tx: Transaction) -> Imported:
        done = importing.add_messages(tx, command, most)
        if done.imported:
            details = {"source": command.source, "imported": done.imported}
            audit.record(tx, ctx.account, "import.messages", command.conversation, **details)
        return done

    return await ctx.write(write)


COMMANDS = (import_conversation, import_messages)
