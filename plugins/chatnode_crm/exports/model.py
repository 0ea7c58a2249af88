"""Exports, as programs see them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from chatnode.api import Id, Items, Text, Whole, record
from chatnode_crm.exports.columns import Preset
from chatnode_crm.files.writing.formats import Delimiter, FormatName
from chatnode_crm.segments.selection import Selection

Shown = Literal["waiting", "running", "paused", "done", "failed", "cancelled", "removed"]


@record
class CreateExport:
    """`columns` are names such as `email`, `tags`, `lists`, `created_at` and `custom.<name>`; or a `preset` has them:
    `standard`, with email address, names, company, phone, country, city and the time of creation, or `full`, with all
    columns, also those of custom fields. Without either, vCards are full and other files standard.

    `delimiter` and `bom` (a mark by which Excel recognizes UTF-8) are for CSV.
    """

    contacts: Selection
    format: FormatName = "csv"
    preset: Preset | None = None
    columns: Annotated[list[Annotated[str, Text(300, 1)]], Items(500)] | None = None
    delimiter: Delimiter = "comma"
    bom: bool = False


@record
class OfExport:
    export: Id


@record
class ListExports:
    """`before` is the `next` of the page before."""

    before: Annotated[int, Whole(1)] | None = None
    limit: Annotated[int, Whole(1)] = 50


@record
class ExportInfo:
    """`work` is its durable work, which can be followed, paused and cancelled (`work.get` and so on). `done` of `total`
    contacts are written. `error` says why it failed, or why its file was removed.

    Of an export that is `done`, `name` is the name of the file, which has `rows` contacts and is kept until
    `expires_at`. `path` is where the node has the file, for the operator.
    """

    export: str
    status: Shown
    format: FormatName
    name: str
    work: str
    created_at: str
    contacts: dict[str, Any] | None = None
    done: int | None = None
    total: int | None = None
    rows: int | None = None
    bytes: int | None = None
    sha256: str | None = None
    finished_at: str | None = None
    expires_at: str | None = None
    downloaded_at: str | None = None
    removed_at: str | None = None
    error: str | None = None
    path: str | None = None


@record
class ExportReply:
    export: ExportInfo


@record
class ContactExports:
    """Newest first; `next` is absent after the last."""

    exports: list[ExportInfo]
    next: int | None = None


@record
class ExportLink:
    """`link` is relative to the node's address and works without signing in until `expires_at`, at most."""

    link: str
    expires_at: str
