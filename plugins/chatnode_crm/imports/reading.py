"""How an import's file becomes values: the reader of its type, the mapping of its columns, and the checks of values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chatnode.api import folded
from chatnode_crm.contacts.fields import FieldRow, checked
from chatnode_crm.contacts.values import FieldFault, Rules, check
from chatnode_crm.files.headers import fold
from chatnode_crm.files.mapping import RowMapper
from chatnode_crm.files.reading import FileTable, RawRow, ReadLimits, open_table
from chatnode_crm.imports.deciding import OPTED_OUT
from chatnode_crm.imports.options import ImportOptions
from chatnode_crm.imports.staged import INVALID, READY, StagedRow
from chatnode_crm.naming import fault_of_name
from chatnode_crm.settings import MIB, CrmSettings

_CUSTOM = "custom."
_YES = frozenset(("1", "x", "y", "yes", "true", "on", "oui", "ja", "si", "sim", "да", "是", "unsubscribed"))
_NO = frozenset(("0", "n", "no", "false", "off", "non", "nein", "nao", "нет", "否", "subscribed"))


def open_file(path: Path, options: ImportOptions, settings: CrmSettings) -> FileTable:
    """Raises `UnreadableFile`."""
    limits = ReadLimits(file_bytes=settings.import_mib * MIB, rows=settings.import_rows)
    return open_table(path, options.reading.as_options(), limits, path.parent)


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
        self._custom = custom
        self._has_custom = any(target.startswith(_CUSTOM) for target in (*mapping.columns, *mapping.constants))
        self._has_tags = "tags" in mapping.columns or "tags" in mapping.constants
        self._has_lists = "lists" in mapping.columns or "lists" in mapping.constants
        self._rules = Rules(
            default_region=mapping.default_region or region, derive_names=mapping.derive_names,
            complete=mapping.derive_names,
        )  # fmt: skip
        self._match = "email_key" if options.policies.match == "email" else "external_id"
        wanted = None if mapping.opted_out is None else fold(mapping.opted_out)
        names = [fold(name) for name in table.columns]
        self._opted_out = names.index(wanted) if wanted is not None and wanted in names else None

    def read(self, raw: RawRow) -> StagedRow:
        mapped = self._mapper.map(raw)
        given = mapped.values
        custom = self._take_custom(given) if self._has_custom else {}
        checked_values, faults = check(given, self._rules)
        values: dict[str, Any] = {**checked_values}
        faults = [*mapped.faults, *faults]
        if custom:
            values["custom"], wrong = checked(self._custom, custom)
            faults += [FieldFault(_CUSTOM + name, "invalid_value", message) for name, message in wrong]
        if self._opted_out is not None:
            self._read_consent(raw.values[self._opted_out], values, faults)
        faults += _faults_of_names("tags", mapped.tags) + _faults_of_names("lists", mapped.lists)
        is_wrong = any(not fault.warning for fault in faults)
        if not is_wrong and not values.get(self._match):
            faults.append(FieldFault(self._match.removesuffix("_key"), "required", "must not be empty"))
            is_wrong = True
        return StagedRow(
            raw.line, [*raw.values, *raw.surplus], values, mapped.tags if self._has_tags else None, faults,
            INVALID if is_wrong else READY, lists=mapped.lists if self._has_lists else None,
        )  # fmt: skip

    def _take_custom(self, given: dict[str, str]) -> dict[str, str]:
        names = [name for name in given if name.startswith(_CUSTOM)]
        return {name.removeprefix(_CUSTOM): given.pop(name) for name in names}

    def _read_consent(self, cell: str, values: dict[str, Any], faults: list[FieldFault]) -> None:
        """An empty cell says nothing. A time, as in exports, is when the contact opted out."""
        word = folded(cell.strip())
        if word in _YES or word[:4].isdigit():
            values[OPTED_OUT] = True
        elif word in _NO:
            values[OPTED_OUT] = False
        elif word:
            faults.append(FieldFault(OPTED_OUT, "invalid_value", "must be yes or no, or the time of opting out"))
