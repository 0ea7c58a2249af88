"""Users: accounts, profiles, passwords and roles."""

from __future__ import annotations

from chatnode.dispatch.caller import Caller
from chatnode.dispatch.subject import Subject
from chatnode.dispatch.table import command
from chatnode.errors import Refusal
from chatnode.model import permissions
from chatnode.model.commands.accounts import (
    ChangePassword,
    CreatePerson,
    GetPerson,
    ListPeople,
    Me,
    PersonPage,
    UpdateProfile,
)
from chatnode.model.commands.shared import Nothing, PersonReply
from chatnode.model.commands.sign_in import Revoked
from chatnode.model.people import Account, Person
from chatnode.services.administration import is_me
from chatnode.services.passwords import hash_password, is_password
from chatnode.services.ranks import check_may_give, check_may_manage
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.filters.collections import accounts as of_accounts
from chatnode.storage.people import audit, authors, people, resets, sessions


@command("people.create", permission=permissions.MANAGE_PEOPLE)
async def create(ctx: Caller, asked: CreatePerson) -> PersonReply:
    """Create an account."""
    if asked.bot and (asked.admin or asked.password is not None):
        path = "admin" if asked.admin else "password"
        raise Refusal("invalid", f"a bot has no {path}; create a token with tokens.create", path=path)
    role = permissions.ADMIN if asked.admin else permissions.MEMBER
    check_may_give(ctx, ctx.core.roles[role], "admin")
    hashed = await hash_password(ctx.core, asked.password) if asked.password is not None else None

    def write(tx: Transaction) -> Account:
        account = people.create(tx, asked.handle, name=asked.name, password=hashed, role=role, bot=asked.bot)
        audit.record(tx, ctx.account, "people.create", account.id, role=role, bot="yes" if asked.bot else None)
        return account

    return PersonReply(people.public(await ctx.write(write)))


@command("people.me", permission=permissions.CHAT, reads=True)
async def me(ctx: Caller, asked: Nothing) -> Me:
    """Your own profile, role and permissions."""

    def read(reader: Reader) -> tuple[Account, Person]:
        account = people.by_key(reader, ctx.me.key)
        return account, people.profile(reader, account, account)

    account, person = await ctx.read(read)
    return Me(person, account.role, sorted(ctx.core.roles.get(account.role, ())), _scopes(ctx))


def _scopes(ctx: Caller) -> list[str] | None:
    return None if ctx.scopes is None else sorted(ctx.scopes)


@command("people.get", permission=permissions.CHAT, reads=True)
async def get(ctx: Caller, asked: GetPerson) -> PersonReply:
    """A user's profile, by handle or id."""

    def read(reader: Reader) -> Person:
        return people.profile(reader, ctx.account, people.find(reader, asked.person))

    return PersonReply(await ctx.read(read))


@command("people.list", permission=permissions.CHAT, reads=True)
async def list_page(ctx: Caller, asked: ListPeople) -> PersonPage:
    """Users whose handle begins with `prefix`, in order of handles.

    To filter and sort: `items.query` of `people`.
    """
    limit, viewer = ctx.page_size(asked.limit), ctx.account
    return PersonPage(await ctx.read(lambda reader: people.page(reader, viewer, asked.prefix, asked.after, limit)))


@command("people.update", permission=permissions.CHAT, limit="changes")
async def update(ctx: Caller, asked: UpdateProfile) -> PersonReply:
    """Change your name, or remove your avatar with an empty one. Addresses of pictures are not accepted."""
    return PersonReply(await ctx.write(lambda tx: people.update_profile(tx, ctx.me, asked.name, asked.avatar)))


@command("people.password", permission=permissions.CHAT, or_permission=permissions.MANAGE_PEOPLE, unscoped=True)
async def change_password(ctx: Caller, asked: ChangePassword) -> Revoked:
    """Change a password and sign out the user's other devices and tokens."""
    account = await _whose_password(ctx, asked)
    new = await hash_password(ctx.core, asked.new, "new")
    mine = is_me(ctx, account)

    def write(tx: Transaction) -> int:
        current = people.by_key(tx, account.key)  # hashing took a while
        if not mine:
            check_may_manage(ctx, current)
        _check_has_passwords(current)
        people.set_password(tx, account.key, new)
        resets.revoke(tx, account.key)
        if not mine:
            audit.record(tx, ctx.account, "people.password", account.id)
        return sessions.revoke_all(tx, account.key, ctx.session if mine else None)

    return Revoked(await ctx.write(write))


async def _whose_password(ctx: Caller, command: ChangePassword) -> Account:
    """The account whose password to change: the requester's, with the old password, or another's, with the permission
    to manage people."""
    if command.person is None:
        account = ctx.me
    elif ctx.may(permissions.MANAGE_PEOPLE):
        who = command.person
        account = await ctx.read(lambda reader: people.find(reader, who))
        if not is_me(ctx, account):
            check_may_manage(ctx, account)
    else:
        raise Refusal("forbidden", "omit this; you can change only your own password", path="person")
    if is_me(ctx, account):
        found = await ctx.read(lambda reader: people.password_hash(reader, account.handle))
        if not await is_password(ctx.core, account.handle, found and found[1], command.old or ""):
            raise Refusal("wrong_password", "the current password is incorrect", path="old")
    _check_has_passwords(account)
    return account


def _check_has_passwords(account: Account) -> None:
    people.refuse_imported(account, "person")
    if account.bot:
        raise Refusal("invalid", "a bot has no password; create a token for it", path="person")
    if account.erased_at is not None:
        raise Refusal("gone", "this account was erased", path="person")


SUBJECT = Subject(
    commands=(create, me, get, list_page, update, change_password),
    events=people.EVENTS,
    tables=(*people.TABLES, *authors.TABLES),
    collections=of_accounts.COLLECTIONS,
)
