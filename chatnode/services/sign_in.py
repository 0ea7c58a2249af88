"""Signing in: passwords, devices, API tokens, invites, and the link for the first administrator."""

from __future__ import annotations

import contextlib
from functools import partial

import attrs

from chatnode.dispatch.caller import Caller
from chatnode.dispatch.core import Core
from chatnode.dispatch.subject import Subject
from chatnode.dispatch.table import command
from chatnode.errors import Refusal
from chatnode.model import permissions
from chatnode.model.commands.shared import Nothing, SignedIn
from chatnode.model.commands.sign_in import (
    AcceptInvite,
    CreateInvite,
    CreateSetup,
    CreateToken,
    Invite,
    InviteList,
    InviteReply,
    RenameSession,
    Revoked,
    RevokeInvite,
    RevokeSession,
    SessionList,
    SetupReply,
    SignIn,
    TokenReply,
)
from chatnode.model.people import Account
from chatnode.model.times import DAY_MS, HOUR_MS, now_ms
from chatnode.services.passwords import hash_password, is_password, renewed
from chatnode.services.ranks import check_may_manage
from chatnode.storage.conversations import invites
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.people import audit, bots, people, sessions
from chatnode.storage.people.sessions import Authenticated


async def authenticate(core: Core, token: str) -> Authenticated:
    """The session of a token; records its use. Raises `Refusal("unauthenticated")`."""
    found = await core.db.read(lambda reader: sessions.authenticate(reader, token))
    if found.touch:
        days = core.config.accounts.session_days
        with contextlib.suppress(Refusal):  # reading still works when storage accepts no writes
            await core.db.write(lambda tx: sessions.touch(tx, found.session, days))
            found.prolonged = found.device
    return found


@command("sessions.create", permission=None, limit="logins")
async def sign_in(ctx: Caller, asked: SignIn) -> SignedIn:
    """Sign in with handle and password; returns a token for this device."""
    found = await ctx.read(lambda reader: people.password_hash(reader, asked.handle))
    hashed = found[1] if found else None
    right = await is_password(ctx.core, asked.handle, hashed, asked.password)
    if not right or found is None or hashed is None:
        raise Refusal("wrong_password", "wrong handle or password")
    account = found[0]
    new_hash = await renewed(ctx.core, hashed, asked.password)

    def write(tx: Transaction) -> SignedIn:
        if people.password_of(tx, account.key) != hashed:  # it was changed meanwhile
            raise Refusal("wrong_password", "wrong handle or password")
        # Only a user with the right password learns that the account is deactivated, so guessing reveals nothing.
        if people.by_key(tx, account.key).deactivated_at is not None:
            raise Refusal("forbidden", "this account is deactivated; ask an administrator")
        if new_hash is not None:
            people.set_password(tx, account.key, new_hash)
        return _new_device(tx, ctx.core, account, asked.device)

    return await ctx.write(write)


def _new_device(tx: Transaction, core: Core, account: Account, device: str | None) -> SignedIn:
    token, token_hash = sessions.new_secret()
    days = core.config.accounts.session_days
    sessions.create(tx, account.key, "device", device or "unnamed device", token_hash, days)
    return SignedIn(token, people.public(account))


@command("sessions.list", permission=permissions.CHAT, reads=True)
async def list_sessions(ctx: Caller, asked: Nothing) -> SessionList:
    """Your signed-in devices and API tokens.

    To filter and sort: `items.query` of `sessions`.
    """
    return SessionList(await ctx.read(lambda reader: sessions.of_person(reader, ctx.me.key, ctx.session)))


@command("sessions.rename", permission=permissions.CHAT)
async def rename_session(ctx: Caller, asked: RenameSession) -> Nothing:
    """Rename one of your devices or tokens."""
    await ctx.write(lambda tx: sessions.rename(tx, ctx.me.key, asked.session, asked.label))
    return Nothing()


@command("sessions.revoke", permission=permissions.CHAT, unscoped=True)
async def revoke_session(ctx: Caller, asked: RevokeSession) -> Revoked:
    """Sign out one of your devices or tokens; its live connections end at once."""
    await ctx.write(lambda tx: sessions.revoke(tx, ctx.me.key, asked.session))
    return Revoked(1)


@command("sessions.revoke_others", permission=permissions.CHAT, unscoped=True)
async def revoke_other_sessions(ctx: Caller, asked: Nothing) -> Revoked:
    """Sign out all your other devices and tokens."""
    return Revoked(await ctx.write(lambda tx: sessions.revoke_all(tx, ctx.me.key, ctx.session)))


@command("tokens.create", permission=permissions.CHAT, or_permission=permissions.MANAGE_PEOPLE)
async def create_token(ctx: Caller, asked: CreateToken) -> TokenReply:
    """Create an API token for yourself or, with the permission to manage people, for another user.

    A token can create only tokens with the same or fewer scopes that expire no later than itself. No token can do
    more than its owner's role.
    """
    token, token_hash = sessions.new_secret()
    scopes = _scopes(ctx, asked.scopes)

    def write(tx: Transaction) -> int:
        owner = ctx.account if asked.person is None else people.find(tx, asked.person)
        if owner is None:
            raise Refusal("invalid", "name the token's owner", path="person")
        if (ctx.account is None or owner.key != ctx.account.key) and not ctx.may(permissions.MANAGE_PEOPLE):
            raise Refusal("forbidden", "you can create tokens only for yourself", path="person")
        if owner.deactivated_at is not None:
            raise Refusal("conflict", f"the account of {owner.handle} is deactivated", path="person")
        people.refuse_imported(owner, "person")
        bots.refuse_token(tx, owner)
        if ctx.account is None or owner.key != ctx.account.key:
            check_may_manage(ctx, owner)
            listed = None if scopes is None else " ".join(sorted(scopes))
            audit.record(tx, ctx.account, "tokens.create", owner.id, scopes=listed, days=asked.days)
        session = sessions.create(tx, owner.key, "token", asked.label or "token", token_hash, asked.days, scopes)
        if ctx.ends_at is not None:
            sessions.end_by(tx, session, ctx.ends_at)
        return session

    return TokenReply(token, await ctx.write(write))


