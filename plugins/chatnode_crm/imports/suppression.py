"""Contacts that must not be imported: those that were erased, or that were deleted a moment ago."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from chatnode.api import Querying, json_array, record
from chatnode_crm.contacts.consenting import suppressed_emails
from chatnode_crm.contacts.numbered import PHONE, bare_number

ERASED = "this contact was erased, or is not to be contacted"
_UNIQUE = ("email_key", "external_id")


@record(frozen=True)
class Suppressed:
    """By column, values of contacts that must not be imported."""

    values: Mapping[str, Collection[str]]

    def has(self, row: Mapping[str, Any]) -> bool:
        """Whether the values of a row are those of such a contact. By the phone number it is one only if the row has
        nothing else, and no other name: people may share a number."""
        email, external_id = row.get("email_key"), row.get("external_id")
        if email or external_id:
            return email in self.values["email_key"] or external_id in self.values["external_id"]
        return bool(self.values[PHONE]) and bare_number(row) in self.values[PHONE]


def find_suppressed(reader: Querying, rows: Sequence[Mapping[str, Any]], since: int) -> Suppressed:
    """What of the values of these rows must not be imported by an import that began at `since`.

    Staged rows of contacts that were deleted after that are removed by a job; until then they are found here.
    """
    any_deleted = reader.execute("SELECT 1 FROM crm_import_names LIMIT 1").fetchone() is not None
    given = {column: [value for row in rows if (value := row.get(column))] for column in _UNIQUE}
    given[PHONE] = [number for row in rows if (number := bare_number(row))] if any_deleted else []
    found = {
        column: _deleted(reader, column, values, since) if any_deleted else set[str]()
        for column, values in given.items()
    }
    found["email_key"].update(suppressed_emails(reader, given["email_key"]))
    return Suppressed(found)


def _deleted(reader: Querying, column: str, values: Iterable[str], since: int) -> set[str]:
    rows = reader.execute(
        f"SELECT {column} FROM crm_import_names WHERE at >= ? "  # noqa: S608 -- constants
        f"AND {column} IN (SELECT value FROM json_each(?))",
        (since, json_array(values)),
    )
    return {value for (value,) in rows.fetchall()}
