"""Importing conversations from other systems. `chatnode import` is the usual caller."""

from __future__ import annotations

import attrs

from chatnode.dispatch.caller import Caller
from chatnode.dispatch.hooks import RequestHooks
from chatnode.dispatch.subject import Subject
from chatnode.dispatch.table import command
from chatnode.model import permissions
from chatnode.model.commands.importing import (
    FindMissing,
    ImportConversation,
    Imported,
    ImportedConversationReply,
    ImportFailure,
    ImportMessages,
    Missing,
)
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.messages import imported, importing
from chatnode.storage.messages.imported import ImportedRoom
from chatnode.storage.people import audit


@command("import.conversation", permission=permissions.IMPORT)
async def import_conversation(ctx: Caller, asked: ImportConversation) -> ImportedConversationReply:
    """Find or create the public group for an imported conversation."""

    def write(tx: Transaction) -> ImportedRoom:
        before = tx.next_gid
        room = importing.open_conversation(tx, asked)
        if tx.next_gid > before:  # created, not found
            audit.record(tx, ctx.account, "import.conversation", room.id, source=room.source)
        return room

    room = await ctx.write(write)
    return ImportedConversationReply(room.id, room.source)


@command("import.missing", permission=permissions.IMPORT)
async def find_missing(ctx: Caller, asked: FindMissing) -> Missing:
    """List the messages of a conversation that were never imported, so that only those need to be prepared.

    Authors who were renamed in the source since the last import are renamed here too.
    """
    missing, renamed = await ctx.read(lambda reader: importing.find_missing(reader, asked))

    def write(tx: Transaction) -> None:
        for person in importing.learn_names(tx, renamed.values()):
            audit.record(tx, ctx.account, "import.missing", person.id, source=asked.source)

    if renamed:
        await ctx.write(write)
    return missing


@command("import.messages", permission=permissions.IMPORT)
async def import_messages(ctx: Caller, asked: ImportMessages) -> Imported:
    """Append the messages that were never imported before, in their order.

    Messages removed here since their import stay removed.
    """
    most, hooks = ctx.core.config.limits.message_chars, ctx.core.part(RequestHooks)
    refused = {item.cid: why for item in asked.items if (why := hooks.refusal_of(item.metadata, ctx.plugin))}
    wanted = attrs.evolve(asked, items=[item for item in asked.items if item.cid not in refused])

    def write(tx: Transaction) -> Imported:
        done = importing.add_messages(tx, wanted, most)
        done.failed += [ImportFailure(cid, f"metadata: {why.message}") for cid, why in refused.items()]
        if done.imported:
            details = {"source": asked.source, "imported": done.imported}
            audit.record(tx, ctx.account, "import.messages", asked.conversation, **details)
        return done

    return await ctx.write(write)


SUBJECT = Subject(
    commands=(import_conversation, find_missing, import_messages),
    events=importing.EVENTS,
    tables=imported.TABLES,
)