def _scopes(ctx: Caller, wanted: list[str] | None) -> frozenset[str] | None:
    """The scopes of a new token. Raises `Refusal` for unknown scopes, and for more than the requester's token has."""
    if wanted is None:
        if ctx.scopes is not None:
            raise Refusal("forbidden", "your token has scopes; name the scopes of the new token", path="scopes")
        return None
    return scopes_of_token(ctx, wanted)


def scopes_of_token(ctx: Caller, wanted: list[str]) -> frozenset[str]:
    """The scopes for a token that the requester creates, which cannot have more than theirs. Raises `Refusal`."""
    scopes = frozenset(wanted)
    if unknown := sorted(scopes - permissions.scopes_of(ctx.core.permissions)):
        known = ", ".join(ctx.core.permissions)
        raise Refusal(
            "invalid", f"no such scope: {unknown[0]!r}; scopes are {known}, each also with :read", path="scopes"
        )
    if more := permissions.beyond(scopes, ctx.scopes):
        raise Refusal("forbidden", f"your token does not have the scope {more[0]}", path="scopes")
    return scopes


# ---- invites and the set-up link


@command("invites.create", permission=permissions.INVITE)
async def create_invite(ctx: Caller, asked: CreateInvite) -> InviteReply:
    """Create a link for a new user to create an account and join the given conversations."""
    code, code_hash = sessions.new_secret()
    link = ctx.core.link("invite", code)
    days = asked.days or ctx.core.config.accounts.invite_days
    create = partial(
        invites.create, kind="member", code_hash=code_hash, by=ctx.account, expires_at=now_ms() + days * DAY_MS,
        uses=asked.uses, conversation_ids=asked.conversations,
    )  # fmt: skip

    def write(tx: Transaction) -> Invite:
        invite = create(tx)
        details = {"uses": asked.uses, "days": days, "conversations": " ".join(asked.conversations) or None}
        audit.record(tx, ctx.account, "invites.create", str(invite.invite), **details)
        return invite

    invite = await ctx.write(write)
    return InviteReply(code, link, invite)


@command("invites.list", permission=permissions.INVITE, reads=True)
async def list_invites(ctx: Caller, asked: Nothing) -> InviteList:
    """Invites that can still be used.

    To filter and sort: `items.query` of `invites`.
    """
    return InviteList(await ctx.query(invites.page))


@command("invites.revoke", permission=permissions.INVITE)
async def revoke_invite(ctx: Caller, asked: RevokeInvite) -> Revoked:
    """Revoke an invite."""

    def write(tx: Transaction) -> None:
        invites.revoke(tx, asked.invite)
        audit.record(tx, ctx.account, "invites.revoke", str(asked.invite))

    await ctx.write(write)
    return Revoked(1)


@command("invites.accept", permission=None, limit="logins")
async def accept_invite(ctx: Caller, asked: AcceptInvite) -> SignedIn:
    """Create an account with an invite or set-up link, and sign in.

    `not_joined` lists the groups of the invite that the new account could not join, for example because they are full.
    """
    await ctx.read(lambda reader: invites.usable(reader, asked.code))  # before the costly hash
    hashed = await hash_password(ctx.core, asked.password)
    most_members = ctx.core.config.limits.group_members

    def write(tx: Transaction) -> SignedIn:
        account, not_joined = invites.use(tx, asked.code, asked.handle, asked.name, hashed, most_members)
        signed_in = _new_device(tx, ctx.core, account, asked.device)
        return attrs.evolve(signed_in, not_joined=not_joined or None)

    return await ctx.write(write)


@command("setup.create", permission=permissions.OPERATE)
async def create_setup(ctx: Caller, asked: CreateSetup) -> SetupReply:
    """Create a link for the first administrator; it replaces earlier links."""
    code, code_hash = sessions.new_secret()
    link = ctx.core.link("setup", code)
    expires_at = now_ms() + ctx.core.config.accounts.setup_hours * HOUR_MS

    def write(tx: Transaction) -> None:
        if people.has_admin(tx):
            raise Refusal("gone", "this node already has an administrator")
        invites.revoke_setup(tx)
        invites.create(tx, "setup", code_hash, by=None, expires_at=expires_at)
        audit.record(tx, ctx.account, "setup.create")

    await ctx.write(write)
    return SetupReply(code, link)


SUBJECT = Subject(
    commands=(
        sign_in,
        list_sessions,
        rename_session,
        revoke_session,
        revoke_other_sessions,
        create_token,
        create_invite,
        list_invites,
        revoke_invite,
        accept_invite,
        create_setup,
    ),
    events=sessions.EVENTS,
)
