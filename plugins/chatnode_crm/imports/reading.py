"""How an import's file becomes values: the reader of its type, the mapping of its columns, and the checks of values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chatnode_crm.contacts.values import FIELDS, FieldFault, Rules, check
from chatnode_crm.files.reading import FileTable, RawRow, ReadLimits, open_table
from chatnode_crm.files.safety import restored
from chatnode_crm.imports.options import ImportOptions
from chatnode_crm.imports.staged import INVALID, READY, StagedRow
from chatnode_crm.settings import MIB, CrmSettings


def open_file(path: Path, options: ImportOptions, settings: CrmSettings) -> FileTable:
    """Raises `UnreadableFile`."""
    limits = ReadLimits(file_bytes=settings.import_mib * MIB, rows=settings.import_rows)
    return open_table(path, options.reading.as_options(), limits, path.parent)


class RowReader:
    """Makes of each row of a table what is staged."""

    def __init__(self, options: ImportOptions, table: FileTable) -> None:
        columns = table.columns
        self._targets = [(at, name) for at, name in enumerate(columns) if name in FIELDS]
        self._tags = columns.index("tags") if "tags" in columns else None
        self._opted = columns.index("opted_out") if "opted_out" in columns else None
        self._rules = Rules()
        self._match = "email_key" if options.policies.match == "email" else "external_id"

    def read(self, raw: RawRow) -> StagedRow:
        cells = [restored(cell) if cell[:1] == "'" else cell for cell in raw.values]
        checked, faults = check({name: cells[at] for at, name in self._targets}, self._rules)
        values: dict[str, Any] = {**checked}
        if self._opted is not None and cells[self._opted]:
            values["opted_out"] = cells[self._opted] == "1"
        tags = None if self._tags is None else [each for each in cells[self._tags].split(";") if each]
        wrong = any(not fault.warning for fault in faults)
        if not wrong and not values.get(self._match):
            faults.append(FieldFault(self._match.removesuffix("_key"), "required", "must not be empty"))
            wrong = True
        return StagedRow(raw.line, cells, values, tags, faults, INVALID if wrong else READY)
