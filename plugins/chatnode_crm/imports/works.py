"""The stages that take long, as durable work: reading the file, planning, applying and undoing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from operator import ne
from typing import Any

import trio

from chatnode.api import Context, Refusal, Transaction, Work, WorkKind, record
from chatnode_crm.imports.applying import ApplySetup, apply_rows
from chatnode_crm.imports.deciding import Claims
from chatnode_crm.imports.judging import count_memberships, count_verdicts, judge
from chatnode_crm.imports.layout import ImportFiles, rows_gone
from chatnode_crm.imports.list_warnings import passed_over
from chatnode_crm.imports.options import permissions_of
from chatnode_crm.imports.progress import applied_rows, planned_letters, save_plan
from chatnode_crm.imports.rows import ImportRow, change_import, import_by_id
from chatnode_crm.imports.setup import find_setup, stored_options
from chatnode_crm.imports.staged import StagedRow, StagedRows
from chatnode_crm.imports.staging import stage
from chatnode_crm.imports.undoing import UndoSetup, left_to_undo, undo_some
from chatnode_crm.permissions import IMPORT
from chatnode_crm.requester import check_owner

PLAN_ROWS = 250
"""Rows that are planned at a time: a read of some milliseconds."""
MOST_ROWS = 1_000
"""The longest slice, while nobody else writes."""
NOTED_ROWS = 5_000
"""After so many planned rows the progress is stored."""


@record(frozen=True)
class _Opened:
    """An import whose rows are staged."""

    row: ImportRow
    setup: ApplySetup
    rows: StagedRows
    planned: str
    """The letters of the plan, if there is one."""

    async def read(self, first: int, count: int) -> list[StagedRow]:
        return await trio.to_thread.run_sync(self.rows.read, first, count)


async def _open(ctx: Context, work: Work) -> _Opened:
    """Stage the rows, if they are not."""
    while True:
        row = await ctx.read(lambda reader: import_by_id(reader, work.arguments["import"]))
        await check_owner(ctx, work, IMPORT, *permissions_of(stored_options(row)))
        if row.generation is None:
            row = await stage(ctx, work, row)
        rows = await _open_rows(ctx, row)
        if rows is not None:
            break
    try:
        setup, planned = await ctx.read(lambda reader: (find_setup(reader, row), planned_letters(reader, row.key)))
    except BaseException:
        rows.close()
        raise
    return _Opened(row, setup, rows, planned)


async def _open_rows(ctx: Context, row: ImportRow) -> StagedRows | None:
    """None if there are others by now, as when those of a deleted contact were removed. Raises `Refusal`."""
    files, generation = ImportFiles.of(ctx.directory, row.id), str(row.generation)
    try:
        return await trio.to_thread.run_sync(lambda: StagedRows(files.rows(generation), files.index(generation)))
    except FileNotFoundError:
        now = await ctx.read(lambda reader: import_by_id(reader, row.id))
        if now.generation != row.generation:
            return None
        raise rows_gone() from None  # after a restore: files of imports are in no backup


# ---- planning


async def run_plan(ctx: Context, work: Work) -> Mapping[str, Any]:
    """The dry run. It stores nothing before its end, and is done from the start again after a kill."""
    opened = await _open(ctx, work)
    with opened.rows:
        claims, counts, letters = Claims({}), Counter[str](), list[str]()
        for first in range(1, len(opened.rows) + 1, PLAN_ROWS):
            rows = await opened.read(first, PLAN_ROWS)
            letters += await ctx.read(partial(_plan, opened.setup, rows, claims, counts))
            if first // NOTED_ROWS != (first + PLAN_ROWS) // NOTED_ROWS:
                await work.write(partial(_note, work, first, len(opened.rows)))
        await work.write(partial(_save_plan, work, opened.row, "".join(letters), dict(counts)))
    return dict(counts)


def _plan(setup: ApplySetup, rows: Sequence[StagedRow], claims: Claims, counts: Counter[str], reader: Any) -> list[str]:
    judged = judge(reader, rows, setup.policies, claims, setup.since)
    counts.update(count_verdicts(judged))
    counts.update(count_memberships(reader, judged, setup.policies, setup.list_key, setup.tags))
    counts["passed_over"] += len(passed_over(reader, judged, setup.policies))
    return [each.letter for each in judged]


def _note(work: Work, done: int, total: int, tx: Transaction) -> None:
    work.note(tx, done=done, total=total)


def _save_plan(work: Work, row: ImportRow, letters: str, counts: Mapping[str, int], tx: Transaction) -> None:
    if import_by_id(tx, row.id).generation != row.generation:
        raise Refusal("conflict", "the import was changed while it was planned; plan it again")
    save_plan(tx, row.key, letters)
    change_import(tx, row.key, state="planned", plan=counts)
    work.note(tx, done=len(letters), total=len(letters))


# ---- applying


async def run_apply(ctx: Context, work: Work) -> Mapping[str, Any]:
    """Apply the rows that were not applied yet; each slice says in its own transaction how far the import is.

    When rows of deleted contacts are removed meanwhile, it goes on with the files that are without them.
    """
    while True:
        opened = await _open(ctx, work)
        with opened.rows:
            if await _apply_all(ctx, work, opened):
                return await work.write(partial(_finish, opened.row))


async def _apply_all(ctx: Context, work: Work, opened: _Opened) -> bool:
    """Returns False when there are other files."""
    done = await ctx.read(lambda reader: applied_rows(reader, opened.row.key))
    for size in work.slices(MOST_ROWS):
        rows = await opened.read(done + 1, size)
        if not rows:
            break
        if not await work.write(partial(_apply, work, opened, rows)):
            return False
        done += len(rows)
    return True


def _apply(work: Work, opened: _Opened, rows: Sequence[StagedRow], tx: Transaction) -> bool:
    row = _applying(tx, opened.row)
    if row.generation != opened.row.generation:
        return False
    applied = apply_rows(tx, opened.setup, rows)
    counts = Counter(row.counts or {})
    counts.update(applied.counts)
    planned = opened.planned[rows[0].number - 1 : rows[-1].number]
    counts["replanned"] += sum(map(ne, planned, applied.letters))
    change_import(tx, row.key, counts=counts)
    work.note(tx, done=rows[-1].number, total=len(opened.rows))
    return True


def _applying(tx: Transaction, row: ImportRow) -> ImportRow:
    """Raises `Refusal` when the import was deleted, or is being undone."""
    now = import_by_id(tx, row.id)
    if now.state != "applying":
        raise Refusal("conflict", f"the import is {now.state}")
    return now


def _finish(row: ImportRow, tx: Transaction) -> Mapping[str, Any]:
    now = _applying(tx, row)
    change_import(tx, row.key, state="applied", applied_at=tx.now)
    return now.counts or {}


# ---- undoing


async def run_undo(ctx: Context, work: Work) -> Mapping[str, Any]:
    """Put back what is left to be put back."""
    row = await ctx.read(lambda reader: import_by_id(reader, work.arguments["import"]))
    await check_owner(ctx, work, IMPORT)
    undo = UndoSetup(row.key, work.owner)
    total = work.done + await ctx.read(lambda reader: left_to_undo(reader, row.key))
    for size in work.slices(MOST_ROWS):
        if not await work.write(partial(_undo, work, row, undo, size, total)):
            break
    done = await work.write(partial(_undone, work, row, total))
    ctx.wake("lists_sweep")
    return done


def _undo(work: Work, row: ImportRow, undo: UndoSetup, most: int, total: int, tx: Transaction) -> bool:
    counts = undo_some(tx, undo, most)
    if counts is None:
        return False
    counts.update(import_by_id(tx, row.id).undone or {})
    change_import(tx, row.key, undone=counts)
    work.note(tx, done=min(total, work.done + most), total=total)
    return True


def _undone(work: Work, row: ImportRow, total: int, tx: Transaction) -> Mapping[str, Any]:
    change_import(tx, row.key, state="undone")
    work.note(tx, done=total, total=total)
    return import_by_id(tx, row.id).undone or {}


PLAN = WorkKind("import_plan", run_plan, "Check an import")
APPLY = WorkKind("import_apply", run_apply, "Import contacts")
UNDO = WorkKind("import_undo", run_undo, "Undo an import")
WORKS = (PLAN, APPLY, UNDO)
TITLES = {kind.name: kind.title for kind in WORKS}
