"""Your contact list."""

from __future__ import annotations

from typing import Any

from chatnode.api import (
    Account,
    Context,
    Nothing,
    Refusal,
    Transaction,
    check_reachable,
    command,
    find_person,
    is_blank,
    refuse_blocked,
)
from chatnode_contacts import entries, labels, listing
from chatnode_contacts.entries import Shown
from chatnode_contacts.model import ChangeContact, ContactPage, ContactReply, LabelKind, ListContacts, OfPerson
from chatnode_contacts.permission import USE
from chatnode_contacts.settings import ContactsSettings


@command("contacts.list", permission=USE, reads=True)
async def list_contacts(ctx: Context, asked: ListContacts) -> ContactPage:
    """Your contacts, sorted by recent or most frequent interaction, by name or by time added, with their presence.

    Users you blocked, or who blocked you, are left out. For other filters, use `items.query` of `contacts`.
    """
    limit = ctx.page_size(asked.limit)
    rows, after = await ctx.query(lambda reader: listing.page(reader, ctx.me, asked, limit))
    return ContactPage(entries.as_known(ctx, rows), after)


@command("contacts.get", permission=USE, reads=True)
async def get(ctx: Context, asked: OfPerson) -> ContactReply:
    """One of your contacts."""
    row = await ctx.read(lambda reader: entries.get(reader, ctx.me, find_person(reader, asked.person)))
    return _given(ctx, row)


@command("contacts.add", permission=USE)
async def add(ctx: Context, asked: ChangeContact) -> ContactReply:
    """Add a user to your own list, without asking; they are not notified, and you see no more of them than before.

    Adding a user again updates the given fields.
    """
    settings = ctx.settings(ContactsSettings)
    if not settings.one_sided:
        raise Refusal("forbidden", "this node adds contacts by request only; use contacts.request")

    def write(tx: Transaction) -> Shown:
        other = find_person(tx, asked.person)
        if other.key == ctx.me.key:
            raise Refusal("invalid", "you cannot add yourself", path="person")
        refuse_blocked(tx, ctx.me, other, "person")
        if not entries.is_kept(tx, ctx.me.key, other.key):
            check_reachable(other)
        added = entries.add(tx, ctx.me, other, settings.entries)
        changed = _change(tx, ctx.me, other, asked, settings)
        if added:
            entries.tell_added(tx, ctx.me.key, other.key)
        elif changed:
            entries.tell_updated(tx, ctx.me, other)
        return entries.get(tx, ctx.me, other)

    return _given(ctx, await ctx.write(write))


@command("contacts.update", permission=USE)
async def update(ctx: Context, asked: ChangeContact) -> ContactReply:
    """Change your data about a contact: favourite, nickname, number, note, groups, tags. Other users do not see it."""
    settings = ctx.settings(ContactsSettings)

    def write(tx: Transaction) -> Shown:
        other = find_person(tx, asked.person)
        entries.get(tx, ctx.me, other)
        if _change(tx, ctx.me, other, asked, settings):
            entries.tell_updated(tx, ctx.me, other)
        return entries.get(tx, ctx.me, other)

    return _given(ctx, await ctx.write(write))


def _change(
    tx: Transaction, owner: Account, other: Account, command: ChangeContact, settings: ContactsSettings
) -> bool:
    values: dict[str, Any] = {}
    for name in ("nickname", "number", "note"):
        if (text := getattr(command, name)) is not None:
            values[name] = None if is_blank(text) else text.strip()
    if command.favourite is not None:
        values["favourite"] = int(command.favourite)
    given: tuple[tuple[LabelKind, list[str] | None], ...] = (("group", command.groups), ("tag", command.tags))
    for kind, names in given:
        if names is not None:
            values[labels.COLUMNS[kind]] = labels.put(tx, owner, other, kind, names, settings)
    return entries.change(tx, owner, other, values)


@command("contacts.remove", permission=USE)
async def remove(ctx: Context, asked: OfPerson) -> Nothing:
    """Remove a user from your list, with your data about them. You stay in theirs.

    If you add them again, the first `added_at` stays.
    """
    await ctx.write(lambda tx: entries.remove(tx, ctx.me, find_person(tx, asked.person)))
    return Nothing()


def _given(ctx: Context, row: Shown) -> ContactReply:
    return ContactReply(entries.as_known(ctx, [row])[0])


COMMANDS = (list_contacts, get, add, update, remove)
