"""Exporting what the node holds about a person, and erasing it."""

from __future__ import annotations

from typing import Annotated, Any

import attrs

from chatnode.model.fields import Limit, Password, Text, Who


@attrs.define
class Erase:
    """`handle` is that of the account, typed once more. Without `person` oneself, with one's password."""

    handle: Who
    person: Who | None = None
    password: Password | None = None


@attrs.define
class Proof:
    """Of the texts that were erased, the longest were looked for in the index of words and the bytes of the files.

    `left` of them are still there, `said_by_others` stand in messages of other people, and so are there rightly.
    `rewritten`: whether the unused bytes of all pages of the database were written over, in which SQLite may leave
    copies of rows that it once moved. `flushed`: whether the write-ahead log, which holds older pages, could be cut
    off. `advice` says what an operator can do when something may be left.
    """

    looked_for: int
    left: int
    said_by_others: int
    rewritten: bool
    flushed: bool
    advice: str | None = None


@attrs.define
class Erased:
    """The receipt: rows erased, by table."""

    person: str
    removed: dict[str, int]
    proof: Proof


@attrs.define
class Export:
    """`after` is the `next` of the page before."""

    person: Who | None = None
    after: Annotated[str, Text(100)] | None = None
    limit: Limit = 200


@attrs.define
class ExportEntry:
    """One thing that is held about the person; `kind` says what, `data` is the thing."""

    kind: str
    data: dict[str, Any]


@attrs.define
class ExportGiven:
    """Without `next`, this was all. A page may be empty and still have a next."""

    entries: list[ExportEntry]
    next: str | None = None
