"""Identities of contacts, and opting them out of broadcasts."""

from __future__ import annotations

from chatnode.api import (
    Account,
    Context,
    Nothing,
    Querying,
    Reader,
    Refusal,
    Transaction,
    check_reachable,
    command,
    find_person,
    rfc3339,
    rfc3339_or_none,
)
from chatnode_crm.contacts.finding import by_id, rows
from chatnode_crm.contacts.model import OfContact
from chatnode_crm.lists.finding import find_list
from chatnode_crm.people import identities
from chatnode_crm.people.accounts import KIND
from chatnode_crm.people.identities import CHAT, Claim, IdentityRow
from chatnode_crm.people.model import (
    AddIdentity,
    ContactOfAccount,
    Identities,
    Identity,
    IdentityReply,
    OfAccount,
    OfIdentity,
    OptOut,
    OptOutReply,
    StartedWork,
)
from chatnode_crm.people.opting import opt_in, opt_out, opted_out_since
from chatnode_crm.permissions import CREATE, UPDATE, VIEW
from chatnode_crm.requester import actor_of


@command("crm.identities.list", permission=VIEW, reads=True)
async def list_identities(ctx: Context, asked: OfContact) -> Identities:
    """Where a contact is reached."""

    def read(reader: Reader) -> Identities:
        contact = by_id(reader, asked.contact)
        return Identities(contact.id, [shown(reader, each) for each in identities.of_contact(reader, contact.key)])

    return await ctx.read(read)


@command("crm.identities.add", permission=UPDATE)
async def add_identity(ctx: Context, asked: AddIdentity) -> IdentityReply:
    """Say where a contact is reached: by an account of this node, or of another service.

    An identity belongs to one contact. If another one has it, that is suggested to be the same person; only a verified
    claim takes it over, and only from an unverified one.
    """

    def write(tx: Transaction) -> IdentityReply:
        contact = by_id(tx, asked.contact)
        account = _account(tx, asked)
        external = account.id if account is not None else asked.external_id.strip()
        before = identities.of_external(tx, asked.kind, external)
        found = identities.claim(
            tx, contact.key, asked.kind, external, account=account, verified=asked.verified, actor=actor_of(ctx)
        )
        if found.identity not in (None, before):
            verified = "yes" if asked.verified else None
            ctx.audit(tx, "identities.add", contact.id, kind=asked.kind, verified=verified)
        return _reply(tx, found)

    return await ctx.write(write)


@command("crm.identities.verify", permission=UPDATE)
async def verify_identity(ctx: Context, asked: OfIdentity) -> IdentityReply:
    """Say that you made sure that an identity is the contact's. Broadcasts go to verified ones only."""

    def write(tx: Transaction) -> IdentityReply:
        found = identities.find_identity(tx, asked.identity)
        if found.verified_at is None:
            [contact] = rows(tx, [found.contact])
            ctx.audit(tx, "identities.verify", contact.id, kind=found.kind)
        return IdentityReply(shown(tx, identities.verify(tx, found, actor=actor_of(ctx))))

    return await ctx.write(write)


@command("crm.identities.remove", permission=UPDATE)
async def remove_identity(ctx: Context, asked: OfIdentity) -> Nothing:
    """Remove an identity from its contact."""

    def write(tx: Transaction) -> None:
        found = identities.find_identity(tx, asked.identity)
        identities.remove(tx, found)
        [contact] = rows(tx, [found.contact])
        ctx.audit(tx, "identities.remove", contact.id, kind=found.kind)

    await ctx.write(write)
    return Nothing()


@command("crm.contacts.by_person", permission=VIEW, reads=True)
async def contact_of_person(ctx: Context, asked: OfAccount) -> ContactOfAccount:
    """The contact of a user of this node."""

    def read(reader: Reader) -> ContactOfAccount:
        found = identities.of_person(reader, find_person(reader, asked.person).key)
        if found is None:
            return ContactOfAccount()
        [contact] = rows(reader, [found.contact])
        return ContactOfAccount(contact.id, found.verified_at is not None)

    return await ctx.read(read)


@command("crm.contacts.add_accounts", permission=CREATE)
async def add_accounts(ctx: Context, _: Nothing) -> StartedWork:
    """Create a contact for every account of this node that has none yet, in the background. Bots are left out.

    For accounts that are created from now on, set `plugins.crm.chat_accounts`.
    """
    ctx.check(UPDATE)

    def write(tx: Transaction) -> str:
        ctx.audit(tx, "contacts.add_accounts")
        return ctx.start_work(tx, KIND.name, {}, title="Contacts of accounts", resource="accounts")

    return StartedWork(await ctx.write(write))


@command("crm.contacts.opt_out", permission=UPDATE)
async def opt_out_contact(ctx: Context, asked: OptOut) -> OptOutReply:
    """Opt a contact out of broadcasts: of those to a list, or of all."""
    return await _opt(ctx, asked, out=True)


@command("crm.contacts.opt_in", permission=UPDATE)
async def opt_in_contact(ctx: Context, asked: OptOut) -> OptOutReply:
    """Undo opting out, if the contact asked for it: of a list, or without `list` of everything."""
    return await _opt(ctx, asked, out=False)


async def _opt(ctx: Context, asked: OptOut, *, out: bool) -> OptOutReply:
    def write(tx: Transaction) -> bool:
        contact = by_id(tx, asked.contact)
        key = find_list(tx, asked.list).key if asked.list is not None else None
        if out:
            changed = opt_out(tx, contact.key, key, tx.now, actor=actor_of(ctx))
        else:
            changed = opt_in(tx, contact.key, key, actor=actor_of(ctx))
        if changed:
            ctx.audit(tx, "contacts.opt_out" if out else "contacts.opt_in", contact.id)
        return changed

    return OptOutReply(await ctx.write(write))


def _account(tx: Transaction, asked: AddIdentity) -> Account | None:
    """Raises `Refusal` for a user who does not exist, cannot be reached, or is a bot."""
    if asked.kind != CHAT:
        return None
    account = find_person(tx, asked.external_id, "external_id")
    check_reachable(account)
    if account.bot:
        raise Refusal("invalid", f"{account.handle} is a bot", path="external_id")
    return account


def _reply(reader: Querying, found: Claim) -> IdentityReply:
    if found.identity is not None:
        return IdentityReply(shown(reader, found.identity))
    assert found.other is not None
    return IdentityReply(suggested=rows(reader, [found.other])[0].id)


def shown(reader: Querying, row: IdentityRow) -> Identity:
    opted_out_at = opted_out_since(reader, row.person) if row.person is not None else None
    return Identity(
        row.id, row.kind, row.external_id, rfc3339(row.created_at), rfc3339_or_none(row.verified_at),
        rfc3339_or_none(opted_out_at),
    )  # fmt: skip


COMMANDS = (
    list_identities, add_identity, verify_identity, remove_identity, contact_of_person, add_accounts, opt_out_contact,
    opt_in_contact,
)  # fmt: skip
