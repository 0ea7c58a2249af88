"""Roles, which administrators define, and the audit log."""

from __future__ import annotations

from collections.abc import Callable

import trio

from chatnode.dispatch.caller import Caller
from chatnode.dispatch.subject import Subject
from chatnode.dispatch.table import command
from chatnode.errors import Refusal
from chatnode.model import permissions
from chatnode.model.commands.accounts import SetRole
from chatnode.model.commands.roles import (
    AuditPage,
    DeleteRole,
    ListAudit,
    PermissionInfo,
    PutRole,
    RoleList,
)
from chatnode.model.commands.shared import Nothing, PersonReply
from chatnode.routing.sessions import SessionRegistry
from chatnode.services.ranks import check_may_give, check_may_manage
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.people import audit, people, resets, roles


@command("roles.list", permission=permissions.MANAGE_ROLES, or_permission=permissions.MANAGE_PEOPLE, reads=True)
async def list_roles(ctx: Caller, asked: Nothing) -> RoleList:
    """All roles and all permissions."""
    known = [PermissionInfo(name, meaning) for name, meaning in ctx.core.permissions.items()]
    return RoleList(await ctx.query(roles.page), known)


@command("roles.set", permission=permissions.MANAGE_ROLES)
async def set_permissions(ctx: Caller, asked: PutRole) -> Nothing:
    """Create a role or replace its permissions; takes effect at once for every account with it.

    You can add and remove only permissions that you have yourself. `admin` cannot be changed.
    """
    wanted = frozenset(asked.permissions)
    is_other = False

    def write(tx: Transaction) -> dict[str, frozenset[str]]:
        nonlocal is_other
        before = roles.by_name(tx).get(asked.role, frozenset[str]())
        changed = roles.replace(tx, asked.role, wanted)
        check_may_give(ctx, before ^ wanted, "permissions")
        is_other = before != wanted
        if not is_other:
            return changed
        resets.revoke_of_role(tx, asked.role)
        details = {"before": " ".join(sorted(before)), "after": " ".join(sorted(wanted))}
        audit.record(tx, ctx.account, "roles.set", asked.role, **details)
        return changed

    await _change(ctx, write)
    if is_other:
        ctx.core.part(SessionRegistry).end_sessions_of_role(asked.role)
    return Nothing()


@command("roles.delete", permission=permissions.MANAGE_ROLES)
async def delete_role(ctx: Caller, asked: DeleteRole) -> Nothing:
    """Delete a role that no account has."""

    def write(tx: Transaction) -> dict[str, frozenset[str]]:
        check_may_give(ctx, roles.by_name(tx).get(asked.role, ()), "role")
        left = roles.delete(tx, asked.role)
        audit.record(tx, ctx.account, "roles.delete", asked.role)
        return left

    await _change(ctx, write)
    return Nothing()


async def _change(ctx: Caller, write: Callable[[Transaction], dict[str, frozenset[str]]]) -> None:
    """Apply what was committed, even if the client disconnects meanwhile; one change at a time."""
    core = ctx.core
    with trio.CancelScope(shield=True):
        async with core.changing_roles:
            core.roles = await ctx.write(write)


@command("people.role", permission=permissions.MANAGE_PEOPLE)
async def set_role(ctx: Caller, asked: SetRole) -> PersonReply:
    """Change a user's role on the node; neither the old nor the new role may have permissions that you lack."""

    def write(tx: Transaction) -> PersonReply:
        account = people.find(tx, asked.person)
        check_may_manage(ctx, account)
        check_may_give(ctx, roles.by_name(tx).get(asked.role, ()), "role")
        if people.set_role(tx, account, asked.role):
            resets.revoke(tx, account.key)  # its creator may not be able to manage the account as it is now
            audit.record(tx, ctx.account, "people.role", account.id, before=account.role, after=asked.role)
        return PersonReply(people.public(account))

    return await ctx.write(write)


@command("audit.list", permission=permissions.AUDIT, reads=True)
async def list_audit(ctx: Caller, asked: ListAudit) -> AuditPage:
    """What administrators, moderators and the operator did, newest first.

    To filter and sort: `items.query` of `audit`.
    """
    limit = ctx.page_size(asked.limit)

    def read(reader: Reader) -> AuditPage:
        actor = people.find(reader, asked.actor, "actor").key if asked.actor is not None else None
        entries = audit.page(
            reader, actor=actor, action=asked.action, target=_target(reader, asked.target),
            before=asked.before, limit=limit,
        )  # fmt: skip
        return AuditPage(entries)

    return await ctx.query(read)


def _target(reader: Reader, target: str | None) -> str | None:
    """Translate a handle to the user's id, which the log has."""
    if target is None:
        return None
    try:
        return people.find(reader, target).id
    except Refusal:
        return target


SUBJECT = Subject(
    commands=(set_role, list_roles, set_permissions, delete_role, list_audit), tables=(*roles.TABLES, *audit.TABLES)
)
