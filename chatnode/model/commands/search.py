"""Searching messages."""

from __future__ import annotations

from typing import Annotated

from chatnode.model.fields import Id, Limit, Text
from chatnode.model.messages import Message
from chatnode.model.records import record

After = Annotated[str, Text(41, 3, r"[0-9]{1,20}-[0-9]{1,20}", hint="expected the `next` of the previous page")]


@record
class SearchMessages:
    """`query` has words, "quoted phrases", prefixes*, -excluded words, and operators: `from:ann`,
    `in:garden`, `before:2026-01-31`, `after:2026-01-31`, `has:link`. `conversation` is the same as `in:` with its id.
    """

    query: Annotated[str, Text(1_000, 1, free=True)]
    conversation: Id | None = None
    limit: Limit = 20
    after: After | None = None


@record
class Span:
    """A range in a message's text, from character `start` up to but not including `end`.

    Characters are Unicode code points, as limits count them.
    """

    start: int
    end: int


@record
class SearchHit:
    """A message found, and the matches in its text."""

    message: Message
    highlights: list[Span]


@record
class SearchPage:
    """Newest first. `next` is the `after` of the next page; absent on the last page. `partial`: the search was
    stopped because it took too long; `results` are the newest, and more may follow from `next` on, even if this page
    is empty.
    """

    results: list[SearchHit]
    next: str | None = None
    partial: bool = False
