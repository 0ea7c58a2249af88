"""Requests and replies of imports. Times are RFC 3339 in UTC."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import attrs

from chatnode.api import Id, Items, Text, Whole, record
from chatnode_crm.imports.options import FileMapping, FileReading, ImportPolicies, ImportTags
from chatnode_crm.imports.progress import ShownVerdict

Limit = Annotated[int, Whole(1)]
FileName = Annotated[str, Text(255, 1)]
State = Literal["received", "staged", "planned", "applying", "applied", "undoing", "undone"]
ErrorVerdict = Literal["invalid", "duplicate", "suppressed"]


# ---- what is shown


@record
class ImportCounts:
    """Rows by what becomes of them, whose sum is the number of rows; then how many contacts really were added to the
    list, and how many tags contacts were given, or lost to a policy; and how many rows name a list that was
    `passed_over`, as it is dynamic, archived or a campaign in progress."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    duplicates: int = 0
    suppressed: int = 0
    invalid: int = 0
    listed: int = 0
    tagged: int = 0
    untagged: int = 0
    passed_over: int = 0


@record
class UndoCounts:
    """Contacts `restored` to what they were and `deleted`; contacts taken off the list, and tags taken away and given
    back; and how many contacts were `kept` as they are, because they were changed after the import."""

    restored: int = 0
    deleted: int = 0
    kept: int = 0
    unlisted: int = 0
    untagged: int = 0
    tagged: int = 0


@record
class ImportInfo:
    """An import and its stage. `rows` is the number of rows once they are staged; `plan` are the counts of the dry run,
    `counts` those of what was applied so far; `replanned` of these rows became something else than the plan said, as
    contacts had changed since. `work` is the id of its last work, for `work.get`. `undoable_until` is
    when its file, its rows and what undoing needs are removed."""

    id: str
    name: str
    bytes: int
    sha256: str
    state: State
    created_at: str
    updated_at: str
    undoable_until: str
    rows: int | None = None
    plan: ImportCounts | None = None
    counts: ImportCounts | None = None
    replanned: int | None = None
    undone: UndoCounts | None = None
    work: str | None = None
    options: dict[str, Any] | None = None


# ---- commands


@record
class CreateImport:
    """One of `text`, the content of a small file; `like`, the id of an import whose file is imported again; and, on
    the command line of the node, `path`."""

    name: FileName = "contacts.csv"
    text: Annotated[str, Text(1_000_000, 1, free=True)] | None = None
    like: Id | None = None
    path: Annotated[str, Text(4_096, 1)] | None = None


@record
class OfImport:
    import_: Id


@record
class ImportReply:
    import_: ImportInfo


@record
class ListImports:
    """`after` is the `next` of the page before."""

    limit: Limit = 50
    after: Annotated[int, Whole(1)] | None = None


@record
class ImportPage:
    """`next` is absent on the last page."""

    imports: list[ImportInfo]
    next: int | None = None


@record
class DetectImport:
    """`reading` says how the file is read, where its content does not."""

    import_: Id
    reading: FileReading | None = None


@record
class DetectedColumn:
    """A column, what it probably is, how sure that is (0 to 1), and some of its values. Below 0.8 it is ignored unless
    you map it."""

    name: str
    target: str
    confidence: float
    samples: list[str]


@record
class DetectedFile:
    """`kind` is `csv`, `xlsx` or `vcard`. `opted_out` is the column of opt-outs: the one that was set with
    `crm.imports.map`, else the one that was found. `decimal` is the decimal separator, where the first rows show it.
    `notes` are what you should know of how the file is read, such as other columns that may contain opt-outs."""

    kind: str
    header: bool
    columns: list[DetectedColumn]
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    sheets: list[str] | None = None
    opted_out: str | None = None
    decimal: str | None = None
    notes: list[str] | None = None


@record
class PreviewImport:
    import_: Id
    reading: FileReading | None = None
    mapping: FileMapping | None = None
    policies: ImportPolicies | None = None
    limit: Limit = 20


@record
class MapImport:
    """`saved` names a saved mapping, for what is not given. `list` is an id or a name."""

    import_: Id
    saved: Annotated[str, Text(255, 1)] | None = None
    reading: FileReading | None = None
    mapping: FileMapping | None = None
    policies: ImportPolicies | None = None
    list_: Annotated[str, Text(255, 1)] | None = None
    tags: ImportTags | None = None


@record
class FaultInfo:
    """What is wrong with a row; a `warning` is about a value that is kept."""

    field: str
    code: str
    message: str
    warning: bool | None = None


@record
class ImportedRow:
    """A row of the file: its number and physical line, its cells, and the values that they were read as. `changes` are
    those that a contact would get, or lose with null, if the row were applied now."""

    row: int
    line: int
    verdict: ShownVerdict
    cells: list[str]
    values: dict[str, Any]
    tags: list[str] | None = None
    faults: list[FaultInfo] | None = None
    changes: dict[str, Any] | None = None


@record
class ListImportRows:
    """Only rows with this verdict; `kept`: rows whose contacts undoing left as they are. `after` is the `next` of the
    page before."""

    import_: Id
    verdict: Literal["create", "update", "unchanged", "duplicate", "suppressed", "invalid", "kept"] | None = None
    after: Annotated[int, Whole(0)] = 0
    limit: Limit = 50


@record
class ImportRowPage:
    """In the order of the file; `next` is absent on the last page."""

    rows: list[ImportedRow]
    next: int | None = None


@record
class LinkErrors:
    """Rows with which verdicts; by default those that are invalid. `path`, on the command line of the node: the file
    is written there, too."""

    import_: Id
    verdicts: Annotated[list[ErrorVerdict], Items(3)] = attrs.field(factory=lambda: list[ErrorVerdict](["invalid"]))
    path: Annotated[str, Text(4_096, 1)] | None = None


@record
class ErrorsLink:
    """The address of the file, relative to the node's, and until when it works."""

    url: str
    expires_at: str


@record
class ImportPreview:
    """The mapping that was used, and what would become of the first rows."""

    mapping: FileMapping
    rows: list[ImportedRow]


# ---- saved mappings


@record
class MappingInfo:
    """What columns mean in files of one kind: `targets` by the name of the column, and the rest as in a mapping."""

    id: str
    name: str
    targets: dict[str, str]
    mapping: FileMapping
    policies: ImportPolicies
    updated_at: str


@record
class MappingList:
    mappings: list[MappingInfo]


@record
class SaveMapping:
    """The mapping and the policies of an import, under a name; one of yours with this name is replaced."""

    import_: Id
    name: Annotated[str, Text(255, 1)]


@record
class MappingReply:
    mapping: MappingInfo


@record
class OfMapping:
    """By id or name."""

    mapping: Annotated[str, Text(255, 1)]
