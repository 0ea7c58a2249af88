"""What imports keep of a contact: the rows of their files, with the columns that were not mapped, too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from chatnode.api import Querying, rfc3339
from chatnode_crm.contacts import shown
from chatnode_crm.imports.known import KnownNames
from chatnode_crm.imports.layout import ImportFiles
from chatnode_crm.imports.rows import ImportRow
from chatnode_crm.imports.staged import StagedRow, StagedRows


def rows_about(directory: Path, imports: Sequence[ImportRow], known: KnownNames) -> list[dict[str, Any]]:
    """The rows about a contact in the files of these imports, which are those that an erasure removes; those of files
    that are not there are left out. Blocks.

    An uploaded file that was not read yet is not looked into."""
    return [found for each in imports for found in _rows_in(directory, each, known)]


def _rows_in(directory: Path, import_: ImportRow, known: KnownNames) -> Iterator[dict[str, Any]]:
    files, generation = ImportFiles.of(directory, import_.id), str(import_.generation)
    columns = import_.columns or []
    try:
        with StagedRows(files.rows(generation), files.index(generation)) as rows:
            for number, line in rows.lines(1, len(rows)):
                row = StagedRow.of_json(line, number, rows.letters[number - 1])
                if known.has(row, import_.created_at):
                    cells = [[*pair] for pair in zip(columns, row.raw, strict=False)]
                    yield {"import": import_.id, "name": import_.name, "line": row.line, "cells": cells}
    except FileNotFoundError:  # replaced, or not in the backup that was restored
        return


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
