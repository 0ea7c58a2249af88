"""Notes about contacts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from chatnode.api import (
    Context,
    Nothing,
    Querying,
    Reader,
    Refusal,
    Transaction,
    command,
    is_blank,
    read_cursor,
    rfc3339,
    write_cursor,
)
from chatnode_crm.contacts import finding, notes, shown
from chatnode_crm.contacts.model import AddNote, ContactNote, NotePage, NoteReply, OfNote, PageOfContact, UserRef
from chatnode_crm.contacts.notes import NoteRow
from chatnode_crm.permissions import UPDATE, VIEW
from chatnode_crm.requester import actor_of
from chatnode_crm.settings import CrmSettings


@command("crm.notes.add", permission=UPDATE, limit="changes")
async def add(ctx: Context, asked: AddNote) -> NoteReply:
    """Add a note in Markdown to a contact."""
    if is_blank(asked.text):
        raise Refusal("invalid", "text has no visible characters", path="text")
    actor, most = actor_of(ctx), ctx.settings(CrmSettings).notes_per_contact

    def write(tx: Transaction) -> NoteReply:
        contact = finding.by_id(tx, asked.contact)
        return NoteReply(_shown(tx, [notes.add(tx, contact.key, asked.text.strip(), actor, most)])[0])

    return await ctx.write(write)


@command("crm.notes.list", permission=VIEW, reads=True)
async def list_notes(ctx: Context, asked: PageOfContact) -> NotePage:
    """The notes about a contact, newest first."""
    limit = ctx.page_size(asked.limit)

    def read(reader: Reader) -> NotePage:
        contact = finding.by_id(reader, asked.contact)
        (before,) = read_cursor(asked.after, int) or (None,)
        found = notes.page(reader, contact.key, before, limit + 1)
        following = write_cursor(found[limit - 1].key) if len(found) > limit else None
        return NotePage(_shown(reader, found[:limit]), following)

    return await ctx.read(read)


@command("crm.notes.delete", permission=UPDATE, limit="changes")
async def delete(ctx: Context, asked: OfNote) -> Nothing:
    """Delete a note."""

    def write(tx: Transaction) -> None:
        notes.delete(tx, asked.note)
        ctx.audit(tx, "note.delete", asked.note)

    await ctx.write(write)
    return Nothing()


def _shown(reader: Querying, rows: Sequence[NoteRow]) -> list[ContactNote]:
    people = shown.users(reader, (row.author for row in rows))
    return [
        ContactNote(
            row.id,
            row.text,
            rfc3339(row.at),
            cast("UserRef | None", people.get(row.author)) if row.author is not None else None,
        )
        for row in rows
    ]


COMMANDS = (add, list_notes, delete)
