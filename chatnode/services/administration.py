"""Administration of accounts: signing out, deactivating, password reset links."""

from __future__ import annotations

from chatnode.dispatch.caller import Caller
from chatnode.dispatch.subject import Subject
from chatnode.dispatch.table import command
from chatnode.errors import Refusal
from chatnode.model import permissions
from chatnode.model.commands.administration import (
    CreateReset,
    Deactivate,
    PasswordReset,
    Reactivate,
    ResetPassword,
    ResetReply,
    SessionsOf,
    SignOut,
)
from chatnode.model.commands.shared import PersonReply
from chatnode.model.commands.sign_in import Revoked, SessionList
from chatnode.model.people import Account
from chatnode.model.times import HOUR_MS, now_ms, rfc3339
from chatnode.services.passwords import check_own_password, hash_password
from chatnode.services.ranks import check_may_manage
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.filters.collections import administration as of_administration
from chatnode.storage.people import audit, bots, deactivation, people, resets, sessions


@command("people.sessions", permission=permissions.MANAGE_PEOPLE, reads=True)
async def list_sessions(ctx: Caller, asked: SessionsOf) -> SessionList:
    """A user's signed-in devices and API tokens, with their last use.

    To filter and sort: `items.query` of `account_sessions`.
    """

    def read(reader: Reader) -> SessionList:
        account = people.find(reader, asked.person)
        return SessionList(sessions.of_person(reader, account.key, ctx.session))

    return await ctx.read(read)


@command("people.sign_out", permission=permissions.MANAGE_PEOPLE)
async def sign_out(ctx: Caller, asked: SignOut) -> Revoked:
    """Sign a user out of one session or of all; live connections end at once."""

    def write(tx: Transaction) -> Revoked:
        account = people.find(tx, asked.person)
        check_may_manage(ctx, account)
        if asked.session is None:
            revoked = sessions.revoke_all(tx, account.key, None)
        else:
            sessions.revoke(tx, account.key, asked.session)
            revoked = 1
        if revoked:
            audit.record(tx, ctx.account, "people.sign_out", account.id, session=asked.session, revoked=revoked)
        return Revoked(revoked)

    return await ctx.write(write)


# ---- deactivating


@command("people.deactivate", permission=permissions.CHAT, or_permission=permissions.MANAGE_PEOPLE)
async def deactivate(ctx: Caller, asked: Deactivate) -> PersonReply:
    """Deactivate an account: it is signed out everywhere and cannot sign in until it is reactivated.

    Your own account needs your password; others need the permission to manage people. Messages and memberships stay.
    """
    account = await person_or_me(ctx, asked.person)
    if is_me(ctx, account):
        if ctx.scopes is not None:
            raise Refusal("forbidden", "a token with scopes cannot close its own account; use a signed-in device")
        await check_own_password(ctx, account, asked.password)

    def write(tx: Transaction) -> PersonReply:
        current = people.by_key(tx, account.key)
        if not is_me(ctx, current):
            check_may_manage(ctx, current)
        if deactivation.deactivate(tx, current) or bots.stay_away(tx, current):
            audit.record(tx, ctx.account, "people.deactivate", current.id)
        return PersonReply(people.public(people.by_key(tx, current.key)))

    return await ctx.write(write)


@command("people.reactivate", permission=permissions.MANAGE_PEOPLE)
async def reactivate(ctx: Caller, asked: Reactivate) -> PersonReply:
    """Reactivate a deactivated account; its password works as before, and devices must sign in again."""

    def write(tx: Transaction) -> PersonReply:
        account = people.find(tx, asked.person)
        check_may_manage(ctx, account)
        if deactivation.reactivate(tx, account):
            audit.record(tx, ctx.account, "people.reactivate", account.id)
        return PersonReply(people.public(people.by_key(tx, account.key)))

    return await ctx.write(write)


def is_me(ctx: Caller, account: Account) -> bool:
    return ctx.account is not None and ctx.account.key == account.key


async def person_or_me(ctx: Caller, person: str | None) -> Account:
    """The account named, or the requester's own. Does not check whether the requester may manage it."""
    if person is None:
        if ctx.account is None:
            raise Refusal("invalid", "name the account", path="person")
        return ctx.account
    found = await ctx.read(lambda reader: people.find(reader, person))
    if not is_me(ctx, found):
        ctx.check(permissions.MANAGE_PEOPLE)
    return found


# ---- a new password


@command("people.reset_link", permission=permissions.MANAGE_PEOPLE, unscoped=True)
async def create_reset(ctx: Caller, asked: CreateReset) -> ResetReply:
    """Create a one-time link for a user to set a new password. It replaces an earlier link."""
    code, code_hash = sessions.new_secret()
    link = ctx.core.link("reset", code)
    expires_at = now_ms() + ctx.core.config.accounts.reset_hours * HOUR_MS

    def write(tx: Transaction) -> None:
        account = people.find(tx, asked.person)
        check_may_manage(ctx, account)
        resets.create(tx, account, code_hash, expires_at)
        audit.record(tx, ctx.account, "people.reset_link", account.id)

    await ctx.write(write)
    return ResetReply(code, link, rfc3339(expires_at))


@command("people.reset_password", permission=None, limit="logins")
async def reset_password(ctx: Caller, asked: ResetPassword) -> PasswordReset:
    """Set a new password with a reset link; all devices and tokens are signed out."""
    await ctx.read(lambda reader: resets.usable(reader, asked.code))  # before the costly hash
    hashed = await hash_password(ctx.core, asked.password)

    def write(tx: Transaction) -> PasswordReset:
        account = resets.usable(tx, asked.code)
        resets.revoke(tx, account.key)
        people.set_password(tx, account.key, hashed)
        revoked = sessions.revoke_all(tx, account.key, None)
        audit.record(tx, account, "people.reset_password", account.id, revoked=revoked)
        return PasswordReset(people.public(account), revoked)

    return await ctx.write(write)


SUBJECT = Subject(
    commands=(list_sessions, sign_out, deactivate, reactivate, create_reset, reset_password),
    tables=(*sessions.TABLES, *resets.TABLES),
    collections=of_administration.COLLECTIONS,
)
