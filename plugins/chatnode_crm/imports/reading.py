"""How an import's file becomes values: the reader of its type, the mapping of its columns, and the checks of values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from chatnode_crm.contacts.fields import FieldRow
from chatnode_crm.contacts.values import FieldFault, Rules, check
from chatnode_crm.files.headers import fold
from chatnode_crm.files.mapping import DateForm, RowMapper, is_status, read_opt_out
from chatnode_crm.files.reading import FileTable, RawRow, ReadLimits, open_table
from chatnode_crm.imports.custom import PREFIX, CustomReader
from chatnode_crm.imports.deciding import OPTED_OUT, OPTED_OUT_AT, key_of
from chatnode_crm.imports.layout import ImportFiles
from chatnode_crm.imports.options import ImportOptions
from chatnode_crm.imports.staged import INVALID, READY, StagedRow
from chatnode_crm.naming import fault_of_name
from chatnode_crm.settings import MIB, CrmSettings


def open_file(path: Path, options: ImportOptions, settings: CrmSettings) -> FileTable:
    """The uploaded file of an import, beside which its reader may unpack it. Raises `UnreadableFile`."""
    limits = ReadLimits(file_bytes=settings.import_mib * MIB, rows=settings.import_rows)
    with ExitStack() as stack:
        stack.enter_context(ImportFiles(path.parent).in_use())
        table = open_table(path, options.reading.as_options(), limits, path.parent)
        table.close_also(stack.pop_all().close)
        return table


def _faults_of_names(field: str, names: Sequence[str]) -> list[FieldFault]:
    return [FieldFault(field, "invalid_name", wrong) for name in names if (wrong := fault_of_name(name)) is not None]


class FileRowReader:
    """Makes of each row of a table what is staged. `custom` are the fields that users defined, by folded name."""

    def __init__(
        self, options: ImportOptions, table: FileTable, custom: Mapping[str, FieldRow], region: str | None
    ) -> None:
        """Raises `BadMapping`."""
        mapping = options.mapping
        self._mapper = RowMapper(mapping.as_mapping(), table.columns)
        has_custom = any(target.startswith(PREFIX) for target in (*mapping.columns, *mapping.constants))
        self._custom = CustomReader(custom, mapping, table.delimiter) if has_custom else None
        self._has_tags = "tags" in mapping.columns or "tags" in mapping.constants
        self._has_lists = "lists" in mapping.columns or "lists" in mapping.constants
        self._rules = Rules(
            default_region=mapping.default_region or region, derive_names=mapping.derive_names,
            complete=mapping.derive_names,
        )  # fmt: skip
        self._policies = options.policies
        self._opted_out = column_named(mapping.opted_out or "", table.columns)
        self._is_status = is_status(mapping.opted_out or "")
        self._date_form: DateForm = mapping.date_form

    def read(self, raw: RawRow) -> StagedRow:
        mapped = self._mapper.map(raw)
        given = mapped.values
        custom = _take_custom(given) if self._custom is not None else {}
        checked_values, faults = check(given, self._rules)
        values: dict[str, Any] = {**checked_values}
        faults = [*mapped.faults, *faults]
        if custom and self._custom is not None:
            values["custom"], wrong = self._custom.read(custom)
            faults += wrong
        if self._opted_out is not None:
            self._read_consent(raw.values[self._opted_out], values, faults)
        faults += _faults_of_names("tags", mapped.tags) + _faults_of_names("lists", mapped.lists)
        is_wrong = any(not fault.warning for fault in faults)
        if not is_wrong and key_of(values, self._policies) is None:
            message = "a row needs an email address, an external id or a valid phone number to find its contact by"
            faults.append(FieldFault(self._policies.match, "required", message))
            is_wrong = True
        return StagedRow(
            raw.line, [*raw.values, *raw.surplus], values, mapped.tags if self._has_tags else None, faults,
            INVALID if is_wrong else READY, lists=mapped.lists if self._has_lists else None,
        )  # fmt: skip

    def _read_consent(self, cell: str, values: dict[str, Any], faults: list[FieldFault]) -> None:
        """An empty cell says nothing, nor does an unknown state. A time is when the contact opted out."""
        try:
            found = read_opt_out(cell, self._date_form, status=self._is_status)
        except ValueError:
            message = "must be yes or no, or the time of opting out"
            if self._is_status:
                message = f"{cell.strip()[:40]!r} does not say whether the contact opted out"
            faults.append(FieldFault(OPTED_OUT, "invalid_value", message, warning=self._is_status))
            return
        if found is not None:
            values[OPTED_OUT] = found is not False
            if not isinstance(found, bool):
                values[OPTED_OUT_AT] = found


def column_named(name: str, columns: Sequence[str]) -> int | None:
    """The first column with this name, whatever its case, accents and punctuation."""
    wanted, names = fold(name), [fold(each) for each in columns]
    return names.index(wanted) if wanted and wanted in names else None


def _take_custom(given: dict[str, str]) -> dict[str, str]:
    names = [name for name in given if name.startswith(PREFIX)]
    return {name.removeprefix(PREFIX): given.pop(name) for name in names}
