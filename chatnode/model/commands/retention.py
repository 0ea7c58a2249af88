"""Receipts of what retention removed."""

from __future__ import annotations

from chatnode.model.fields import Limit, Seq
from chatnode.model.records import record


@record
class ListRemovals:
    after: Seq | None = None
    limit: Limit = 50


@record
class Removal:
    """What a rule removed from a conversation: messages up to seq `upto`; `counts` gives rows by table. Afterwards
    `probes` texts were searched for in the database's files and `traces` of them found; absent until that is done.
    """

    removal: int
    at: str
    rule: str
    conversation: str
    days: int
    upto: int
    counts: dict[str, int]
    probes: int | None = None
    traces: int | None = None
    proved_at: str | None = None


@record
class RemovalPage:
    removals: list[Removal]
