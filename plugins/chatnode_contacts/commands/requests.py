"""Contact requests and their answers."""

from __future__ import annotations

from chatnode.api import (
    Account,
    Context,
    Limit,
    Nothing,
    Refusal,
    Transaction,
    check_reachable,
    command,
    find_person,
    open_direct,
    refuse_blocked,
)
from chatnode_contacts import entries, requests
from chatnode_contacts.entries import Shown
from chatnode_contacts.model import Accepted, AskContact, Asked, ContactRequestPage, ListRequests, OfPerson
from chatnode_contacts.permission import USE
from chatnode_contacts.settings import ContactsSettings

LIMITS = (Limit("contact_requests", "contact requests", "requests_per_minute"),)


@command("contacts.request", permission=USE, limit="contact_requests")
async def request(ctx: Context, asked: AskContact) -> Asked:
    """Send a contact request to a user. If they have already sent you one, this accepts it."""
    settings = ctx.settings(ContactsSettings)

    def write(tx: Transaction) -> Asked:
        other = _other(tx, ctx.me, asked.person)
        refuse_blocked(tx, ctx.me, other, "person")
        check_reachable(other)
        if requests.is_pending(tx, other.key, ctx.me.key):
            _become_contacts(tx, other, ctx.me, settings)
            return Asked("accepted")
        if all(entries.is_kept(tx, *pair) for pair in ((ctx.me.key, other.key), (other.key, ctx.me.key))):
            raise Refusal("conflict", f"you and {other.handle} are already contacts", path="person")
        requests.ask(tx, ctx.me, other, asked.note.strip(), settings)
        return Asked("requested")

    return await ctx.write(write)


@command("contacts.accept", permission=USE)
async def accept(ctx: Context, asked: OfPerson) -> Accepted:
    """Accept a user's request: you become each other's contacts and see each other's presence."""
    settings = ctx.settings(ContactsSettings)

    def write(tx: Transaction) -> tuple[Shown, str | None]:
        other = _other(tx, ctx.me, asked.person)
        if not requests.is_pending(tx, other.key, ctx.me.key):
            raise Refusal("not_found", f"{other.handle} has not sent you a request", path="person")
        refuse_blocked(tx, ctx.me, other, "person")
        check_reachable(other)
        conversation = _become_contacts(tx, other, ctx.me, settings)
        return entries.get(tx, ctx.me, other), conversation

    row, conversation = await ctx.write(write)
    return Accepted(entries.as_known(ctx, [row])[0], conversation)


def _other(tx: Transaction, me: Account, who: str) -> Account:
    """The other user of a request; not the requester."""
    other = find_person(tx, who)
    if other.key == me.key:
        raise Refusal("invalid", "you cannot send yourself a request", path="person")
    return other


def _become_contacts(tx: Transaction, sender: Account, receiver: Account, settings: ContactsSettings) -> str | None:
    """Create both entries in one transaction; returns the id of the direct conversation, if one is opened."""
    requests.answered(tx, sender, receiver)
    conversation = open_direct(tx, receiver, sender) if settings.open_direct else None
    for owner, contact in ((sender, receiver), (receiver, sender)):
        if entries.add(tx, owner, contact, settings.entries):
            entries.tell_added(tx, owner.key, contact.key)
    return conversation


@command("contacts.decline", permission=USE)
async def decline(ctx: Context, asked: OfPerson) -> Nothing:
    """Decline a user's request. They are notified, and may ask again only after some days."""
    await ctx.write(lambda tx: requests.decline(tx, find_person(tx, asked.person), ctx.me))
    return Nothing()


@command("contacts.cancel", permission=USE)
async def cancel(ctx: Context, asked: OfPerson) -> Nothing:
    """Withdraw an unanswered request."""
    await ctx.write(lambda tx: requests.cancel(tx, ctx.me, find_person(tx, asked.person)))
    return Nothing()


@command("contacts.requests", permission=USE, reads=True)
async def list_requests(ctx: Context, asked: ListRequests) -> ContactRequestPage:
    """Pending requests, newest first: to you, or from you.

    To filter and sort: `items.query` of `contact_requests`.
    """
    limit = ctx.page_size(asked.limit)
    found, after = await ctx.read(lambda reader: requests.page(reader, ctx.me, asked.direction, asked.after, limit))
    return ContactRequestPage(found, after)


COMMANDS = (request, accept, decline, cancel, list_requests)
