"""Operating the node."""

from __future__ import annotations

import trio

from chatnode import __version__
from chatnode.dispatch.caller import Caller
from chatnode.dispatch.subject import Subject
from chatnode.dispatch.table import command
from chatnode.hooks import files as plugin_files
from chatnode.model import permissions
from chatnode.model.commands.operations import (
    Checked,
    CheckNode,
    NodeAddress,
    NodeInfo,
    NodeStatistics,
    Repair,
    Repaired,
)
from chatnode.model.commands.shared import Nothing
from chatnode.routing.sessions import SessionRegistry
from chatnode.services import checking, search
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.filters.collections import operations as of_operations
from chatnode.storage.log import log
from chatnode.storage.people import audit, owners, people
from chatnode.storage.reading import views
from chatnode.storage.upkeep import checks, derived, upgrading


@command("node.info", permission=None, reads=True)
async def info(ctx: Caller, asked: Nothing) -> NodeInfo:
    """The node's name and version, and whether it waits for its first administrator."""
    has_admin = await ctx.read(people.has_admin)
    return NodeInfo("chatnode", __version__, not has_admin)


@command("node.address", permission=permissions.OPERATE, reads=True)
async def address(ctx: Caller, asked: Nothing) -> NodeAddress:
    """The URL at which programs on the node's own machine reach its port. Users may know it by another one, the
    setting `server.public_url`."""
    return NodeAddress(ctx.core.own_url or None)


@command("node.check", permission=permissions.OPERATE, reads=True)
async def check(ctx: Caller, asked: CheckNode) -> Checked:
    """Check the database with SQLite's own checks and chatnode's, and whether the files of plugins are there."""
    return await checking.with_files(ctx.core, await ctx.read(checks.run), deep=asked.deep)


@command("node.repair", permission=permissions.OPERATE)
async def repair(ctx: Caller, asked: Nothing) -> Repaired:
    """Rebuild derived data (heads, counts, mentions, marks, threads) in one transaction; other writes wait.

    Groups whose owner cannot act get a new owner. Then rebuild the search index if it is damaged, and let plugins
    repair what is theirs; writes continue.
    """

    def write(tx: Transaction) -> dict[str, int]:
        changed = derived.repair(tx)
        if handed_over := owners.ensure_all_owners(tx):
            changed["owners"] = handed_over
        audit.record(tx, ctx.account, "node.repair", "", **changed)
        return changed

    changed = await ctx.write(write)
    if indexed := await search.repair(ctx.core):
        changed["search"] = indexed
    changed |= await plugin_files.repair(ctx.core)
    checked = await checking.with_files(ctx.core, await ctx.read(checks.run))
    return Repaired([Repair(name, rows) for name, rows in changed.items()], checked.clean, checked.checks)


@command("node.statistics", permission=permissions.OPERATE, reads=True)
async def statistics(ctx: Caller, asked: Nothing) -> NodeStatistics:
    """Counts of users, conversations and messages."""
    live = len(ctx.core.part(SessionRegistry))
    uptime = trio.current_time() - ctx.core.started_at
    return await ctx.read(lambda reader: checks.statistics(reader, live, uptime))


SUBJECT = Subject(
    commands=(info, address, check, repair, statistics),
    tables=(*upgrading.TABLES, *log.TABLES),
    checks=views.CHECKS,
    collections=of_operations.COLLECTIONS,
)
