"""Fields that users define for contacts."""

from __future__ import annotations

from chatnode.api import Context, Nothing, Refusal, Transaction, command
from chatnode_crm.contacts import fields
from chatnode_crm.contacts.fields import FieldRow
from chatnode_crm.contacts.model import ChangeField, CustomField, DefineField, FieldList, FieldReply, OfField
from chatnode_crm.permissions import UPDATE, VIEW
from chatnode_crm.requester import actor_of
from chatnode_crm.settings import CrmSettings


@command("crm.fields.list", permission=VIEW, reads=True)
async def list_fields(ctx: Context, asked: Nothing) -> FieldList:
    """The custom fields of contacts, in the order in which they were defined."""
    return FieldList([_shown(field) for field in await ctx.read(fields.listed)])


@command("crm.fields.define", permission=UPDATE, limit="changes")
async def define(ctx: Context, asked: DefineField) -> FieldReply:
    """Define a custom field: a text, a number, a date, a flag or a choice. Filters name it `custom.<name>`."""
    actor, most = actor_of(ctx), ctx.settings(CrmSettings).custom_fields

    def write(tx: Transaction) -> FieldRow:
        field = fields.define(tx, asked.name, asked.kind, asked.choices, actor, most)
        ctx.audit(tx, "field.define", field.name, kind=field.kind)
        return field

    return FieldReply(_shown(await ctx.write(write)))


@command("crm.fields.change", permission=UPDATE, limit="changes")
async def change(ctx: Context, asked: ChangeField) -> FieldReply:
    """Rename a custom field, or replace its choices. Its kind stays."""
    if asked.name is None and asked.choices is None:
        raise Refusal("invalid", "give a name or choices", path="name")

    def write(tx: Transaction) -> FieldRow:
        before = fields.find(tx, asked.field)
        field = fields.change(tx, before, asked.name, asked.choices)
        if field != before:
            ctx.audit(tx, "field.change", field.name)
        return field

    return FieldReply(_shown(await ctx.write(write)))


@command("crm.fields.delete", permission=UPDATE, limit="changes")
async def delete(ctx: Context, asked: OfField) -> Nothing:
    """Delete a custom field with its values. Filters that name it are refused from then on."""

    def write(tx: Transaction) -> None:
        field = fields.find(tx, asked.field)
        fields.delete(tx, field)
        ctx.audit(tx, "field.delete", field.name)

    await ctx.write(write)
    ctx.wake("contacts_upkeep")
    return Nothing()


def _shown(field: FieldRow) -> CustomField:
    return CustomField(field.id, field.name, field.kind, list(field.choices) or None)


COMMANDS = (list_fields, define, change, delete)
