"""Reading a file once: its rows as they are, their values, and what can be said of them without asking the tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from time import perf_counter

import attrs
import trio

from chatnode.api import Context, Refusal, Transaction, Work, record
from chatnode_crm.contacts.completing import additions
from chatnode_crm.contacts.fields import FieldRow, by_name
from chatnode_crm.contacts.values import FieldFault, Rules
from chatnode_crm.files.mapping import BadMapping
from chatnode_crm.files.reading import UnreadableFile
from chatnode_crm.imports.deciding import OPTED_OUT, key_of, unique_fields
from chatnode_crm.imports.layout import ImportFiles
from chatnode_crm.imports.options import ImportOptions
from chatnode_crm.imports.progress import forget_results
from chatnode_crm.imports.reading import FileRowReader, open_file
from chatnode_crm.imports.receiving import disk_full
from chatnode_crm.imports.rows import ImportRow, change_import, check_source, import_by_id
from chatnode_crm.imports.setup import stored_options
from chatnode_crm.imports.staged import DUPLICATE, READY, StagedRow, StagedWriter
from chatnode_crm.settings import CrmSettings

STEP_SECONDS = 0.01
"""How long a step takes: those who post may wait for it, as may pausing and cancelling."""
STEP_ROWS = 500
"""Maximum number of rows of a step, which other plugins complete together."""
ROOM_BYTES = 1 << 22
"""What a step may write, with room to spare."""
REST = 2.0
"""How long it rests for each second of work while others write."""


class Stager:
    """Stages a file, some rows at a time. It blocks, and runs in one thread at a time. Raises `UnreadableFile`."""

    def __init__(
        self, files: ImportFiles, generation: str, options: ImportOptions, settings: CrmSettings,
        custom: Mapping[str, FieldRow],
    ) -> None:  # fmt: skip
        """Raises `BadMapping`, too."""
        self._seen: dict[tuple[str, str], int] = {}
        """Which row is the first about a contact, by what contacts are found by."""
        self._opted_out: set[tuple[str, str]] = set()
        self._policies = options.policies
        with ExitStack() as stack:
            table = stack.enter_context(open_file(files.source, options, settings))
            self._reader = FileRowReader(options, table, custom, settings.phone_region or None)
            self._writer = StagedWriter(files.rows(generation), files.index(generation))
            stack.callback(self._writer.close)
            self._rows = table.rows()
            self.columns = list(table.columns)
            self._stack = stack.pop_all()

    def read(self) -> list[StagedRow]:
        """The next rows; none at the end."""
        until = perf_counter() + STEP_SECONDS
        found: list[StagedRow] = []
        for raw in self._rows:
            found.append(self._checked(self._reader.read(raw), raw.number))
            if len(found) >= STEP_ROWS or perf_counter() > until:
                break
        return found

    def write(self, rows: Sequence[StagedRow]) -> None:
        for row in rows:
            self._writer.add(row)

    def finish(self) -> None:
        self._writer.finish(number for key in self._opted_out if (number := self._seen.get(key)) is not None)

    @property
    def count(self) -> int:
        """How many rows were written."""
        return self._writer.count

    def _checked(self, row: StagedRow, number: int) -> StagedRow:
        """With duplicates in the file found: the first valid row counts. But of opting out, every row is believed."""
        key = key_of(row.values, self._policies)
        if key is not None and row.values.get(OPTED_OUT):
            self._opted_out.add(key)
        if row.letter != READY or key is None:
            return row
        first = self._seen.setdefault(key, number)
        if first == number:
            other = unique_fields(self._policies)[1]
            if value := row.values.get(other):
                self._seen.setdefault((other, value), number)
            return row
        field = key[0].removesuffix("_key")
        fault = FieldFault(field, "duplicate", f"row {first} has the same {field}")
        return attrs.evolve(row, letter=DUPLICATE, faults=[*row.faults, fault])

    def close(self) -> None:
        self._stack.close()


async def stage(ctx: Context, work: Work, row: ImportRow) -> ImportRow:
    """Stage the rows of an import; returns it as it is then. Raises `Refusal`."""
    files = ImportFiles.of(ctx.directory, row.id)
    with files.in_use():
        async with files.new_rows() as generation:
            written = await _written(ctx, files, generation, stored_options(row))

        def write(tx: Transaction) -> ImportRow:
            now = import_by_id(tx, row.id)
            if now.options != row.options or now.generation != row.generation:
                raise Refusal("conflict", "the import was changed while its file was read")
            check_source(now)
            forget_results(tx, row.key)
            state = "staged" if now.state == "received" else now.state
            change_import(tx, row.key, generation=generation, rows=written.rows, columns=written.columns, state=state)
            work.note(tx, done=0, total=written.rows)
            return import_by_id(tx, row.id)

        try:
            return await work.write(write)
        except Refusal:  # if it was cancelled instead, it may have been written
            await trio.to_thread.run_sync(files.remove_rows, generation)
            raise


@record(frozen=True)
class _Written:
    """`columns` are the names of the file's columns, `rows` is how many rows it has."""

    columns: list[str]
    rows: int


async def _written(ctx: Context, files: ImportFiles, generation: str, options: ImportOptions) -> _Written:
    """Raises `Refusal` for a file that cannot be read."""
    try:
        return await _write_rows(ctx, files, generation, options)
    except FileNotFoundError:
        raise Refusal("gone", "the file is not on the node's disk any more; upload it again") from None
    except (UnreadableFile, BadMapping) as error:
        raise Refusal("invalid", str(error), path="file") from None


async def _write_rows(ctx: Context, files: ImportFiles, generation: str, options: ImportOptions) -> _Written:
    custom, settings = await ctx.read(by_name), ctx.settings(CrmSettings)
    asks_plugins = bool(await ctx.ask("complete_contacts", contacts=[]))
    stager = await trio.to_thread.run_sync(Stager, files, generation, options, settings, custom)
    try:
        pace = _Pace(ctx)
        while rows := await trio.to_thread.run_sync(stager.read):
            if asks_plugins:
                rows = await _complete(ctx, rows)
            if ctx.free_bytes() < ROOM_BYTES:
                raise disk_full()
            await trio.to_thread.run_sync(stager.write, rows)
            await pace.rest()
        await trio.to_thread.run_sync(stager.finish)
        return _Written(stager.columns, stager.count)
    finally:
        stager.close()


async def _complete(ctx: Context, rows: Sequence[StagedRow]) -> list[StagedRow]:
    """With what other plugins know of the contacts of valid rows."""
    given = [
        {name: value for name, value in row.values.items() if value} if row.letter == READY else {} for row in rows
    ]
    more = await additions(ctx, given, Rules(default_region=ctx.settings(CrmSettings).phone_region or None))
    return [attrs.evolve(row, more=each) if each else row for row, each in zip(rows, more, strict=True)]


class _Pace:
    """Lets staging rest while others write."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._commits, self._began = ctx.commits(), trio.current_time()

    async def rest(self) -> None:
        if self._ctx.commits() != self._commits:
            await trio.sleep(REST * (trio.current_time() - self._began))
        self._commits, self._began = self._ctx.commits(), trio.current_time()
