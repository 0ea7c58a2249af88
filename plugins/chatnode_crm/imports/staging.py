"""Reading a file once: its rows as they are, their values, and what can be said of them without asking the tables."""

from __future__ import annotations

from contextlib import ExitStack
from time import perf_counter

import attrs
import trio

from chatnode.api import Context, Refusal, Transaction, Work, new_id
from chatnode_crm.contacts.values import FieldFault
from chatnode_crm.files.reading import UnreadableFile
from chatnode_crm.imports.layout import ImportFiles
from chatnode_crm.imports.options import ImportOptions
from chatnode_crm.imports.progress import forget_results
from chatnode_crm.imports.reading import RowReader, open_file
from chatnode_crm.imports.receiving import disk_full
from chatnode_crm.imports.rows import ImportRow, change_import, import_by_id
from chatnode_crm.imports.setup import stored_options
from chatnode_crm.imports.staged import DUPLICATE, READY, StagedRow, StagedWriter
from chatnode_crm.settings import CrmSettings

STEP_SECONDS = 0.05
"""How long a step takes: pausing and cancelling wait for it, and after it the work makes room for others."""
ROOM_BYTES = 1 << 22
"""What a step may write, with room to spare."""
REST = 2.0
"""How long it rests for each second of work while others write."""


class Stager:
    """Stages a file, a step at a time. It blocks, and runs in one thread at a time. Raises `UnreadableFile`."""

    def __init__(self, files: ImportFiles, generation: str, options: ImportOptions, settings: CrmSettings) -> None:
        self._seen: dict[str, int] = {}
        self._match = "email_key" if options.policies.match == "email" else "external_id"
        with ExitStack() as stack:
            table = stack.enter_context(open_file(files.source, options, settings))
            self._writer = StagedWriter(files.rows(generation), files.index(generation))
            stack.callback(self._writer.close)
            self._rows = table.rows()
            self._reader = RowReader(options, table)
            self.columns = list(table.columns)
            self._stack = stack.pop_all()

    def step(self) -> bool:
        """Stage some rows; returns whether there are more."""
        until = perf_counter() + STEP_SECONDS
        for raw in self._rows:
            self._writer.add(self._checked(self._reader.read(raw)))
            if perf_counter() > until:
                return True
        self._writer.finish()
        return False

    def _checked(self, row: StagedRow) -> StagedRow:
        """With duplicates in the file found: the first valid row counts."""
        if row.letter != READY:
            return row
        first = self._seen.setdefault(row.values[self._match], self._writer.count + 1)
        if first == self._writer.count + 1:
            return row
        field = self._match.removesuffix("_key")
        fault = FieldFault(field, "duplicate", f"row {first} has the same {field}")
        return attrs.evolve(row, letter=DUPLICATE, faults=[*row.faults, fault])

    def close(self) -> None:
        self._stack.close()


async def stage(ctx: Context, work: Work, row: ImportRow) -> ImportRow:
    """Stage the rows of an import; returns it as it is then. Raises `Refusal`."""
    files, generation = ImportFiles.of(ctx.directory, row.id), new_id()[:8]
    try:
        columns = await _stage(ctx, files, generation, stored_options(row))
    except UnreadableFile as error:
        await trio.to_thread.run_sync(files.keep_only, row.generation)
        raise Refusal("invalid", str(error), path="file") from None
    count = await trio.to_thread.run_sync(lambda: files.index(generation).stat().st_size) // 9

    def write(tx: Transaction) -> ImportRow:
        now = import_by_id(tx, row.id)
        if now.options != row.options or now.generation != row.generation:
            raise Refusal("conflict", "the import was changed while its file was read")
        forget_results(tx, row.key)
        state = "staged" if now.state == "received" else now.state
        change_import(tx, row.key, generation=generation, rows=count, columns=columns, state=state)
        work.note(tx, done=0, total=count)
        return import_by_id(tx, row.id)

    staged = await work.write(write)
    await trio.to_thread.run_sync(files.keep_only, generation)
    return staged


async def _stage(ctx: Context, files: ImportFiles, generation: str, options: ImportOptions) -> list[str]:
    """Returns the names of the file's columns."""
    stager = await trio.to_thread.run_sync(Stager, files, generation, options, ctx.settings(CrmSettings))
    try:
        commits, began, more = ctx.commits(), trio.current_time(), True
        while more:
            if ctx.free_bytes() < ROOM_BYTES:
                raise disk_full()
            more = await trio.to_thread.run_sync(stager.step)
            if ctx.commits() != commits:
                await trio.sleep(REST * (trio.current_time() - began))
            commits, began = ctx.commits(), trio.current_time()
        return stager.columns
    finally:
        stager.close()
