"""Durable work of plugins, as its owners and operators see and steer it.

Owners see their own, those who may operate the node see all; for others a work does not exist.
"""

from __future__ import annotations

from collections.abc import Callable

from chatnode.counting import counted
from chatnode.dispatch.caller import Caller
from chatnode.dispatch.core import Core
from chatnode.dispatch.jobs import Job
from chatnode.dispatch.subject import Subject
from chatnode.dispatch.table import command
from chatnode.model import permissions
from chatnode.model.commands.work import ListWork, OfWork, WorkPage, WorkReply
from chatnode.model.ephemeral import WorkProgress
from chatnode.model.times import DAY_MS, now_ms
from chatnode.storage.engine.connection import Querying, Reader
from chatnode.storage.engine.steps import Steps
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.filters.collections import work as of_work
from chatnode.storage.people import audit
from chatnode.storage.work import work

HOUR = 3_600
STEP = 500


@command("work.list", permission=permissions.CHAT, or_permission=permissions.OPERATE, reads=True)
async def list_work(ctx: Caller, asked: ListWork) -> WorkPage:
    """Your work items, newest first; users who may operate the node see all of them.

    To filter and sort: `items.query` of `work`.
    """
    limit = ctx.page_size(asked.limit)
    owner = None if ctx.may(permissions.OPERATE, reads=True) else ctx.me.key

    def read(reader: Reader) -> WorkPage:
        return WorkPage(*work.page(reader, owner, asked.status, asked.kind, asked.before, limit))

    return await ctx.query(read)


@command("work.get", permission=permissions.CHAT, or_permission=permissions.OPERATE, reads=True)
async def get(ctx: Caller, asked: OfWork) -> WorkReply:
    """One of your work items, or with the permission to operate the node, any one: its status, progress and result."""
    return await ctx.read(lambda reader: WorkReply(work.info(reader, _find(ctx, reader, asked, reads=True))))


@command("work.pause", permission=permissions.CHAT, or_permission=permissions.OPERATE)
async def pause(ctx: Caller, asked: OfWork) -> WorkReply:
    """Pause a work item; nothing more of it is written after that. `work.resume` continues where it stopped."""
    return await _steer(ctx, asked, "work.pause", work.pause)


@command("work.resume", permission=permissions.CHAT, or_permission=permissions.OPERATE)
async def resume(ctx: Caller, asked: OfWork) -> WorkReply:
    """Resume a paused work item, or retry a failed one, from its last checkpoint."""
    return await _steer(ctx, asked, "work.resume", work.resume)


@command("work.cancel", permission=permissions.CHAT, or_permission=permissions.OPERATE)
async def cancel(ctx: Caller, asked: OfWork) -> WorkReply:
    """Cancel a work item. What it has written is kept, and nothing more is written."""
    return await _steer(ctx, asked, "work.cancel", work.cancel)


def _find(ctx: Caller, reader: Querying, asked: OfWork, *, reads: bool) -> int:
    owner = ctx.account.key if ctx.account is not None else None
    return work.find(reader, asked.work, owner, all=ctx.may(permissions.OPERATE, reads=reads))


async def _steer(
    ctx: Caller, asked: OfWork, action: str, change: Callable[[Transaction, int, int | None], bool]
) -> WorkReply:
    """Change the status; only what is done to another's work is for the audit log."""

    def write(tx: Transaction) -> WorkReply:
        key = _find(ctx, tx, asked, reads=False)
        me = ctx.account.key if ctx.account is not None else None
        changed, found = change(tx, key, me), work.info(tx, key)
        mine = ctx.account is not None and found.owner is not None and found.owner.id == ctx.account.id
        if changed and not mine:
            audit.record(tx, ctx.account, action, found.work, kind=found.kind)
        return WorkReply(found)

    return await ctx.write(write)


async def remove_ended(core: Core) -> str | None:
    """Remove works that ended longer ago than `work.keep_days`."""
    before, removed, steps = now_ms() - core.config.work.keep_days * DAY_MS, 0, Steps(core.db, STEP)
    while count := await steps.write(lambda tx, most: work.remove_ended(tx, before, most), int):
        removed += count
    return f"{counted(removed, 'work item')} removed" if removed else None


SUBJECT = Subject(
    commands=(list_work, get, pause, resume, cancel),
    events=work.EVENTS,
    ephemeral=(WorkProgress,),
    tables=work.TABLES,
    collections=of_work.COLLECTIONS,
    jobs=(Job("ended work", 6 * HOUR, remove_ended),),
)
