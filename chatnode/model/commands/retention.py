"""Receipts of what was removed by itself."""

from __future__ import annotations

import attrs

from chatnode.model.fields import Limit, Seq


@attrs.define
class ListRemovals:
    after: Seq | None = None
    limit: Limit = 50


@attrs.define
class Removal:
    """What a rule removed from a conversation: messages with a seq up to `upto`, `counts` rows by table.

    `probes` of the texts were looked for afterwards in the database's files, `traces` of them found. None while
    that was not done yet.
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


@attrs.define
class RemovalsGiven:
    removals: list[Removal]
