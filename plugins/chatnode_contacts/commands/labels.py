"""Your groups and tags. `contacts.update` assigns them to a contact."""

from __future__ import annotations

from chatnode.api import Context, command
from chatnode_contacts import labels
from chatnode_contacts.model import DeleteLabel, LabelChanged, LabelsGiven, ListLabels, RenameLabel
from chatnode_contacts.permission import USE


@command("contacts.labels.list", permission=USE, reads=True)
async def list_labels(ctx: Context, command: ListLabels) -> LabelsGiven:
    """Your groups and tags in order of names, with the number of contacts in each.

    To list these contacts: `contacts.list`, or `items.query` of `contact_labels`.
    """
    return LabelsGiven(await ctx.query(lambda reader: labels.counted(reader, ctx.me, command.kind)))


@command("contacts.labels.rename", permission=USE)
async def rename_label(ctx: Context, command: RenameLabel) -> LabelChanged:
    """Rename a group or tag, for all contacts that have it."""
    return LabelChanged(await ctx.write(lambda tx: labels.rename(tx, ctx.me, command.kind, command.name, command.to)))


@command("contacts.labels.delete", permission=USE)
async def delete_label(ctx: Context, command: DeleteLabel) -> LabelChanged:
    """Delete a group or tag from all contacts that have it. The contacts stay."""
    return LabelChanged(await ctx.write(lambda tx: labels.delete(tx, ctx.me, command.kind, command.name)))


COMMANDS = (list_labels, rename_label, delete_label)
