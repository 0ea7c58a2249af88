"""Exporting what the node stores about a user, and erasing it."""

from __future__ import annotations

from typing import Annotated, Any

from chatnode.model.fields import Limit, Password, Text, Who
from chatnode.model.records import record


@record
class Erase:
    """`handle` repeats the account's handle. Without `person`, erases the requester, with their password."""

    handle: Who
    person: Who | None = None
    password: Password | None = None


@record
class Proof:
    """The longest of the erased texts were searched for in the search index and the bytes of the files. `left` of
    them are still there; `said_by_others` also occur in messages of other users and so may stay. `rewritten`: whether
    the unused bytes of all database pages, where SQLite may leave copies of moved rows, were overwritten. `flushed`:
    whether the write-ahead log, which holds old pages, was truncated. `advice` says what an operator can do if
    something may be left.
    """

    looked_for: int
    left: int
    said_by_others: int
    rewritten: bool
    flushed: bool
    advice: str | None = None


@record
class Erased:
    """The receipt: rows erased, by table."""

    person: str
    removed: dict[str, int]
    proof: Proof


@record
class Export:
    """`after` is the `next` of the previous page."""

    person: Who | None = None
    after: Annotated[str, Text(100)] | None = None
    limit: Limit = 200


@record
class ExportEntry:
    """One piece of data about the user; `kind` names what it is."""

    kind: str
    data: dict[str, Any]


@record
class ExportPage:
    """Without `next`, this is the last page. A page may be empty and still have a next."""

    entries: list[ExportEntry]
    next: str | None = None
