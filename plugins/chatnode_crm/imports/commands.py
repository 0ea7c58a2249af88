"""An import from its file to its end: create, map, plan, start, pause, undo, delete."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import trio

from chatnode.api import Context, Nothing, Refusal, Transaction, command
from chatnode_crm.files.mapping import BadMapping
from chatnode_crm.imports import works
from chatnode_crm.imports.layout import ImportFiles
from chatnode_crm.imports.looking import look, options_so_far
from chatnode_crm.imports.mappings import find_mapping, fitted
from chatnode_crm.imports.model import CreateImport, ImportPage, ImportReply, ListImports, MapImport, OfImport
from chatnode_crm.imports.options import ImportOptions, as_stored, permissions_of
from chatnode_crm.imports.progress import forget_results
from chatnode_crm.imports.receiving import in_blocks, of_bytes, receive
from chatnode_crm.imports.rows import (
    ImportRow,
    ImportState,
    change_import,
    check_source,
    check_state,
    find_import,
    imports_page,
)
from chatnode_crm.imports.setup import find_setup, stored_options
from chatnode_crm.imports.showing import shown_import
from chatnode_crm.lists.finding import find_open_list
from chatnode_crm.permissions import IMPORT


@command("crm.imports.create", permission=IMPORT)
async def create(ctx: Context, asked: CreateImport) -> ImportReply:
    """Begin an import with the content of a small file, or with the file of another of your imports.

    Files of any size are uploaded with `POST /plugins/crm/imports?name=contacts.csv`, whose body is the file. On the
    command line of the node, `path` names a file that the node can read.
    """
    given = [each for each in (asked.text, asked.like, asked.path) if each is not None]
    if len(given) != 1:
        raise Refusal("invalid", "expected one of text, like and path", path="text")
    if asked.text is not None:
        row = await receive(ctx, asked.name, of_bytes(asked.text.encode()), None)
    elif asked.like is not None:
        like = asked.like
        other = await ctx.read(lambda reader: find_import(reader, ctx, like))
        check_source(other, "like")
        blocks = in_blocks(ImportFiles.of(ctx.directory, other.id).source)
        row = await receive(ctx, asked.name, blocks, other.bytes, like=other.id)
    else:
        if not ctx.operator:
            raise Refusal("forbidden", "only the operator can name a file, on the command line", path="path")
        row = await receive(ctx, asked.name, in_blocks(Path(str(asked.path))), None)
    return ImportReply(shown_import(ctx, row))


@command("crm.imports.list", permission=IMPORT, reads=True)
async def list_imports(ctx: Context, asked: ListImports) -> ImportPage:
    """Your imports, the newest first."""
    limit = ctx.page_size(asked.limit)
    rows = await ctx.read(lambda reader: imports_page(reader, ctx, asked.after, limit))
    return ImportPage([shown_import(ctx, row) for row in rows], rows[-1].key if len(rows) == limit else None)


@command("crm.imports.get", permission=IMPORT, reads=True)
async def get(ctx: Context, asked: OfImport) -> ImportReply:
    """One of your imports: its stage, and what it counted. `work.get` of its `work` says how far that is."""
    return ImportReply(shown_import(ctx, await ctx.read(lambda reader: find_import(reader, ctx, asked.import_))))


@command("crm.imports.map", permission=IMPORT)
async def map_columns(ctx: Context, asked: MapImport) -> ImportReply:
    """Set how the file is read, what its columns mean, and the policies for existing contacts.

    Omitted options keep their values, at first those that `crm.imports.detect` found. The rows are read again. It is
    refused once rows have been applied. Lists and tags, also those that the file names, need the permissions
    `crm.lists.manage` and `crm.tags.manage`.
    """
    row = await ctx.read(lambda reader: find_import(reader, ctx, asked.import_))
    wanted = await _options_wanted(ctx, row, asked)

    def write(tx: Transaction) -> tuple[ImportRow, str | None]:
        options = wanted
        now = find_import(tx, ctx, asked.import_)
        check_state(now, "received", "staged", "planned")
        check_source(now)
        if options.list_ is not None:
            options = attrs.evolve(options, list_=find_open_list(tx, options.list_).id)
        for permission in permissions_of(options):
            ctx.check(permission)
        forget_results(tx, now.key)
        change_import(tx, now.key, options=as_stored(options), state="received", generation=None, rows=None, plan=None)
        return find_import(tx, ctx, asked.import_), now.generation

    mapped, before = await ctx.write(write)
    if before is not None:
        await trio.to_thread.run_sync(ImportFiles.of(ctx.directory, row.id).remove_rows, before)
    return ImportReply(shown_import(ctx, mapped))


async def _options_wanted(ctx: Context, row: ImportRow, asked: MapImport) -> ImportOptions:
    """What is given, else what is saved, else what was before, else what the file suggests. Raises `Refusal`."""
    before = options_so_far(row)
    looked = await look(ctx, row, asked.reading or before.reading)
    if asked.saved is not None:
        name = asked.saved
        saved = await ctx.read(lambda reader: find_mapping(reader, ctx, name))
        before = attrs.evolve(before, mapping=fitted(saved, looked.names), policies=saved.policies)
    given = {
        name: value for name in ("reading", "policies", "list_", "tags") if (value := getattr(asked, name)) is not None
    }
    options = attrs.evolve(before, **given, mapping=looked.completed(asked.mapping, before.mapping))
    try:
        options.mapping.as_mapping()
    except BadMapping as error:
        raise Refusal("invalid", str(error), path=f"mapping.{error.path}") from None
    return options


# ---- work


@command("crm.imports.plan", permission=IMPORT)
async def plan(ctx: Context, asked: OfImport) -> ImportReply:
    """Read all rows and count the outcomes without changing a contact: a dry run. It is durable work."""
    return await _start(ctx, asked.import_, works.PLAN.name, ("received", "staged", "planned"))


@command("crm.imports.start", permission=IMPORT)
async def start(ctx: Context, asked: OfImport) -> ImportReply:
    """Import the rows. It is durable work, and continues where it stopped if it was cancelled or the node was killed.

    Each row is decided by the contacts at that moment, whatever has changed since the plan.
    """
    return await _start(ctx, asked.import_, works.APPLY.name, ("received", "staged", "planned", "applying"), "applying")


@command("crm.imports.undo", permission=IMPORT)
async def undo(ctx: Context, asked: OfImport) -> ImportReply:
    """Revert what the import changed, as durable work, even if only part of it was applied.

    Contacts that were changed since stay as they are, and are counted as `kept`; `crm.imports.rows` lists them. It is
    possible for `import_undo_days`.
    """
    row = await ctx.read(lambda reader: find_import(reader, ctx, asked.import_))
    if row.state == "applying":
        await _ask_work(ctx, "work.cancel", row)
    return await _start(ctx, asked.import_, works.UNDO.name, ("applying", "applied", "undoing"), "undoing")


async def _start(
    ctx: Context, id: str, kind: str, states: tuple[ImportState, ...], then: ImportState | None = None
) -> ImportReply:
    """Start a work, unless one is on its way."""
    row = await ctx.read(lambda reader: find_import(reader, ctx, id))
    await _refuse_busy(ctx, row)

    def write(tx: Transaction) -> ImportRow:
        now = find_import(tx, ctx, id)
        check_state(now, *states)
        if now.work != row.work:
            raise Refusal("conflict", "other work on this import has just been started", path="import")
        options = stored_options(now)
        for permission in permissions_of(options) if kind != works.UNDO.name else ():
            ctx.check(permission)
        if then == "applying":
            find_setup(tx, now)
        title = f"{works.TITLES[kind]}: {now.name}"
        work = ctx.start_work(tx, kind, {"import": id}, title=title, resource=f"import {id}")
        change_import(tx, now.key, work=work, **({} if then is None else {"state": then}))
        if then is not None:
            ctx.audit(tx, "imports.undo" if then == "undoing" else "imports.start", id)
        return find_import(tx, ctx, id)

    return ImportReply(shown_import(ctx, await ctx.write(write)))


async def _refuse_busy(ctx: Context, row: ImportRow) -> None:
    found = await _ask_work(ctx, "work.get", row)
    if found is not None and found["work"]["status"] in ("waiting", "running", "paused"):
        title = found["work"]["title"]
        raise Refusal("conflict", f"this import already has work: {title}; cancel it first", path="import")


async def _ask_work(ctx: Context, name: str, row: ImportRow) -> Any:
    """Call a command about the import's work; None without one, or where it has ended."""
    if row.work is None:
        return None
    try:
        return await ctx.call(name, work=row.work)
    except Refusal as refusal:
        if refusal.code in ("not_found", "conflict"):
            return None
        raise


