"""What becomes of imports that are old, deleted, or name a contact that is deleted."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import attrs
import trio

from chatnode.api import DAY_MS, Context, Querying, Refusal, Row, Transaction, counted, json_array, new_id, record
from chatnode_crm.contacts.earlier import earlier_names
from chatnode_crm.contacts.values import email_key
from chatnode_crm.files.mapping import addresses_in, suggest
from chatnode_crm.files.reading import FileTable, UnreadableFile
from chatnode_crm.imports.layout import ImportFiles, directories
from chatnode_crm.imports.options import ImportOptions, options_of
from chatnode_crm.imports.reading import open_file
from chatnode_crm.imports.rows import ImportRow, change_import, import_by_id, imports_with_files
from chatnode_crm.imports.staged import READY, REMOVED, StagedRow, StagedRows, StagedWriter
from chatnode_crm.settings import CrmSettings

BATCH = 1_000
_DETAILS = ("crm_import_slices", "crm_import_images", "crm_import_faults", "crm_import_plans")


def forget_contacts(tx: Transaction, keys: Sequence[int]) -> None:
    """Remove what imports hold of contacts that are being deleted: before-images now, staged rows soon after."""
    many = json_array(keys)
    tx.execute("DELETE FROM crm_import_images WHERE contact IN (SELECT value FROM json_each(?))", (many,))
    if tx.execute("SELECT 1 FROM crm_imports WHERE state <> 'deleted' LIMIT 1").fetchone() is None:
        return
    tx.execute(
        "INSERT INTO crm_import_names (contact, email_key, external_id, at) "
        "SELECT key, email_key, external_id, ? FROM crm_contacts WHERE key IN (SELECT value FROM json_each(?))",
        (tx.now, many),
    )
    earlier = earlier_names(tx, keys)
    tx.executemany(
        "INSERT INTO crm_import_names (contact, email_key, external_id, at) VALUES (?, ?, ?, ?)",
        [(key, email, None, tx.now) for key, email in earlier.emails]
        + [(key, None, external_id, tx.now) for key, external_id in earlier.external_ids],
    )


async def wake_cleanup(ctx: Context, rows: Sequence[Row]) -> None:
    """Contacts were deleted; their staged rows follow."""
    ctx.wake("imports")


async def clean_up_imports(ctx: Context) -> str | None:
    """Remove the rows of deleted contacts, then imports that are deleted or old, and what is left of them."""
    removed = await _remove_rows(ctx)
    ended = await _end_old(ctx)
    await _remove_details(ctx)
    await _remove_strays(ctx)
    if not removed and not ended:
        return None
    return f"removed {counted(removed, 'row')} of deleted contacts and {counted(ended, 'old import')}"


# ---- rows of contacts that were deleted


@record(frozen=True)
class _Forgotten:
    """Contacts that were deleted, and when, by the names that they had."""

    contacts: list[int]
    emails: dict[str, int]
    external: dict[str, int]

    def has(self, row: StagedRow, since: int) -> bool:
        """Whether it is of a contact that was deleted after that, or has an address of one in any cell."""
        email, external = row.values.get("email_key") or "", row.values.get("external_id") or ""
        return self.names(email, external, since) or self.are_in(row.raw, since)

    def names(self, email_key: str, external_id: str, since: int) -> bool:
        return max(self.emails.get(email_key, -1), self.external.get(external_id, -1)) >= since

    def are_in(self, cells: Sequence[str], since: int) -> bool:
        """Whether an address is in some cell."""
        found = addresses_in("\n".join(cells))
        return any(self.emails.get(email_key(address), -1) >= since for address in found)


async def _remove_rows(ctx: Context) -> int:
    forgotten = await ctx.read(_read_forgotten)
    if not forgotten.contacts:
        return 0
    removed = 0
    for row in await ctx.read(imports_with_files):
        removed += await _remove_from(ctx, row.id, forgotten)
    await ctx.write(
        lambda tx: tx.execute(
            "DELETE FROM crm_import_names WHERE contact IN (SELECT value FROM json_each(?))",
            (json_array(forgotten.contacts),),
        ),
        repeatable=True,
    )
    return removed


def _read_forgotten(reader: Querying) -> _Forgotten:
    rows = reader.execute("SELECT contact, email_key, external_id, at FROM crm_import_names ORDER BY at").fetchall()
    return _Forgotten(
        list({contact for contact, _, _, _ in rows}),
        {email: at for _, email, _, at in rows if email is not None},
        {external: at for _, _, external, at in rows if external is not None},
    )


async def _remove_from(ctx: Context, id: str, forgotten: _Forgotten) -> int:
    """Remove contacts from the files of an import; again if it is staged or mapped meanwhile."""
    while (row := await _import_now(ctx, id)) is not None:
        part = _remove_source if row.generation is None else _remove_staged
        removed = await part(ctx, row, forgotten)
        if removed is not None:
            return removed
    return 0


async def _import_now(ctx: Context, id: str) -> ImportRow | None:
    """None if it was deleted."""
    try:
        return await ctx.read(lambda reader: import_by_id(reader, id))
    except Refusal:
        return None


async def _remove_source(ctx: Context, row: ImportRow, forgotten: _Forgotten) -> int | None:
    """Remove a file that was not staged if it has one of the contacts, or cannot be read. Returns None if the import
    was staged meanwhile."""
    if not row.source or not await trio.to_thread.run_sync(_has_anyone, ctx, row, forgotten):
        return 0
    done = await ctx.write(
        lambda tx: tx.execute("UPDATE crm_imports SET source = 0 WHERE key = ? AND generation IS NULL", (row.key,)),
        repeatable=True,
    )
    if not done.rowcount:
        return None
    await trio.to_thread.run_sync(ImportFiles.of(ctx.directory, row.id).remove_source)
    return 1


def _has_anyone(ctx: Context, row: ImportRow, forgotten: _Forgotten) -> bool:
    """Whether a file that was not staged has one of the contacts. All sheets of a workbook are read."""
    settings = attrs.evolve(ctx.settings(CrmSettings), import_rows=0)
    options = ImportOptions() if row.options is None else options_of(row.options)
    path = ImportFiles.of(ctx.directory, row.id).source
    try:
        with open_file(path, options, settings) as table:
            sheets = table.sheets or (None,)
        for sheet in sheets:
            reading = attrs.evolve(options.reading, sheet=sheet or options.reading.sheet)
            with open_file(path, attrs.evolve(options, reading=reading), settings) as table:
                if _is_in(table, options.mapping.columns, forgotten, row.created_at):
                    return True
    except FileNotFoundError:
        return False
    except UnreadableFile:
        return True
    return False


def _is_in(table: FileTable, targets: Sequence[str], forgotten: _Forgotten, since: int) -> bool:
    if len(targets) != len(table.columns):
        targets = [each.target for each in suggest(table.columns)]
    at = targets.index("external_id") if "external_id" in targets else None
    return any(
        forgotten.names("", "" if at is None else row.values[at].strip(), since) or forgotten.are_in(row.values, since)
        for row in table.rows()
    )


async def _remove_staged(ctx: Context, row: ImportRow, forgotten: _Forgotten) -> int | None:
    """Replace the staged rows by others without those of the contacts; and the file, which has them too, goes. Returns
    None if they were replaced meanwhile."""
    files, before, after = ImportFiles.of(ctx.directory, row.id), str(row.generation), new_id()[:8]
    try:
        removed = await trio.to_thread.run_sync(_copy_without, row, files, after, forgotten)
    except FileNotFoundError:
        now = await _import_now(ctx, row.id)
        return 0 if now is None or now.generation == before else None  # they are gone after a restore
    if not removed:
        return 0

    def write(tx: Transaction) -> bool:
        done = tx.execute(
            "UPDATE crm_imports SET generation = ?, source = 0 WHERE key = ? AND generation = ?",
            (after, row.key, before),
        )
        return done.rowcount == 1

    if not await ctx.write(write, repeatable=True):
        await trio.to_thread.run_sync(files.remove_rows, after)
        return None
    await trio.to_thread.run_sync(files.keep_only, after)
    await trio.to_thread.run_sync(files.remove_source)
    return removed


def _copy_without(import_: ImportRow, files: ImportFiles, after: str, forgotten: _Forgotten) -> int:
    removed, before = 0, str(import_.generation)
    with StagedRows(files.rows(before), files.index(before)) as rows:
        writer = StagedWriter(files.rows(after), files.index(after))
        try:
            for number, line in rows.lines(1, len(rows)):
                row = StagedRow.of_json(line, number, rows.letters[number - 1])
                if forgotten.has(row, import_.created_at):
                    writer.add(StagedRow(row.line, [], {}, letter=REMOVED if row.letter == READY else row.letter))
                    removed += 1
                else:
                    writer.add_line(line.rstrip(b"\n"), rows.capitals[number - 1])
            writer.finish()
        finally:
            writer.close()
    return removed


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


def _directories(plugin: Path) -> dict[str, float]:
    """The ids of imports that have a directory, and its age in seconds."""
    now = time.time()
    return {id: now - ImportFiles.of(plugin, id).directory.stat().st_mtime for id in directories(plugin)}


def _states(reader: Querying, ids: Sequence[str]) -> dict[str, str]:
    rows = reader.execute(
        "SELECT id, state FROM crm_imports WHERE id IN (SELECT value FROM json_each(?))", (json_array(ids),)
    )
    return dict(rows.fetchall())
