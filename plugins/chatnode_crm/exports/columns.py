"""What an export has of each contact, and where that is in the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from chatnode.api import Querying, Refusal, folded, record
from chatnode_crm.contacts import fields
from chatnode_crm.contacts.fields import FieldKind
from chatnode_crm.files.headers import field_of
from chatnode_crm.files.mapping import is_status, names_opt_out
from chatnode_crm.files.writing.columns import Column, ColumnKind
from chatnode_crm.files.writing.formats import FormatName

Preset = Literal["standard", "full"]
CUSTOM = "custom."
_BUILT_IN = {
    column.name: column
    for column in (
        Column("email", "Email"),
        Column("external_id", "External ID"),
        Column("first_name", "First Name"),
        Column("last_name", "Last Name"),
        Column("company", "Company"),
        Column("phone", "Phone"),
        Column("country", "Country"),
        Column("city", "City"),
        Column("description", "Description"),
        Column("tags", "Tags", ColumnKind.NAMES),
        Column("lists", "Lists", ColumnKind.NAMES),
        Column("source", "Source"),
        Column("opted_out_at", "Opted Out At", ColumnKind.TIME),
        Column("created_at", "Created At", ColumnKind.TIME),
        Column("updated_at", "Updated At", ColumnKind.TIME),
        Column("id", "Chatnode ID"),  # many programs take "ID" for an id of their own, and so do imports
    )
}
_STANDARD = ("email", "first_name", "last_name", "company", "phone", "country", "city", "created_at")
_AFTER_CUSTOM = ("source", "opted_out_at", "created_at", "updated_at", "id")
_KINDS: dict[FieldKind, ColumnKind] = {
    "text": ColumnKind.TEXT,
    "choice": ColumnKind.TEXT,
    "number": ColumnKind.NUMBER,
    "flag": ColumnKind.FLAG,
    "date": ColumnKind.DAY,
}


@record(frozen=True)
class ChosenColumn:
    """A column of an export. `field` is the key of a custom field, as text; None for what every contact has."""

    column: Column
    field: str | None = None


def choose(
    reader: Querying, format: FormatName, preset: Preset | None, names: Sequence[str] | None
) -> list[ChosenColumn]:
    """The columns of these names, or of a preset: by default `full` for vCards, else `standard`.

    Raises `Refusal("invalid")` with the path of an unknown name.
    """
    known = _known(reader)
    if names is None:
        if (preset or ("full" if format.startswith("vcard") else "standard")) == "standard":
            return [known[name] for name in _STANDARD]
        before = [name for name in _BUILT_IN if name not in _AFTER_CUSTOM]
        custom = [name for name in known if name not in _BUILT_IN]
        return [known[name] for name in (*before, *custom, *_AFTER_CUSTOM)]
    chosen: dict[str, ChosenColumn] = {}
    for place, name in enumerate(names):
        found = known.get(name) or known.get(folded(name))
        if found is None:
            raise Refusal(
                "invalid", f"there is no column {name!r}; there are {_listed(known)}", path=f"columns.{place}"
            )
        chosen[found.column.name] = found
    return list(chosen.values())


def _listed(known: Mapping[str, ChosenColumn]) -> str:
    return ", ".join(each.column.name for each in known.values())


def _known(reader: Querying) -> dict[str, ChosenColumn]:
    """Every column by its name; those of custom fields by its folded form."""
    known = {name: ChosenColumn(column) for name, column in _BUILT_IN.items()}
    headers = {folded(column.header) for column in _BUILT_IN.values()}
    for field in fields.listed(reader):
        name = f"{CUSTOM}{field.name}"
        # A header that imports would take for another field is the column's full name.
        is_taken = folded(field.name) in headers or any(
            asked(field.name) for asked in (field_of, names_opt_out, is_status)
        )
        column = Column(name, name if is_taken else field.name, _KINDS[field.kind])
        known[folded(name)] = ChosenColumn(column, str(field.key))
    return known
