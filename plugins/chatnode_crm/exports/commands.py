"""Commands about exports."""

from __future__ import annotations

from datetime import UTC, datetime

from chatnode.api import DAY_MS, OPERATE, Context, Nothing, Refusal, Transaction, command, new_id, now_ms, rfc3339
from chatnode_crm.exports import stored
from chatnode_crm.exports.choice import ExportChoice
from chatnode_crm.exports.columns import choose
from chatnode_crm.exports.model import (
    ContactExports,
    CreateExport,
    ExportLink,
    ExportReply,
    ListExports,
    OfExport,
)
from chatnode_crm.exports.serving import LINKS
from chatnode_crm.exports.showing import expires_at, shown
from chatnode_crm.exports.stored import ExportRow
from chatnode_crm.exports.upkeep import delete_files
from chatnode_crm.exports.writing import EXPORT
from chatnode_crm.files.writing.formats import FORMATS, FileOptions, FormatName
from chatnode_crm.permissions import EXPORT as MAY_EXPORT
from chatnode_crm.requester import actor_of
from chatnode_crm.segments import selection
from chatnode_crm.segments.collection import asker_for
from chatnode_crm.settings import CrmSettings


@command("crm.exports.create", permission=MAY_EXPORT)
async def create(ctx: Context, asked: CreateExport) -> ExportReply:
    """Export contacts to a file, in the background: CSV, XLSX or vCards (`vcard3` for version 3.0, `vcard4` for 4.0).

    All contacts are as they were at one moment. Once the export is done, `crm.exports.link` returns a link to the file,
    which is deleted after a day, or when a contact in it is deleted.
    """
    asker, owner = asker_for(ctx), ctx.account
    options = FileOptions(asked.delimiter, asked.bom)
    most = ctx.settings(CrmSettings).exports_per_day

    def start(tx: Transaction) -> ExportRow:
        choice = ExportChoice(selection.check(tx, asker, asked.contacts), asked.preset, asked.columns, options)
        choose(tx, asked.format, asked.preset, asked.columns)
        if owner is not None:
            stored.refuse_too_many(tx, owner, most, tx.now)
        id = new_id()
        work = ctx.start_work(tx, EXPORT.name, {"export": id})
        name = _file_name(asked.format, tx.now)
        stored.insert(tx, id, owner.key if owner is not None else None, asked.format, choice.as_json(), work, name)
        ctx.audit(tx, "exports.create", id, format=asked.format)
        return stored.find(tx, id, None, all=True)

    return ExportReply(await shown(ctx, await ctx.write(start, repeatable=True)))


@command("crm.exports.get", permission=MAY_EXPORT, reads=True)
async def get(ctx: Context, asked: OfExport) -> ExportReply:
    """One of your exports, with its progress or its file's size and hash."""
    return ExportReply(await shown(ctx, await _read(ctx, asked)))


@command("crm.exports.list", permission=MAY_EXPORT, reads=True)
async def list_exports(ctx: Context, asked: ListExports) -> ContactExports:
    """Your exports of the last day, newest first; those who may operate the node see everybody's."""
    limit, owner = ctx.page_size(asked.limit), actor_of(ctx)
    rows = await ctx.read(
        lambda reader: stored.page(reader, owner, asked.before, limit + 1, all=ctx.may(OPERATE, reads=True))
    )
    found = [await shown(ctx, row) for row in rows[:limit]]
    return ContactExports(found, rows[limit - 1].key if len(rows) > limit else None)


@command("crm.exports.link", permission=MAY_EXPORT, reads=True)
async def link(ctx: Context, asked: OfExport) -> ExportLink:
    """Make a link to the file of an export, for a browser or a program that cannot send your token.

    Everyone who has the link can use it for a day, or until the file is deleted. It ends early when you may no longer
    export contacts, and when you sign out of the session that asked for it.
    """
    me = ctx.me
    row = await ctx.read(lambda reader: stored.find(reader, asked.export, me.key))
    stored.refuse_unless_done(row)
    seconds = min(DAY_MS / 1000, ((expires_at(ctx, row) or 0) - now_ms()) / 1000)
    if seconds <= 0:
        raise Refusal("gone", "the file of the export has expired", path="export")
    return ExportLink(LINKS.make(ctx, f"exports/{row.id}", row.id, seconds), rfc3339(now_ms() + int(seconds * 1000)))


@command("crm.exports.delete", permission=MAY_EXPORT)
async def delete(ctx: Context, asked: OfExport) -> Nothing:
    """Delete the file of an export, or stop writing it. Links to it end."""

    def remove(tx: Transaction) -> ExportRow:
        row = stored.find(tx, asked.export, actor_of(ctx), all=ctx.may(OPERATE))
        if row.status != "removed":
            stored.remove(tx, [row.key], None)
            ctx.audit(tx, "exports.delete", row.id)
        return row

    row = await ctx.write(remove, repeatable=True)
    if row.status in ("waiting", "writing"):
        try:
            await ctx.as_operator().call("work.cancel", work=row.work)
        except Refusal as refusal:
            ctx.log.info("the work of a deleted export has ended: %s", refusal.code)
    await delete_files(ctx)
    return Nothing()


async def _read(ctx: Context, asked: OfExport) -> ExportRow:
    all = ctx.may(OPERATE, reads=True)
    return await ctx.read(lambda reader: stored.find(reader, asked.export, actor_of(ctx), all=all))


def _file_name(format: FormatName, now: int) -> str:
    """Such as `contacts_export_2026-11-21_101706.csv`, in UTC."""
    at = datetime.fromtimestamp(now / 1000, UTC).strftime("%Y-%m-%d_%H%M%S")
    return f"contacts_export_{at}.{FORMATS[format].suffix}"


COMMANDS = (create, get, list_exports, link, delete)
