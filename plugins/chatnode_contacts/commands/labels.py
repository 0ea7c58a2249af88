"""Your groups and tags. `contacts.update` assigns them to a contact."""

from __future__ import annotations

from chatnode.api import Context, command
from chatnode_contacts import labels
from chatnode_contacts.model import DeleteLabel, LabelChanged, LabelList, ListLabels, RenameLabel
from chatnode_contacts.permission import USE


@command("contacts.labels.list", permission=USE, reads=True)
async def list_labels(ctx: Context, asked: ListLabels) -> LabelList:
    """Your groups and tags in order of names, with the number of contacts in each.

    To list these contacts: `contacts.list`, or `items.query` of `contact_labels`.
    """
    return LabelList(await ctx.query(lambda reader: labels.with_counts(reader, ctx.me, asked.kind)))


@command("contacts.labels.rename", permission=USE)
async def rename_label(ctx: Context, asked: RenameLabel) -> LabelChanged:
    """Rename a group or tag, for all contacts that have it."""
    return LabelChanged(await ctx.write(lambda tx: labels.rename(tx, ctx.me, asked.kind, asked.name, asked.to)))


@command("contacts.labels.delete", permission=USE)
async def delete_label(ctx: Context, asked: DeleteLabel) -> LabelChanged:
    """Delete a group or tag from all contacts that have it. The contacts stay."""
    return LabelChanged(await ctx.write(lambda tx: labels.delete(tx, ctx.me, asked.kind, asked.name)))


COMMANDS = (list_labels, rename_label, delete_label)
