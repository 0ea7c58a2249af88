"""What imports keep of a contact: the rows of their files, with the columns that were not mapped, too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import orjson
import trio

from chatnode.api import Context, Querying, record, rfc3339
from chatnode_crm.contacts import shown
from chatnode_crm.imports.known import KnownNames
from chatnode_crm.imports.layout import ImportFiles
from chatnode_crm.imports.rows import ImportRow, staged_imports
from chatnode_crm.imports.staged import StagedRow, StagedRows


@record
class FoundRows:
    """Rows of files, as they are shown; and the generations of rows that were not there, by the id of the import."""

    rows: list[dict[str, Any]] = attrs.field(factory=list[dict[str, Any]])
    missing: dict[str, str | None] = attrs.field(factory=dict[str, str | None])


async def rows_about(ctx: Context, known: KnownNames) -> list[dict[str, Any]]:
    """The rows about a contact in the files of imports, which are those that an erasure removes. Files that are gone
    after a restore are left out; those that are replaced meanwhile are looked for again.

    An uploaded file that was not read yet is not looked into."""
    imports, found = await ctx.query(staged_imports), FoundRows()
    while imports:
        found.missing.clear()
        await trio.to_thread.run_sync(_find_rows, ctx.directory, imports, known, found)
        now = await ctx.query(staged_imports) if found.missing else []
        imports = [each for each in now if found.missing.get(each.id, each.generation) != each.generation]
    return found.rows


def _find_rows(directory: Path, imports: Sequence[ImportRow], known: KnownNames, found: FoundRows) -> None:
    for each in imports:
        try:
            found.rows += _rows_in(directory, each, known)
        except FileNotFoundError:
            found.missing[each.id] = each.generation


def _rows_in(directory: Path, import_: ImportRow, known: KnownNames) -> list[dict[str, Any]]:
    files, generation = ImportFiles.of(directory, import_.id), str(import_.generation)
    columns = import_.columns or []
    with StagedRows(files.rows(generation), files.index(generation)) as rows:
        staged = (StagedRow.of_json(line, at, rows.letters[at - 1]) for at, line in rows.lines(1, len(rows)))
        return [
            {
                "import": import_.id,
                "name": import_.name,
                "line": row.line,
                "cells": [[*pair] for pair in zip(columns, row.raw, strict=False)],
            }
            for row in staged
            if known.has(row, import_.created_at)
        ]


def images_of(reader: Querying, contact: int) -> list[dict[str, Any]]:
    """What an import has changed in a contact, as it was before."""
    rows = reader.execute(
        "SELECT i.id, i.applied_at, m.before FROM crm_import_images m JOIN crm_imports i ON i.key = m.import "
        "WHERE m.contact = ? AND i.state <> 'deleted' ORDER BY m.key",
        (contact,),
    )
    return [
        {"import": id, "before": shown.fields_of(reader, _of_people(orjson.loads(before)))}
        | ({"at": rfc3339(at)} if at is not None else {})
        for id, at, before in rows.fetchall()
    ]


def _of_people(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without what the plugin compares by."""
    return {name: value for name, value in values.items() if not name.endswith("_key")}
