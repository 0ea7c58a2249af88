"""The work of an export: reads contacts from one snapshot, and writes them to a file.

The file appears under its name once it is complete and on disk, and the export is done after that. A run that ends
before leaves nothing, and the next one starts from scratch with a snapshot of its own: a file never mixes two states of
the database.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any, BinaryIO

import attrs
import trio

from chatnode.api import Asker, Context, Reader, Refusal, Transaction, Work, WorkKind, record
from chatnode_crm.exports import stored
from chatnode_crm.exports.choice import ExportChoice
from chatnode_crm.exports.columns import choose
from chatnode_crm.exports.files import PART, create, directory, put_in_place
from chatnode_crm.exports.keys import KeySet
from chatnode_crm.exports.rows import RowSource, keys_of
from chatnode_crm.exports.stored import ExportRow
from chatnode_crm.files.writing.columns import CannotWrite, ContactWriter
from chatnode_crm.files.writing.formats import FORMATS
from chatnode_crm.permissions import EXPORT as MAY_EXPORT
from chatnode_crm.permissions import VIEW
from chatnode_crm.requester import check_owner
from chatnode_crm.segments.collection import asker_for
from chatnode_crm.segments.selection import count

PAGE = 1_000
NOTE_SECONDS = 1.0
"""Progress is stored at most this often."""
TRIES = 5
"""How many times a file is written whose contacts are deleted meanwhile."""
LEAST_FREE_BYTES = 16 << 20


async def write_export(ctx: Context, work: Work) -> Mapping[str, Any] | None:
    """Run the work of an export, whose id is in its arguments."""
    id = work.arguments["export"]
    await check_owner(ctx, work, MAY_EXPORT, VIEW)
    for _ in range(TRIES):
        row = await work.write(lambda tx: stored.begin(tx, id))
        if row is None or row.choice is None:
            return None  # it was deleted, or written by a run whose end could not be stored
        result = await _try(ctx, work, row, ExportChoice.from_json(row.choice))
        if result is not None:
            return result
    raise Refusal("conflict", "contacts in the file were deleted each time it was written; export again later")


async def _try(ctx: Context, work: Work, row: ExportRow, choice: ExportChoice) -> Mapping[str, Any] | None:
    """Write the file; None if it is not wanted any more, or has a contact that was deleted meanwhile."""
    path = directory(ctx) / row.file
    part = path.with_name(path.name + PART)
    try:
        with create(part) as file:
            pages = await _write_pages(ctx, work, row, choice, file)
            size, sha256 = await trio.to_thread.run_sync(put_in_place, file, path)
    except CannotWrite as error:
        raise Refusal("invalid", str(error)) from None
    finally:
        part.unlink(missing_ok=True)

    def finish(tx: Transaction) -> bool:
        work.note(tx, done=pages.rows, total=pages.rows)
        return stored.finish(tx, row.key, pages.rows, size, sha256, pages.contacts)

    if await work.write(finish):
        return {"export": row.id, "rows": pages.rows, "bytes": size, "sha256": sha256}
    path.unlink(missing_ok=True)
    return None


async def _write_pages(ctx: Context, work: Work, row: ExportRow, choice: ExportChoice, file: BinaryIO) -> _Pages:
    """Write all contacts. Makes room between pages while users write messages."""
    asker = asker_for(ctx)
    async with ctx.snapshot() as snapshot:
        pages = await snapshot.read(partial(_Pages.open, asker=asker, row=row, choice=choice, file=file))
        noted = trio.current_time()
        while True:
            if ctx.free_bytes() < LEAST_FREE_BYTES:
                raise Refusal("unavailable", "the disk is nearly full", retry_after=60)
            commits, began = ctx.commits(), trio.current_time()
            if not await snapshot.read(pages.write_next):
                break
            if ctx.commits() != commits:
                await trio.sleep(trio.current_time() - began)
            if trio.current_time() - noted >= NOTE_SECONDS:
                await work.write(lambda tx: work.note(tx, done=pages.rows, total=pages.total))
                noted = trio.current_time()
        await snapshot.read(pages.finish)
    return pages


@record
class _Pages:
    """Pages of contacts on the way from a snapshot to a file. Its functions run in the snapshot's thread."""

    total: int
    _keys: Iterator[int]
    _source: RowSource
    _writer: ContactWriter
    contacts: KeySet = attrs.field(factory=KeySet)
    rows: int = 0

    @classmethod
    def open(cls, reader: Reader, *, asker: Asker, row: ExportRow, choice: ExportChoice, file: BinaryIO) -> _Pages:
        columns = choose(reader, row.format, choice.preset, choice.columns)
        writer = FORMATS[row.format].open(file, [each.column for each in columns], choice.options)
        keys = keys_of(reader, asker, choice.contacts)
        return cls(count(reader, asker, choice.contacts), keys, RowSource(reader, columns), writer)

    def write_next(self, reader: Reader) -> bool:
        """Write the next page; whether there may be more."""
        keys = list(islice(self._keys, PAGE))
        if not keys:
            return False
        present, rows = self._source.read(reader, keys)
        self._writer.write(rows)
        self.contacts.add(present)
        self.rows += len(rows)
        return True

    def finish(self, reader: Reader) -> None:
        self._writer.finish()


EXPORT = WorkKind("export", write_export, "Export of contacts")