async def _change_work(ctx: Context, name: str, id: str) -> ImportReply:
    row = await ctx.read(lambda reader: find_import(reader, ctx, id))
    if row.work is None:
        raise Refusal("conflict", "there is no work on this import", path="import")
    await ctx.call(name, work=row.work)
    return ImportReply(shown_import(ctx, row))


@command("crm.imports.pause", permission=IMPORT)
async def pause(ctx: Context, asked: OfImport) -> ImportReply:
    """Pause the work on an import."""
    return await _change_work(ctx, "work.pause", asked.import_)


@command("crm.imports.resume", permission=IMPORT)
async def resume(ctx: Context, asked: OfImport) -> ImportReply:
    """Resume paused work on an import."""
    return await _change_work(ctx, "work.resume", asked.import_)


@command("crm.imports.cancel", permission=IMPORT)
async def cancel(ctx: Context, asked: OfImport) -> ImportReply:
    """Cancel the work on an import. What was applied stays; `crm.imports.start` continues, `crm.imports.undo` reverts
    it.
    """
    return await _change_work(ctx, "work.cancel", asked.import_)


@command("crm.imports.delete", permission=IMPORT)
async def delete(ctx: Context, asked: OfImport) -> Nothing:
    """Remove an import with its file and its rows. Its contacts stay, and it can no longer be undone."""
    row = await ctx.read(lambda reader: find_import(reader, ctx, asked.import_))
    await _ask_work(ctx, "work.cancel", row)

    def write(tx: Transaction) -> None:
        change_import(tx, row.key, state="deleted", name="", options=None)
        ctx.audit(tx, "imports.delete", row.id)

    await ctx.write(write, repeatable=True)
    await trio.to_thread.run_sync(ImportFiles.of(ctx.directory, row.id).remove)
    ctx.wake("imports")
    return Nothing()


COMMANDS = (create, list_imports, get, map_columns, plan, start, undo, pause, resume, cancel, delete)
