"""What becomes of imports that are old, deleted, or name a contact that is deleted."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import trio

from chatnode.api import DAY_MS, Context, Querying, Row, Transaction, counted, json_array, new_id, record
from chatnode_crm.imports.layout import ImportFiles, directories
from chatnode_crm.imports.rows import ImportRow, change_import, staged_imports
from chatnode_crm.imports.staged import HEIR, READY, REMOVED, StagedRow, StagedRows, StagedWriter
from chatnode_crm.settings import CrmSettings

BATCH = 1_000
_DETAILS = ("crm_import_slices", "crm_import_images", "crm_import_faults", "crm_import_plans")


def forget_contacts(tx: Transaction, keys: Sequence[int]) -> None:
    """Remove what imports hold of contacts that are being deleted: before-images now, staged rows soon after."""
    tx.execute("DELETE FROM crm_import_images WHERE contact IN (SELECT value FROM json_each(?))", (json_array(keys),))
    tx.execute(
        "INSERT INTO crm_import_forgotten (contact, email_key, external_id, at) "
        "SELECT key, email_key, external_id, ? FROM crm_contacts WHERE key IN (SELECT value FROM json_each(?)) "
        "AND EXISTS (SELECT 1 FROM crm_imports WHERE state <> 'deleted') ON CONFLICT (contact) DO NOTHING",
        (tx.now, json_array(keys)),
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
    """Contacts that were deleted, and when."""

    contacts: list[int]
    emails: dict[str, int]
    external: dict[str, int]

    def has(self, row: StagedRow, since: int) -> bool:
        """Whether it is of a contact that was deleted after that."""
        email, external = row.values.get("email_key") or "", row.values.get("external_id") or ""
        return max(self.emails.get(email, -1), self.external.get(external, -1)) >= since


async def _remove_rows(ctx: Context) -> int:
    forgotten = await ctx.read(_read_forgotten)
    if not forgotten.contacts:
        return 0
    removed = 0
    for row in await ctx.read(staged_imports):
        removed += await _remove_from(ctx, row, forgotten)
    await ctx.write(
        lambda tx: tx.execute(
            "DELETE FROM crm_import_forgotten WHERE contact IN (SELECT value FROM json_each(?))",
            (json_array(forgotten.contacts),),
        ),
        repeatable=True,
    )
    return removed


def _read_forgotten(reader: Querying) -> _Forgotten:
    rows = reader.execute("SELECT contact, email_key, external_id, at FROM crm_import_forgotten").fetchall()
    return _Forgotten(
        [contact for contact, _, _, _ in rows],
        {email: at for _, email, _, at in rows if email is not None},
        {external: at for _, _, external, at in rows if external is not None},
    )


async def _remove_from(ctx: Context, row: ImportRow, forgotten: _Forgotten) -> int:
    """Replace the staged rows by others without those of the contacts; and the file, which has them too, goes."""
    files, before, after = ImportFiles.of(ctx.directory, row.id), row.generation, new_id()[:8]
    if before is None:
        return 0
    removed = await trio.to_thread.run_sync(_copy_without, row, files, after, forgotten)
    if not removed:
        return 0

    def write(tx: Transaction) -> bool:
        done = tx.execute(
            "UPDATE crm_imports SET generation = ?, source = 0 WHERE key = ? AND generation = ?",
            (after, row.key, before),
        )
        return done.rowcount == 1

    replaced = await ctx.write(write, repeatable=True)
    await trio.to_thread.run_sync(files.keep_only, after if replaced else before)
    if replaced:
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
                    writer.add(
                        StagedRow(row.line, [], {}, letter=REMOVED if row.letter in (READY, HEIR) else row.letter)
                    )
                    removed += 1
                else:
                    writer.add_line(line.rstrip(b"\n"), row.letter)
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
