"""The file of rows that were not imported: their columns as they were, and why. It can be imported once it is fixed."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from urllib.parse import quote

import trio

from chatnode.api import (
    DAY_MS,
    Context,
    FileLinks,
    Querying,
    Refusal,
    Request,
    Response,
    Route,
    command,
    now_ms,
    rfc3339,
)
from chatnode_crm.contacts.values import FieldFault
from chatnode_crm.files.headers import ERROR_COLUMNS, IGNORE
from chatnode_crm.files.safety import neutralised
from chatnode_crm.imports.inspecting import open_staged
from chatnode_crm.imports.model import ErrorsLink, LinkErrors
from chatnode_crm.imports.progress import MEANING, faults_of, letters_of
from chatnode_crm.imports.rows import ImportRow, find_import, import_by_id
from chatnode_crm.imports.setup import stored_options
from chatnode_crm.imports.staged import StagedRow, StagedRows, numbers_with
from chatnode_crm.permissions import IMPORT

_ROWS = 500
_LINKS = FileLinks("import errors", IMPORT, also=("verdicts",))
_KINDS = ("invalid", "duplicate", "suppressed")


@command("crm.imports.errors", permission=IMPORT, reads=True)
async def link_errors(ctx: Context, asked: LinkErrors) -> ErrorsLink:
    """Make a link, valid for 24 hours, to a CSV file of the rows that were not imported.

    It has the columns of the file, and `_row`, `_line`, `_field`, `_code` and `_message` with what is wrong. Fix the
    values and import it: these columns are ignored.
    """
    row = await ctx.read(lambda reader: find_import(reader, ctx, asked.import_))
    if asked.path is not None and not ctx.operator:
        raise Refusal("forbidden", "only the operator can name a file, on the command line", path="path")
    staged = await open_staged(ctx, row)
    with staged:
        if asked.path is not None:
            await _write(Path(asked.path), _parts(ctx, row, staged, asked.verdicts))
    verdicts = ",".join(sorted(set(asked.verdicts)))
    expires_at = rfc3339(now_ms() + DAY_MS)
    url = _LINKS.make(ctx, f"imports/{row.id}/errors", row.id, DAY_MS / 1000, verdicts=verdicts)
    return ErrorsLink(url, expires_at)


async def _write(path: Path, parts: AsyncGenerator[bytes]) -> None:
    """Write a complete file, which only its owner can read. Raises `Refusal`."""
    try:
        async with aclosing(parts), await trio.open_file(path, "wb", opener=_private) as file:
            async for part in parts:
                await file.write(part)
    except OSError as error:
        raise Refusal("invalid", f"cannot write the file: {error.strerror}", path="path") from None


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)


async def send_errors(ctx: Context, request: Request) -> Response:
    """The file. Judged when it is asked for, also for signed links."""
    id = request.path["id"]
    verdicts = [each for each in request.query.get("verdicts", "invalid").split(",") if each]
    if not verdicts or not set(verdicts) <= set(_KINDS):
        raise Refusal("invalid", f"expected some of {', '.join(_KINDS)}", path="verdicts")
    if _LINKS.is_link(request.query):
        _LINKS.check(ctx, request.query, id)
        row = await ctx.read(lambda reader: _by_link(reader, request, id))
    else:
        ctx.check(IMPORT, reads=True)
        row = await ctx.read(lambda reader: find_import(reader, ctx, id))
    staged = await open_staged(ctx, row)
    name = quote(f"errors of {row.name.rpartition('.')[0] or row.name}.csv", safe="", errors="replace")
    headers = {
        "Content-Disposition": f"attachment; filename=\"errors.csv\"; filename*=UTF-8''{name}",
        "Cache-Control": "private, no-store",
    }
    return Response(
        _parts(ctx, row, staged, verdicts),
        content_type="text/csv; charset=utf-8",
        headers=headers,
        ended=lambda whole: staged.close(),
    )


def _by_link(reader: Querying, request: Request, id: str) -> ImportRow:
    """Raises `Refusal`."""
    account, row = _LINKS.requester(reader, request.query), import_by_id(reader, id)
    if account is not None and row.owner != account.key:
        raise Refusal("not_found", "you have no such import")
    return row


async def _parts(ctx: Context, row: ImportRow, staged: StagedRows, verdicts: Sequence[str]) -> AsyncGenerator[bytes]:
    """A part for some hundred rows at a time, with a BOM, by which spreadsheets know the encoding."""
    letters = await ctx.read(lambda reader: letters_of(reader, row, staged.letters))
    columns = _columns(row)
    wanted = "".join(letter for letter, verdict in MEANING.items() if verdict in verdicts)
    yield b"\xef\xbb\xbf" + _lines([[*columns, *ERROR_COLUMNS]])
    numbers = [0]
    while numbers := list(numbers_with(letters, wanted, numbers[-1], _ROWS)):
        rows = await trio.to_thread.run_sync(staged.pick, numbers)
        faults = await ctx.read(lambda reader, numbers=numbers: faults_of(reader, row.key, numbers, undoing=False))
        yield _lines([_cells(each, len(columns), faults) for each in rows if each.raw])


def _columns(row: ImportRow) -> list[str]:
    """The names of the columns; for one that has none, what it was mapped to, so that it is known again."""
    names = row.columns or []
    targets = stored_options(row).mapping.columns if row.options is not None else []
    unnamed = [target if target not in names and target != IGNORE else "" for target in targets]
    return [name or next(iter(unnamed[at : at + 1]), "") for at, name in enumerate(names)]


def _cells(row: StagedRow, width: int, faults: Mapping[int, FieldFault]) -> list[str]:
    """Cells that are too many stand at the end, so that the row is at fault until they are put where they belong."""
    fault = faults.get(row.number) or next((each for each in row.faults if not each.warning), None)
    said = ("", "", "") if fault is None else (fault.field, fault.code, fault.message)
    return [*row.raw[:width], str(row.number), str(row.line), *said, *row.raw[width:]]


def _lines(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([[neutralised(cell) for cell in row] for row in rows])
    return text.getvalue().encode("utf-8", "replace")


COMMANDS = (link_errors,)
ROUTES = (Route("imports/<id>/errors", send_errors, None, ("GET",), "The rows of an import that were not imported."),)
