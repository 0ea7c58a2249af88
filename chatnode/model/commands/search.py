"""Searching messages."""

from __future__ import annotations

from typing import Annotated

import attrs

from chatnode.model.fields import Id, Limit, Text
from chatnode.model.messages import Message

After = Annotated[str, Text(41, 3, r"[0-9]{1,20}-[0-9]{1,20}", hint="expected the `next` of the previous page")]


@attrs.define
class SearchMessages:
    """`query` has words, "quoted phrases", beginnings*, -words that must not occur, and operators: `from:ann`,
    `in:garden`, `before:2026-01-31`, `after:2026-01-31`, `has:link`. `conversation` is as `in:` with its id.
    """

    query: Annotated[str, Text(1_000, 1, free=True)]
    conversation: Id | None = None
    limit: Limit = 20
    after: After | None = None


@attrs.define
class Span:
    """A place in a message's text: from character `start` up to, not including, `end`.

    Characters are Unicode code points, as limits count them.
    """

    start: int
    end: int


@attrs.define
class SearchHit:
    """A message that was found, and what in its text was looked for."""

    message: Message
    highlights: list[Span]


@attrs.define
class SearchGiven:
    """Newest first. `next` is the `after` of the following page, absent on the last.

    `partial`: the search took too long and was stopped; `results` are the newest, and there may be more from `next`
    on even if there are none here.
    """

    results: list[SearchHit]
    next: str | None = None
    partial: bool = False
