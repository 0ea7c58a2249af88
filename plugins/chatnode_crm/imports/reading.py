"""How an import's file becomes values: the reader of its type, the mapping of its columns, and the checks of values."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

from chatnode_crm.contacts.values import FIELDS, FieldFault, Rules, check
from chatnode_crm.files.reading.model import RawRow
from chatnode_crm.imports.options import ImportOptions
from chatnode_crm.imports.staged import INVALID, READY, StagedRow


@attrs.frozen
class Table:
    kind: str
    columns: list[str]
    rows: Iterator[RawRow]


@contextmanager
def open_table(path: Path, options: ImportOptions, most_rows: int) -> Iterator[Table]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        columns = next(reader)
        yield Table("csv", columns, (RawRow(n, reader.line_num, row) for n, row in enumerate(reader, 1)))


class Mapper:
    def __init__(self, options: ImportOptions, columns: list[str]) -> None:
        self._targets = [(at, name) for at, name in enumerate(columns) if name in FIELDS]
        self._tags = columns.index("tags") if "tags" in columns else None
        self._opted = columns.index("opted_out") if "opted_out" in columns else None
        self._rules = Rules()
        self._match = "email_key" if options.policies.match == "email" else "external_id"

    def read(self, raw: RawRow) -> StagedRow:
        cells = raw.values
        values, faults = check({name: cells[at] for at, name in self._targets}, self._rules)
        if self._opted is not None and cells[self._opted]:
            values["opted_out"] = cells[self._opted] == "1"
        tags = None if self._tags is None else [each for each in cells[self._tags].split(";") if each]
        wrong = any(not fault.warning for fault in faults)
        if not wrong and not values.get(self._match):
            faults.append(FieldFault(self._match.removesuffix("_key"), "required", "must not be empty"))
            wrong = True
        return StagedRow(raw.line, cells, values, tags, faults, INVALID if wrong else READY)
