"""Requests and replies of imports. Times are RFC 3339 in UTC."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import attrs

from chatnode.api import Id, Text, Whole
from chatnode_crm.imports.deciding import RowVerdict
from chatnode_crm.imports.options import ImportPolicies, ImportTags

Limit = Annotated[int, Whole(1)]
FileName = Annotated[str, Text(255, 1)]
State = Literal["received", "staged", "planned", "applying", "applied", "undoing", "undone"]
ErrorVerdict = Literal["invalid", "duplicate", "suppressed"]


# ---- what is shown


@attrs.define
class ImportCounts:
    """Rows by what becomes of them, whose sum is the number of rows; then how many contacts really were added to the
    list, and how many tags contacts were given, or lost to a policy."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    duplicates: int = 0
    suppressed: int = 0
    invalid: int = 0
    listed: int = 0
    tagged: int = 0
    untagged: int = 0


@attrs.define
class UndoCounts:
    """Contacts `restored` to what they were and `deleted`; contacts taken off the list, and tags taken away and given
    back; and how many contacts were `kept` as they are, because they were changed after the import."""

    restored: int = 0
    deleted: int = 0
    kept: int = 0
    unlisted: int = 0
    untagged: int = 0
    tagged: int = 0


@attrs.define
class ImportError_:
    """Why a file could not be read, and where."""

    code: str
    message: str
    row: int | None = None
    line: int | None = None


@attrs.define
class ImportInfo:
    """An import and its stage. `rows` is the number of rows once they are staged; `plan` are the counts of the dry run,
    `counts` those of what was applied so far. `work` is the id of its last work, for `work.get`. `undoable_until` is
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
    undone: UndoCounts | None = None
    work: str | None = None
    options: dict[str, Any] | None = None
