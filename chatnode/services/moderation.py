"""Blocking users, reporting messages and handling reports."""

from __future__ import annotations

from chatnode.dispatch.caller import Caller
from chatnode.dispatch.subject import Subject
from chatnode.dispatch.table import command
from chatnode.model import permissions
from chatnode.model.commands.accounts import GetPerson, PersonPage
from chatnode.model.commands.messages import ListReports, ReportMessage, ReportPage, ReportReply, ResolveReport
from chatnode.model.commands.shared import Nothing
from chatnode.storage.conversations import blocks
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.messages import reports
from chatnode.storage.people import people


@command("people.block", permission=permissions.CHAT, limit="changes")
async def block(ctx: Caller, asked: GetPerson) -> Nothing:
    """Block a user: your direct conversation is closed, and neither of you can add the other to a group."""
    await ctx.write(lambda tx: blocks.block(tx, ctx.me, people.find(tx, asked.person)))
    return Nothing()


@command("people.unblock", permission=permissions.CHAT, limit="changes")
async def unblock(ctx: Caller, asked: GetPerson) -> Nothing:
    """Unblock a user; the direct conversation that the block closed is reopened."""
    await ctx.write(lambda tx: blocks.unblock(tx, ctx.me, people.find(tx, asked.person)))
    return Nothing()


@command("people.blocked", permission=permissions.CHAT, reads=True)
async def blocked(ctx: Caller, asked: Nothing) -> PersonPage:
    """Users you have blocked.

    To filter and sort: `items.query` of `blocks`.
    """
    return PersonPage(await ctx.query(lambda reader: blocks.page(reader, ctx.me)))


@command("messages.report", permission=permissions.CHAT, limit="reports")
async def report(ctx: Caller, asked: ReportMessage) -> ReportReply:
    """Report a message to the moderators, who can then read it with `reports.list` and `messages.history`."""

    def write(tx: Transaction) -> int:
        return reports.add(tx, ctx.me, asked.message, asked.reason, asked.note)

    return ReportReply(await ctx.write(write))


@command("reports.list", permission=permissions.MODERATE, reads=True)
async def list_reports(ctx: Caller, asked: ListReports) -> ReportPage:
    """Open or resolved reports.

    To filter and sort: `items.query` of `reports`.
    """
    limit = ctx.page_size(asked.limit)
    return ReportPage(
        await ctx.query(lambda reader: reports.page(reader, resolved=asked.resolved, after=asked.after, limit=limit))
    )


@command("reports.resolve", permission=permissions.MODERATE)
async def resolve_report(ctx: Caller, asked: ResolveReport) -> Nothing:
    """Resolve a report, and record what was done."""
    await ctx.write(lambda tx: reports.resolve(tx, ctx.account, asked.report, asked.resolution))
    return Nothing()


SUBJECT = Subject(
    commands=(block, unblock, blocked, report, list_reports, resolve_report),
    events=blocks.EVENTS,
    tables=(*blocks.TABLES, *reports.TABLES),
)
