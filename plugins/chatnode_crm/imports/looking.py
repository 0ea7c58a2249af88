"""Looking into a file before it is mapped: what it is, what its columns probably mean, and its first rows."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

import attrs
import trio

from chatnode.api import Context, Querying, Refusal, command, record
from chatnode_crm.contacts.fields import by_name, listed
from chatnode_crm.files.headers import IGNORE, fold
from chatnode_crm.files.mapping import BadMapping, suggest
from chatnode_crm.files.reading import FileTable, RawRow, UnreadableFile
from chatnode_crm.imports.deciding import Claims
from chatnode_crm.imports.inspecting import shown_decisions
from chatnode_crm.imports.judging import judge
from chatnode_crm.imports.layout import ImportFiles
from chatnode_crm.imports.model import (
    DetectedColumn,
    DetectedFile,
    DetectImport,
    ImportedRow,
    ImportPreview,
    PreviewImport,
)
from chatnode_crm.imports.options import FileMapping, FileReading, ImportOptions, options_of
from chatnode_crm.imports.reading import FileRowReader, open_file
from chatnode_crm.imports.rows import ImportRow, find_import
from chatnode_crm.imports.staged import StagedRow
from chatnode_crm.permissions import IMPORT
from chatnode_crm.settings import CrmSettings

SAMPLE_ROWS = 200
SAMPLES = 3
_OPTED_OUT = frozenset(("opted out", "opted out at", "opt out", "unsubscribed", "unsubscribe"))


@record(frozen=True)
class Look:
    """A file, its first rows, and the mapping that its columns suggest."""

    file: DetectedFile
    rows: list[RawRow]
    mapping: FileMapping


async def look(ctx: Context, row: ImportRow, reading: FileReading) -> Look:
    """Raises `Refusal`: `invalid` for a file that cannot be read, `gone` without it."""
    if not row.source:
        raise Refusal("gone", "the file was removed, as a contact in it was deleted; upload it again", path="import")
    options = ImportOptions(reading=reading)
    custom = await ctx.read(targets_by_header)
    path, settings = ImportFiles.of(ctx.directory, row.id).source, ctx.settings(CrmSettings)

    def read() -> Look:
        with open_file(path, options, settings) as table:
            rows = list(islice(table.rows(), SAMPLE_ROWS))
            return _looked(table, rows, custom)

    try:
        return await trio.to_thread.run_sync(read)
    except UnreadableFile as error:
        raise Refusal("invalid", str(error), path="file") from None


def targets_by_header(reader: Querying) -> dict[str, str]:
    """The targets of custom fields by the case-folded names that columns may have for them."""
    targets = [(field.name, f"custom.{field.name}") for field in listed(reader)]
    return {header.casefold(): target for name, target in targets for header in (name, target)}


def _looked(table: FileTable, rows: list[RawRow], custom: Mapping[str, str]) -> Look:
    suggestions = suggest(table.columns, [row.values for row in rows], custom)
    columns = [
        DetectedColumn(each.name, each.target, each.confidence, _samples(rows, each.column)) for each in suggestions
    ]
    opted_out = next(
        (each.name for each in suggestions if each.target == IGNORE and fold(each.name) in _OPTED_OUT), None
    )
    file = DetectedFile(
        table.kind, table.header, columns, encoding=table.encoding, delimiter=table.delimiter, sheet=table.sheet,
        sheets=list(table.sheets) or None, notes=list(table.notes) or None,
    )  # fmt: skip
    return Look(file, rows, FileMapping(columns=[each.target for each in suggestions], opted_out=opted_out))


def _samples(rows: list[RawRow], column: int) -> list[str]:
    found = (text[:100] for row in rows if (text := row.values[column].strip()))
    return [each.encode("utf-8", "replace").decode() for each in islice(dict.fromkeys(found), SAMPLES)]


def options_so_far(row: ImportRow) -> ImportOptions:
    return ImportOptions() if row.options is None else options_of(row.options)


@command("crm.imports.detect", permission=IMPORT, reads=True)
async def detect(ctx: Context, asked: DetectImport) -> DetectedFile:
    """What a file is, and what its columns probably are, by their names and their first rows."""
    row = await ctx.read(lambda reader: find_import(reader, ctx, asked.import_))
    return (await look(ctx, row, asked.reading or options_so_far(row).reading)).file


@command("crm.imports.preview", permission=IMPORT, reads=True)
async def preview(ctx: Context, asked: PreviewImport) -> ImportPreview:
    """The first rows of a file as they would be imported now, with the given options, or those that are stored, or
    those that its columns suggest."""
    row = await ctx.read(lambda reader: find_import(reader, ctx, asked.import_))
    before = options_so_far(row)
    looked = await look(ctx, row, asked.reading or before.reading)
    mapping = asked.mapping or (before.mapping if before.mapping.columns else looked.mapping)
    options = attrs.evolve(before, mapping=mapping, policies=asked.policies or before.policies)
    rows = await _read_rows(ctx, row, options, ctx.page_size(asked.limit))

    def decide(reader: Querying) -> list[ImportedRow]:
        judged = judge(reader, rows, options.policies, Claims({}), row.created_at)
        return shown_decisions(reader, judged, options.policies)

    return ImportPreview(mapping, await ctx.read(decide))


async def _read_rows(ctx: Context, row: ImportRow, options: ImportOptions, limit: int) -> list[StagedRow]:
    custom, settings = await ctx.read(by_name), ctx.settings(CrmSettings)
    path = ImportFiles.of(ctx.directory, row.id).source

    def read() -> list[StagedRow]:
        with open_file(path, options, settings) as table:
            reader = FileRowReader(options, table, custom, settings.phone_region or None)
            return [attrs.evolve(reader.read(raw), number=raw.number) for raw in islice(table.rows(), limit)]

    try:
        return await trio.to_thread.run_sync(read)
    except UnreadableFile as error:
        raise Refusal("invalid", str(error), path="file") from None
    except BadMapping as error:
        raise Refusal("invalid", str(error), path=f"mapping.{error.path}") from None


COMMANDS = (detect, preview)
