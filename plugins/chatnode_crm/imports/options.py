"""What an import is to do: how its file is read, what its columns mean, and what happens to contacts that exist."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import attrs
import cattrs

from chatnode.api import Entries, Items, Text, record
from chatnode_crm.files.mapping import ColumnMapping, DateForm, DecimalSign
from chatnode_crm.files.reading import ReadOptions
from chatnode_crm.permissions import LISTS, TAGS

MatchField = Literal["email", "external_id"]
FieldsPolicy = Literal["skip", "fill_empty", "overwrite", "overwrite_non_empty", "error"]
EmptyPolicy = Literal["keep", "erase"]
TagsPolicy = Literal["add", "replace", "ignore"]
ListsPolicy = Literal["add", "ignore"]
ConsentPolicy = Literal["tighten", "ignore", "overwrite"]

MOST_TAGS = 100
ImportTags = Annotated[list[Annotated[str, Text(255, 1)]], Items(MOST_TAGS)]


@record(frozen=True, kw_only=True)
class ImportPolicies:
    """What happens to contacts that exist. `match`: by what a row is the same as a contact. A row without it is found
    by the other one, or else by its phone number and name.

    `fields`: `skip` leaves their fields alone, `fill_empty` writes only those without a value, `overwrite` and
    `overwrite_non_empty` replace them, `error` refuses the row. An empty cell changes nothing, except with `overwrite`
    and `empty` = `erase`, which removes the value.

    `tags`: `add`, `replace` all of the contact's, or `ignore` those of the import. `lists`: `add` or `ignore`.
    `consent`: `tighten` takes over only that a contact opted out, `overwrite` also that they opted in.
    """

    match: MatchField = "email"
    fields: FieldsPolicy = "overwrite_non_empty"
    empty: EmptyPolicy = "keep"
    tags: TagsPolicy = "add"
    lists: ListsPolicy = "add"
    consent: ConsentPolicy = "tighten"


@record(frozen=True, kw_only=True)
class FileReading:
    """How the file is read, where its content does not say so: `encoding`, such as `cp1252`; the `delimiter` of its
    cells; whether its first row is a `header`; the `sheet` of a workbook, and the `member` of an archive, by name."""

    encoding: Annotated[str, Text(40, 1)] | None = None
    delimiter: Annotated[str, Text(1, 1, free=True)] | None = None
    header: bool | None = None
    sheet: Annotated[str, Text(255, 1)] | None = None
    member: Annotated[str, Text(1_000, 1)] | None = None

    def as_options(self) -> ReadOptions:
        """Raises `UnreadableFile`."""
        return ReadOptions(**attrs.asdict(self))


Target = Annotated[str, Text(80, 1)]
Targets = Annotated[list[Target], Items(1_000)]
NamedTargets = Annotated[dict[str, str], Entries(1_000, 1_000, 80)]


@record(frozen=True, kw_only=True)
class FileMapping:
    """What the columns of a file are. A target is a field of contacts, `custom.<field>`, `full_name`, which is split,
    `tags`, `lists` or `ignore`.

    `columns` has the target of each column. `constants` are values that all rows have, by target. `default_region` is
    the country of phone numbers without a country code, such as FR. `separator` stands between the tags, and the lists,
    of a cell. `date_form` is the order of the parts of dates; with `iso`, those that can be read in one way only are
    read. `decimal` is the sign before decimals; without it, numbers that can be read in one way only are read.
    `derive_names`: find missing names in addresses such as jane.doe@example.com.

    `opted_out` is the name of the column that says which contacts opted out. Without it, that is the one that
    `crm.imports.detect` found; an empty text means that no column says so.
    """

    columns: Targets = attrs.field(factory=list[str])
    constants: NamedTargets = attrs.field(factory=dict[str, str])
    default_region: Annotated[str, Text(2, 2)] | None = None
    separator: Annotated[str, Text(5, 1, free=True)] | None = None
    date_form: DateForm = "iso"
    decimal: DecimalSign | None = None
    derive_names: bool = False
    opted_out: Annotated[str, Text(1_000)] | None = None

    def as_mapping(self) -> ColumnMapping:
        """Raises `BadMapping`."""
        return ColumnMapping(
            columns=tuple(self.columns), constants=self.constants, default_region=self.default_region,
            separator=self.separator,
        )  # fmt: skip


@record(frozen=True, kw_only=True)
class ImportOptions:
    """All that is decided about an import before it is planned. `list` is an id; all contacts get the `tags`."""

    reading: FileReading = attrs.field(factory=FileReading)
    mapping: FileMapping = attrs.field(factory=FileMapping)
    policies: ImportPolicies = attrs.field(factory=ImportPolicies)
    list_: str | None = None
    tags: list[str] = attrs.field(factory=list[str])


def as_stored(options: ImportOptions) -> dict[str, Any]:
    return attrs.asdict(options)


def options_of(stored: dict[str, Any]) -> ImportOptions:
    return cattrs.structure(stored, ImportOptions)


def permissions_of(options: ImportOptions) -> list[str]:
    """What it takes to import with them, besides the permission to import: it changes who is on lists and has tags."""
    targets = {*options.mapping.columns, *options.mapping.constants}
    found = [LISTS] if options.list_ is not None or "lists" in targets else []
    return found + ([TAGS] if options.tags or "tags" in targets else [])
