"""What becomes of imports that are old, deleted, or name a contact that is deleted."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from functools import partial
from pathlib import Path

import orjson
import trio

from chatnode.api import DAY_MS, Context, Querying, Refusal, Row, Transaction, counted, json_array, record
from chatnode_crm.contacts.earlier import earlier_names, numbers_of
from chatnode_crm.imports.known import KnownNames
from chatnode_crm.imports.layout import ImportFiles, directories
from chatnode_crm.imports.rows import ImportRow, change_import, import_by_id, imports_with_files
from chatnode_crm.imports.searching import file_has
from chatnode_crm.imports.staged import READY, REMOVED, StagedRow, StagedRows, StagedWriter
from chatnode_crm.settings import CrmSettings

BATCH = 1_000
_DETAILS = ("crm_import_slices", "crm_import_images", "crm_import_faults", "crm_import_plans")


def forget_contacts(tx: Transaction, keys: Sequence[int]) -> None:
    """Remove what imports hold of contacts that are being deleted: before-images now, staged rows soon after."""
    many = json_array(keys)
    tx.execute("DELETE FROM crm_import_images WHERE contact IN (SELECT value FROM json_each(?))", (many,))
    rows = tx.execute(
        "SELECT key, email_key, external_id, NULL FROM crm_contacts WHERE key IN (SELECT value FROM json_each(?))",
        (many,),
    ).fetchall()
    earlier = earlier_names(tx, keys)
    emails = [(key, email, None, None) for key, email in earlier.emails]
    external_ids = [(key, None, external_id, None) for key, external_id in earlier.external_ids]
    numbers = [(key, None, None, number) for key, number in numbers_of(tx, keys)]
    forget_names(tx, [*rows, *emails, *external_ids, *numbers])


def forget_names(tx: Transaction, names: Iterable[tuple[int, str | None, str | None, str | None]]) -> None:
    """Rows about contacts are removed from the files of imports soon: each is given with its key, and a normalized
    address, an external id, and a phone number with the name, or some of them."""
    if tx.execute("SELECT 1 FROM crm_imports WHERE state <> 'deleted' LIMIT 1").fetchone() is not None:
        tx.executemany(
            "INSERT INTO crm_import_names (contact, email_key, external_id, phone_key, at) VALUES (?, ?, ?, ?, ?)",
            [(*each, tx.now) for each in names],
        )


async def wake_cleanup(ctx: Context, rows: Sequence[Row]) -> None:
    """Contacts were deleted; their staged rows follow."""
    ctx.wake("imports")


async def wake_cleanup_at_start(ctx: Context) -> None:
    """Files that a kill has left go soon, if there are imports."""
    if await ctx.read(lambda reader: reader.execute("SELECT 1 FROM crm_imports LIMIT 1").fetchone()) is not None:
        ctx.wake("imports")


async def clean_up_imports(ctx: Context) -> str | None:
    """Remove the rows of deleted contacts, then imports that are deleted or old, and what is left of them."""
    removed = await _remove_rows(ctx)
    ended = await _end_old(ctx)
    await _remove_details(ctx)
    await _remove_strays(ctx)
    await _remove_leftovers(ctx)
    if not removed and not ended:
        return None
    return f"removed {counted(removed, 'row')} of deleted contacts and {counted(ended, 'old import')}"


# ---- rows of contacts that were deleted


async def _remove_rows(ctx: Context) -> int:
    forgotten = await ctx.read(_read_forgotten)
    if not forgotten.contacts:
        return 0
    removed = 0
    for row in await ctx.read(imports_with_files):
        removed += await _remove_from(ctx, row.id, forgotten.names)
    await ctx.write(
        lambda tx: tx.execute(
            "DELETE FROM crm_import_names WHERE contact IN (SELECT value FROM json_each(?))",
            (json_array(forgotten.contacts),),
        ),
        repeatable=True,
    )
    return removed


@record(frozen=True)
class _Forgotten:
    """The keys of contacts that were deleted, and the names that they had then."""

    contacts: list[int]
    names: KnownNames


def _read_forgotten(reader: Querying) -> _Forgotten:
    rows = reader.execute(
        "SELECT contact, email_key, external_id, phone_key, at FROM crm_import_names ORDER BY at"
    ).fetchall()
    emails, external_ids, numbers = ({row[at]: row[4] for row in rows if row[at] is not None} for at in (1, 2, 3))
    return _Forgotten(list({row[0] for row in rows}), KnownNames(emails, external_ids, numbers))


async def _remove_from(ctx: Context, id: str, names: KnownNames) -> int:
    """Remove contacts from the files of an import; again if it is staged or mapped meanwhile."""
    while (row := await _import_now(ctx, id)) is not None:
        removed = await _remove_staged(ctx, row, names)
        if removed == 0:
            removed = await _remove_source(ctx, row, names)
        if removed is not None:
            return removed
    return 0


async def _import_now(ctx: Context, id: str) -> ImportRow | None:
    """None if it was deleted."""
    try:
        return await ctx.read(lambda reader: import_by_id(reader, id))
    except Refusal:
        return None


async def _remove_source(ctx: Context, row: ImportRow, names: KnownNames) -> int | None:
    """Remove an uploaded file if it has one of the contacts, or cannot be read. Returns None if the import was staged
    or mapped meanwhile."""
    files, settings = ImportFiles.of(ctx.directory, row.id), ctx.settings(CrmSettings)
    if not row.source or not await trio.to_thread.run_sync(file_has, files.source, row, names, settings):
        return 0
    if not await _change_files(ctx, row, row.generation, names):
        return None
    await trio.to_thread.run_sync(files.remove_source)
    return 1


async def _remove_staged(ctx: Context, row: ImportRow, names: KnownNames) -> int | None:
    """Replace the staged rows by others without those of the contacts; and the file, which has them too, goes. Returns
    None if they were replaced meanwhile."""
    files, before = ImportFiles.of(ctx.directory, row.id), row.generation
    if before is None:
        return 0
    try:
        removed = await trio.to_thread.run_sync(_numbers_of, row, files.rows(before), files.index(before), names)
        if not removed and _columns_without(row, names) == row.columns:
            return 0
        with files.in_use():
            async with files.new_rows() as after:
                await trio.to_thread.run_sync(_copy_without, files, before, after, removed)
            done = await _change_files(ctx, row, after, names)
    except FileNotFoundError:
        now = await _import_now(ctx, row.id)
        return 0 if now is None or now.generation == before else None  # they are gone after a restore
    await trio.to_thread.run_sync(files.remove_rows, before if done else after)
    if not done:
        return None
    await trio.to_thread.run_sync(files.remove_source)
    return max(1, len(removed))


async def _change_files(ctx: Context, row: ImportRow, generation: str | None, names: KnownNames) -> bool:
    """The import has these rows from now on, and no uploaded file; False if it has other rows meanwhile."""
    columns = _columns_without(row, names)

    def write(tx: Transaction) -> bool:
        done = tx.execute(
            "UPDATE crm_imports SET generation = ?, source = 0, columns = ? "
            "WHERE key = ? AND coalesce(generation, '') = ?",
            (generation, None if columns is None else orjson.dumps(columns).decode(), row.key, row.generation or ""),
        )
        return done.rowcount == 1

    return await ctx.write(write, repeatable=True)


def _columns_without(row: ImportRow, names: KnownNames) -> list[str] | None:
    """The names of the columns: if the file has no header, its first row may have been taken for one."""
    if row.columns is None:
        return None
    return ["" if names.are_in([each], row.created_at) else each for each in row.columns]


def _numbers_of(import_: ImportRow, path: Path, index: Path, names: KnownNames) -> set[int]:
    """The numbers of the staged rows that are about the contacts."""
    with StagedRows(path, index) as rows:
        staged = (StagedRow.of_json(line, at, rows.letters[at - 1]) for at, line in rows.lines(1, len(rows)))
        return {row.number for row in staged if names.has(row, import_.created_at)}


def _copy_without(files: ImportFiles, before: str, after: str, removed: Collection[int]) -> None:
    with StagedRows(files.rows(before), files.index(before)) as rows:
        writer = StagedWriter(files.rows(after), files.index(after))
        try:
            for number, line in rows.lines(1, len(rows)):
                if number in removed:
                    row = StagedRow.of_json(line, number, rows.letters[number - 1])
                    writer.add(StagedRow(row.line, [], {}, letter=REMOVED if row.letter == READY else row.letter))
                else:
                    writer.add_line(line.rstrip(b"\n"), rows.capitals[number - 1])
            writer.finish()
        finally:
            writer.close()


# ---- what is old


async def _end_old(ctx: Context) -> int:
    days = ctx.settings(CrmSettings).import_undo_days

    def write(tx: Transaction) -> list[str]:
        rows = tx.execute(
            "SELECT key, id FROM crm_imports WHERE state <> 'deleted' AND updated_at < ? LIMIT ?",
            (tx.now - days * DAY_MS, BATCH),
        ).fetchall()
        for key, _ in rows:
            change_import(tx, key, state="deleted", name="", options=None)
        return [id for _, id in rows]

    return len(await ctx.write(write, repeatable=True))


async def _remove_details(ctx: Context) -> None:
    """Remove what tables hold of imports that are gone, some rows at a time; then rows of deleted imports, once they
    no longer count for a quota."""
    for table in _DETAILS:
        while await ctx.write(lambda tx, table=table: _remove_some(tx, table), repeatable=True) == BATCH:
            pass
    await ctx.write(
        lambda tx: tx.execute(
            "DELETE FROM crm_imports WHERE state = 'deleted' AND created_at < ?", (tx.now - 2 * DAY_MS,)
        ),
        repeatable=True,
    )


def _remove_some(tx: Transaction, table: str) -> int:
    key = "key" if table in ("crm_import_images", "crm_import_faults") else "import"
    first = "" if table != "crm_import_slices" else ", first"
    rows = tx.execute(
        f"DELETE FROM {table} WHERE ({key}{first}) IN (SELECT {key}{first} FROM {table} "  # noqa: S608 -- constants
        "WHERE import NOT IN (SELECT key FROM crm_imports WHERE state <> 'deleted') LIMIT ?)",
        (BATCH,),
    )
    return rows.rowcount


async def _remove_strays(ctx: Context) -> None:
    """Remove directories of imports that are gone; one without a row only after a day, as its file may be arriving."""
    found = await trio.to_thread.run_sync(_directories, ctx.directory)
    states = await ctx.read(lambda reader: _states(reader, list(found)))
    for id, age in found.items():
        if states.get(id) == "deleted" or (id not in states and age > DAY_MS / 1_000):
            await trio.to_thread.run_sync(ImportFiles.of(ctx.directory, id).remove)


async def _remove_leftovers(ctx: Context) -> None:
    """Remove what a kill or a cancelled work has left beside the files of imports: it may have erased contacts.

    The files are listed before the rows are read, so that none is of a row that is written meanwhile."""
    found = await trio.to_thread.run_sync(_present, ctx.directory)
    own = await ctx.read(lambda reader: _own_files(reader, ctx.directory))
    for id, paths in found.items():
        for path in paths if id in own else ():
            if path not in own[id]:
                await trio.to_thread.run_sync(partial(path.unlink, missing_ok=True))


def _present(plugin: Path) -> dict[str, list[Path]]:
    return {id: ImportFiles.of(plugin, id).present() for id in directories(plugin)}


def _own_files(reader: Querying, plugin: Path) -> dict[str, set[Path]]:
    """By the id of the import."""
    rows = reader.execute("SELECT id, generation, source FROM crm_imports WHERE state <> 'deleted'")
    return {id: ImportFiles.of(plugin, id).of_row(generation, source) for id, generation, source in rows.fetchall()}


def _directories(plugin: Path) -> dict[str, float]:
    """The ids of imports that have a directory, and its age in seconds."""
    now = time.time()
    return {id: now - ImportFiles.of(plugin, id).directory.stat().st_mtime for id in directories(plugin)}


def _states(reader: Querying, ids: Sequence[str]) -> dict[str, str]:
    rows = reader.execute(
        "SELECT id, state FROM crm_imports WHERE id IN (SELECT value FROM json_each(?))", (json_array(ids),)
    )
    return dict(rows.fetchall())
