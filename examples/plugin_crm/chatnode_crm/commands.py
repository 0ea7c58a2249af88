"""The commands for contacts and segments."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import attrs

from chatnode.api import Context, Entries, Nothing, Text, Transaction, command
from chatnode_crm import contacts, segments
from chatnode_crm.contacts import CONTACTS, READ, WRITE

FieldName = Annotated[str, Text(40, 1, r"[a-z][a-z0-9_]*", hint="must consist of a-z, digits and _")]
Name = Annotated[str, Text(100, 1)]


@attrs.define
class AddField:
    """A new field for contacts."""

    name: FieldName
    kind: Literal["text", "number"] = "text"


@attrs.define
class AddContact:
    """`custom` has values by field name; the fields must exist."""

    name: Name
    email: Annotated[str, Text(200, 1)]
    custom: Annotated[dict[str, str], Entries(50)] = attrs.field(factory=dict[str, str])


@attrs.define
class ContactAdded:
    contact: str


@attrs.define
class SaveSegment:
    """`filter` is a filter of `items.query` on `crm_contacts`."""

    segment: Name
    filter: dict[str, Any]


@attrs.define
class OfSegment:
    segment: Name


@attrs.define
class SegmentSize:
    contacts: int


@command("crm.fields.add", permission=WRITE, limit="changes")
async def add_field(ctx: Context, asked: AddField) -> Nothing:
    """Define a field for contacts."""

    def write(tx: Transaction) -> None:
        contacts.add_field(tx, asked.name, asked.kind)
        ctx.audit(tx, "field", asked.name, kind=asked.kind)

    await ctx.write(write)
    return Nothing()


@command("crm.contacts.add", permission=WRITE, limit="changes")
async def add_contact(ctx: Context, asked: AddContact) -> ContactAdded:
    """Add a contact. Email addresses are unique."""

    def write(tx: Transaction) -> str:
        contact = contacts.add(tx, asked.name, asked.email, asked.custom)
        ctx.audit(tx, "contact", contact)
        return contact

    return ContactAdded(await ctx.write(write))


@command("crm.segments.save", permission=WRITE, limit="changes")
async def save_segment(ctx: Context, asked: SaveSegment) -> Nothing:
    """Save a filter under a name, replacing any with that name."""
    asker = ctx.asker(CONTACTS)

    def write(tx: Transaction) -> None:
        segments.save(tx, asker, asked.segment, asked.filter)
        ctx.audit(tx, "segment", asked.segment)

    await ctx.write(write)
    return Nothing()


@command("crm.segments.count", permission=READ, reads=True)
async def count_segment(ctx: Context, asked: OfSegment) -> SegmentSize:
    """Count the contacts in a segment now."""
    asker = ctx.asker(CONTACTS)
    return SegmentSize(await ctx.query(lambda reader: segments.size(reader, asker, asked.segment)))


COMMANDS = (add_field, add_contact, save_segment, count_segment)
