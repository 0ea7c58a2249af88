"""Looking after the node."""

from __future__ import annotations

import trio

from chatnode import __version__
from chatnode.dispatch.context import Context
from chatnode.dispatch.table import command
from chatnode.model import permissions
from chatnode.model.commands.operations import Checked, NodeInfo, NodeStatistics
from chatnode.model.commands.shared import Nothing
from chatnode.storage import checks, people


@command("node.info", permission=None, reads=True)
async def info(ctx: Context, command: Nothing) -> NodeInfo:
    """That this is a chatnode, and whether it waits for its first administrator."""
    has_admin = await ctx.read(people.has_admin)
    return NodeInfo("chatnode", __version__, not has_admin)


@command("node.check", permission=permissions.OPERATE, reads=True)
async def check(ctx: Context, command: Nothing) -> Checked:
    """Prove that the database is sound: SQLite's own checks and chatnode's counters."""
    return await ctx.read(checks.run)


@command("node.statistics", permission=permissions.OPERATE, reads=True)
async def statistics(ctx: Context, command: Nothing) -> NodeStatistics:
    """How much there is."""
    live = ctx.core.live_sessions()
    uptime = trio.current_time() - ctx.core.started_at
    return await ctx.read(lambda reader: checks.statistics(reader, live, uptime))


COMMANDS = (info, check, statistics)
