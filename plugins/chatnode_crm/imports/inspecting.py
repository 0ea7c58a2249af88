"""Rows of an import, page by page, and the file of those that were not imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import trio

from chatnode.api import Context, Querying, Refusal, command, rfc3339
from chatnode_crm.contacts.values import FieldFault
from chatnode_crm.imports.deciding import OPTED_OUT_AT, Claims
from chatnode_crm.imports.judging import Judged, judge
from chatnode_crm.imports.layout import ImportFiles, rows_gone
from chatnode_crm.imports.list_warnings import passed_over
from chatnode_crm.imports.model import FaultInfo, ImportedRow, ImportRowPage, ListImportRows
from chatnode_crm.imports.options import ImportPolicies
from chatnode_crm.imports.progress import MEANING, applied_rows, faults_of, kept_rows, letters_of
from chatnode_crm.imports.rows import ImportRow, find_import
from chatnode_crm.imports.setup import stored_options
from chatnode_crm.imports.staged import READY, StagedRow, StagedRows, numbers_with
from chatnode_crm.permissions import IMPORT


async def open_staged(ctx: Context, row: ImportRow) -> StagedRows:
    """The rows of an import. Raises `Refusal`: `conflict` before they are staged, `unavailable` while others replace
    them, `gone` if they are not on the disk, as after a restore: backups do not have them."""
    generation, files = row.generation, ImportFiles.of(ctx.directory, row.id)
    if generation is None:
        raise Refusal("conflict", "the rows are not read yet; start crm.imports.plan first", path="import")
    try:
        return await trio.to_thread.run_sync(lambda: StagedRows(files.rows(generation), files.index(generation)))
    except FileNotFoundError:
        now = await ctx.read(lambda reader: find_import(reader, ctx, row.id))
        if now.generation != generation:
            raise Refusal("unavailable", "the rows are being replaced; try again", retry_after=1) from None
        raise rows_gone() from None


@command("crm.imports.rows", permission=IMPORT, reads=True)
async def list_rows(ctx: Context, asked: ListImportRows) -> ImportRowPage:
    """Rows of an import in the order of the file, with what became of them, or would become of them now."""
    limit = ctx.page_size(asked.limit)
    row = await ctx.read(lambda reader: find_import(reader, ctx, asked.import_))
    with await open_staged(ctx, row) as staged:
        letters = await ctx.read(lambda reader: letters_of(reader, row, staged.letters))
        if asked.verdict == "kept":
            numbers = await ctx.read(lambda reader: kept_rows(reader, row.key, asked.after, limit))
        else:
            wanted = "".join(letter for letter, verdict in MEANING.items() if asked.verdict in (None, verdict))
            numbers = list(numbers_with(letters, wanted, asked.after, limit))
        rows = await trio.to_thread.run_sync(staged.pick, numbers)
    shown = await ctx.read(lambda reader: _shown(reader, row, rows, letters, kept=asked.verdict == "kept"))
    return ImportRowPage(shown, numbers[-1] if len(numbers) == limit else None)


def _shown(
    reader: Querying, row: ImportRow, rows: Sequence[StagedRow], letters: str, *, kept: bool
) -> list[ImportedRow]:
    faults = faults_of(reader, row.key, [each.number for each in rows], undoing=kept)
    done = applied_rows(reader, row.key)
    waiting = [each for each in rows if each.number > done and each.letter == READY]
    policies = stored_options(row).policies
    judged = judge(reader, waiting, policies, Claims({}), row.created_at)
    decided = {each.row: each for each in shown_decisions(reader, judged, policies)}
    shown: list[ImportedRow] = []
    for each in rows:
        fault = faults.get(each.number)
        one = decided.get(each.number) or shown_row(each, [] if fault is None else [fault])
        one.verdict = MEANING[letters[each.number - 1]]
        shown.append(one)
    return shown


def shown_decisions(reader: Querying, judged: Sequence[Judged], policies: ImportPolicies) -> list[ImportedRow]:
    """Rows, and what becomes of them."""
    warnings = dict(passed_over(reader, judged, policies))
    return [_shown_decision(each, warnings.get(each.row.number)) for each in judged]


def _shown_decision(judged: Judged, warning: FieldFault | None) -> ImportedRow:
    row, decision = judged.row, judged.decision
    fault = decision.fault if decision.fault is not None and decision.fault not in row.faults else None
    shown = shown_row(row, [each for each in (fault, warning) if each is not None])
    shown.verdict = decision.verdict
    shown.changes = _shown_values(decision.changes) or None
    return shown


def shown_row(row: StagedRow, more: Sequence[FieldFault]) -> ImportedRow:
    """A row as its file has it, with further faults."""
    faults = [FaultInfo(each.field, each.code, each.message, each.warning or None) for each in (*row.faults, *more)]
    values = _shown_values(row.values)
    return ImportedRow(row.number, row.line, MEANING[row.letter], row.raw, values, row.tags, faults or None)


def _shown_values(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: rfc3339(value) if name == OPTED_OUT_AT else value for name, value in values.items()}


COMMANDS = (list_rows,)
