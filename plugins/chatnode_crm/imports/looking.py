"""Looking into a file before it is mapped: what it is, what its columns probably mean, and its first rows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import islice

import attrs
import trio

from chatnode.api import Context, Querying, Refusal, command, record
from chatnode_crm.contacts.fields import FieldRow, by_name, listed
from chatnode_crm.files.headers import ERROR_COLUMNS, IGNORE
from chatnode_crm.files.mapping import (
    BadMapping,
    DecimalSign,
    FoundConsent,
    Suggestion,
    decimal_sign,
    find_consent,
    suggest,
)
from chatnode_crm.files.reading import FileTable, RawRow, UnreadableFile
from chatnode_crm.imports.custom import PREFIX
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
from chatnode_crm.imports.reading import FileRowReader, column_named, open_file
from chatnode_crm.imports.rows import ImportRow, check_source, find_import
from chatnode_crm.imports.staged import StagedRow
from chatnode_crm.permissions import IMPORT
from chatnode_crm.settings import CrmSettings

SAMPLE_ROWS = 200
SAMPLES = 3


@record(frozen=True)
class Look:
    """A file, its first rows, and the mapping that its columns suggest. `numbers` are the targets of number fields."""

    file: DetectedFile
    rows: list[RawRow]
    mapping: FileMapping
    numbers: Collection[str]

    @property
    def names(self) -> list[str]:
        """Of the columns."""
        return [each.name for each in self.file.columns]

    def completed(self, given: FileMapping | None, before: FileMapping) -> FileMapping:
        """With what was said before, or else the file suggests, for what is not given. Raises `Refusal`."""
        opted_out = None if given is None else given.opted_out
        if opted_out is None:
            opted_out = before.opted_out if self._has(before.opted_out) else self.mapping.opted_out
        elif not self._has(opted_out):
            raise Refusal("invalid", "the file has no such column", path="mapping.opted_out")
        given = given or before
        columns = self._fitted(given.columns) if given.columns else self.mapping.columns
        decimal = given.decimal or _decimal_sign(self.rows, columns, self.numbers)
        return attrs.evolve(given, columns=columns, opted_out=opted_out, decimal=decimal)

    def _has(self, opted_out: str | None) -> bool:
        """Whether it is a column, or says that there is none."""
        return opted_out is not None and (not opted_out or column_named(opted_out, self.names) is not None)

    def _fitted(self, columns: list[str]) -> list[str]:
        """The targets of all columns: those of a file of errors are not among those of its import."""
        names = self.names
        more = len(ERROR_COLUMNS)
        if len(columns) == len(names) - more and names[-more:] == list(ERROR_COLUMNS):
            return [*columns, *[IGNORE] * more]
        if len(columns) != len(names):
            count = len(columns)
            raise Refusal("invalid", f"{count} targets, but the file has {len(names)} columns", path="mapping.columns")
        return columns


async def look(ctx: Context, row: ImportRow, reading: FileReading) -> Look:
    """The column of opt-outs is the one that was chosen for the import, if the file has it. Raises `Refusal`: `invalid`
    for a file that cannot be read, `gone` without it."""
    check_source(row, "import")
    options = ImportOptions(reading=reading)
    custom, opted_out = await ctx.read(listed), options_so_far(row).mapping.opted_out
    path, settings = ImportFiles.of(ctx.directory, row.id).source, ctx.settings(CrmSettings)

    def read() -> Look:
        with open_file(path, options, settings) as table:
            rows = list(islice(table.rows(), SAMPLE_ROWS))
            return _looked(table, rows, custom, opted_out)

    try:
        return await trio.to_thread.run_sync(read)
    except UnreadableFile as error:
        raise Refusal("invalid", str(error), path="file") from None


def _looked(table: FileTable, rows: list[RawRow], custom: Sequence[FieldRow], opted_out: str | None) -> Look:
    targets = {header.casefold(): PREFIX + each.name for each in custom for header in (each.name, PREFIX + each.name)}
    suggestions = suggest(table.columns, [row.values for row in rows], targets)
    consent = _find_consent(table, rows, suggestions, opted_out)
    mapping = FileMapping(
        columns=[each.sure for each in suggestions],
        opted_out=None if consent.column is None else table.columns[consent.column],
    )
    numbers = frozenset(PREFIX + each.name for each in custom if each.kind == "number")
    columns = [
        DetectedColumn(each.name, each.target, each.confidence, _samples(rows, each.column)) for each in suggestions
    ]
    file = DetectedFile(
        table.kind, table.header, columns, encoding=table.encoding, delimiter=table.delimiter, sheet=table.sheet,
        sheets=list(table.sheets) or None, opted_out=mapping.opted_out,
        decimal=_decimal_sign(rows, mapping.columns, numbers),
        notes=[*table.notes, *_unsure(suggestions), *consent.notes] or None,
    )  # fmt: skip
    return Look(file, rows, mapping, numbers)


def _find_consent(
    table: FileTable, rows: list[RawRow], suggestions: Sequence[Suggestion], opted_out: str | None
) -> FoundConsent:
    """`opted_out` was chosen: a column, or none for an empty text."""
    if opted_out == "":
        return FoundConsent(None, [])
    cells = [_cells(rows, at) for at in range(len(table.columns))]
    free = [each.target == IGNORE and each.name not in ERROR_COLUMNS for each in suggestions]
    return find_consent(table.columns, cells, free, column_named(opted_out or "", table.columns))


def _unsure(suggestions: Sequence[Suggestion]) -> Iterator[str]:
    for each in suggestions:
        if each.sure != each.target:
            yield f"{each.name[:80]!r} may be {each.target}; it is ignored unless you map it"


def _decimal_sign(rows: Sequence[RawRow], columns: Sequence[str], numbers: Collection[str]) -> DecimalSign | None:
    """The comma, if some numbers of the first rows have it before decimals, and none has a point there."""
    places = [at for at, target in enumerate(columns) if target in numbers]
    found = {decimal_sign(row.values[at]) for row in rows for at in places} - {None}
    return "," if found == {","} else None


def _cells(rows: Sequence[RawRow], column: int) -> list[str]:
    return [text for row in rows if (text := row.values[column].strip())]


def _samples(rows: list[RawRow], column: int) -> list[str]:
    found = (text[:100] for text in _cells(rows, column))
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
    mapping = looked.completed(asked.mapping, before.mapping)
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
