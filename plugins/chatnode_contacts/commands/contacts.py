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
from chatnode_contacts.model import ChangeContact, ContactGiven, ContactsGiven, LabelKind, ListContacts, OfPerson
from chatnode_contacts.permission import USE
from chatnode_contacts.settings import Settings


@command("contacts.list", permission=USE, reads=True)
async def list_contacts(ctx: Context, command: ListContacts) -> ContactsGiven:
    """Your contacts, sorted by recent or most frequent interaction, by name or by time added, with their presence.

    Users whom you blocked, or who blocked you, are left out. To filter otherwise: `items.query` of `contacts`.
    """
    limit = ctx.page_size(command.limit)
    rows, after = await ctx.query(lambda reader: listing.page(reader, ctx.me, command, limit))
    return ContactsGiven(entries.as_known(ctx, rows), after)


@command("contacts.get", permission=USE, reads=True)
async def get(ctx: Context, command: OfPerson) -> ContactGiven:
    """One of your contacts."""
    row = await ctx.read(lambda reader: entries.get(reader, ctx.me, find_person(reader, command.person)))
    return _given(ctx, row)


@command("contacts.add", permission=USE)
async def add(ctx: Context, command: ChangeContact) -> ContactGiven:
    """Add a user to your own list, without asking; they are not notified, and you see no more of them than before.

    Adding a user again updates the given fields.
    """
    settings = ctx.settings(Settings)
    if not settings.one_sided:
        raise Refusal("forbidden", "this node adds contacts by request only; use contacts.request")

    def write(tx: Transaction) -> Shown:
        other = find_person(tx, command.person)
        if other.key == ctx.me.key:
            raise Refusal("invalid", "you cannot add yourself", path="person")
        refuse_blocked(tx, ctx.me, other, "person")
        if not entries.is_kept(tx, ctx.me.key, other.key):
            check_reachable(other)
        added = entries.add(tx, ctx.me, other, settings.entries)
        changed = _change(tx, ctx.me, other, command, settings)
        if added:
            entries.tell_added(tx, ctx.me.key, other.key)
        elif changed:
            entries.tell_updated(tx, ctx.me, other)
        return entries.get(tx, ctx.me, other)

    return _given(ctx, await ctx.write(write))


@command("contacts.update", permission=USE)
async def update(ctx: Context, command: ChangeContact) -> ContactGiven:
    """Change your data about a contact: favourite, nickname, number, note, groups, tags. Other users do not see it."""
    settings = ctx.settings(Settings)

    def write(tx: Transaction) -> Shown:
        other = find_person(tx, command.person)
        entries.get(tx, ctx.me, other)
        if _change(tx, ctx.me, other, command, settings):
            entries.tell_updated(tx, ctx.me, other)
        return entries.get(tx, ctx.me, other)

    return _given(ctx, await ctx.write(write))


def _change(tx: Transaction, owner: Account, other: Account, command: ChangeContact, settings: Settings) -> bool:
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
async def remove(ctx: Context, command: OfPerson) -> Nothing:
    """Remove a user from your list, with your data about them. You stay in theirs.

    If you add them again, the first `added_at` stays.
    """
    await ctx.write(lambda tx: entries.remove(tx, ctx.me, find_person(tx, command.person)))
    return Nothing()


def _given(ctx: Context, row: Shown) -> ContactGiven:
    return ContactGiven(entries.as_known(ctx, [row])[0])


COMMANDS = (list_contacts, get, add, update, remove)
