"""Values of custom fields, as files write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chatnode.api import folded
from chatnode_crm.contacts.fields import FieldRow, checked
from chatnode_crm.contacts.values import FieldFault
from chatnode_crm.files.mapping import DateForm, DecimalSign, is_ambiguous, read_date, read_number
from chatnode_crm.imports.options import FileMapping

PREFIX = "custom."


class CustomReader:
    """Reads them by the kinds of the fields. `known` are the fields by folded name."""

    def __init__(self, known: Mapping[str, FieldRow], mapping: FileMapping, delimiter: str | None) -> None:
        self._known = known
        self._form: DateForm = mapping.date_form
        self._decimal: DecimalSign | None = mapping.decimal
        self._warns = mapping.decimal is None and delimiter == ";"
        """Programs that write a decimal comma separate cells with semicolons."""

    def read(self, given: Mapping[str, str]) -> tuple[dict[str, Any], list[FieldFault]]:
        """The values of a row by field key, of cells by the field's name; and what is wrong with them."""
        faults: list[FieldFault] = []
        read = {name: self._read(name, text.strip(), faults) if text.strip() else "" for name, text in given.items()}
        refused = {fault.field for fault in faults if not fault.warning}
        values, wrong = checked(
            self._known, {name: value for name, value in read.items() if PREFIX + name not in refused}
        )
        return values, faults + [FieldFault(PREFIX + name, "invalid_value", message) for name, message in wrong]

    def _read(self, name: str, text: str, faults: list[FieldFault]) -> str | int | float:
        """The value, still to be checked by the field."""
        field = self._known.get(folded(name))
        if field is not None and field.kind == "date":
            return self._read_date(name, text, faults)
        if field is not None and field.kind == "number":
            return self._read_number(name, text, faults)
        return text

    def _read_date(self, name: str, text: str, faults: list[FieldFault]) -> str:
        found = read_date(text, self._form)
        if found is None:
            several = self._form == "iso" and any(read_date(text, form) for form in ("dmy", "mdy", "ymd"))
            why = "could be several dates" if several else "is not a date"
            message = f"{text[:40]!r} {why}; set date_form (now {self._form})"
            faults.append(FieldFault(PREFIX + name, "invalid_date", message))
        return found or text

    def _read_number(self, name: str, text: str, faults: list[FieldFault]) -> int | float:
        found = read_number(text, self._decimal)
        may_be_two = self._decimal is None and is_ambiguous(text)
        if found is None and may_be_two:
            message = f"{text[:40]!r} could be read as two different numbers; set decimal to the decimal separator"
            faults.append(FieldFault(PREFIX + name, "ambiguous_number", message))
        elif found is None:
            faults.append(FieldFault(PREFIX + name, "invalid_value", "must be a number, such as 12 or 12.5"))
        elif may_be_two and self._warns:
            message = f"{text[:40]!r} is read with a decimal point; set decimal to ',' if the point separates thousands"
            faults.append(FieldFault(PREFIX + name, "ambiguous_number", message, warning=True))
        return found or 0
