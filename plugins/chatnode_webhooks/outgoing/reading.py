"""Reading the log for an endpoint: which events it gets, and no others.

An endpoint of a bot gets what a client of that bot would get. An endpoint of the node gets events that are for no user,
and the messages of all conversations if the operator has allowed that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from chatnode.api import Context, Reader, Row, RowBatch, log_rows, log_rows_for, record, without_recipient
from chatnode_webhooks.outgoing.endpoints import Endpoint, is_current
from chatnode_webhooks.outgoing.kinds import MESSAGES, EventFilter
from chatnode_webhooks.settings import WebhooksSettings


@record(frozen=True)
class Heard:
    """An event for an endpoint; `event` is what clients get, `at` when it happened, in milliseconds."""

    gid: int
    kind: str
    at: int
    event: dict[str, Any] = attrs.field(repr=False)


@record(frozen=True)
class HeardPage:
    """`reached`: the gid up to which this is all. `at_end`: the log had nothing above it."""

    events: list[Heard]
    reached: int
    at_end: bool


def node_may_get(settings: WebhooksSettings) -> EventFilter:
    """The events that the operator lets endpoints of the node have."""
    return EventFilter((*settings.node_kinds, MESSAGES) if settings.messages else settings.node_kinds)


async def read_page(ctx: Context, endpoint: Endpoint, after: int, most: int) -> HeardPage | None:
    """The next events after a gid: up to `most`, from a limited part of the log. None if the endpoint was
    changed, so that none may be sent as it was before.

    Raises `Refusal("forbidden")` if the endpoint's bot cannot act now.
    """
    find = _finder(ctx, endpoint)

    def read(reader: Reader) -> HeardPage | None:
        if not is_current(reader, endpoint):
            return None
        batch, rows = find(reader, after, most)
        events = [heard for row in rows if (heard := _heard(ctx, reader, endpoint, row)) is not None]
        return HeardPage(events, batch.reached, batch.reached >= batch.head)

    return await ctx.query(read, seconds=0)  # in turn: users' own reads must not wait for a thousand endpoints


async def read_one(ctx: Context, endpoint: Endpoint, gid: int) -> Heard | None:
    """The event with this gid; None if the endpoint does not get it, or not any more. Raises what `read_page` does."""
    find = _finder(ctx, endpoint)

    def read(reader: Reader) -> Heard | None:
        _, rows = find(reader, gid - 1, 1)
        return _heard(ctx, reader, endpoint, rows[0]) if rows and rows[0].gid == gid else None

    return await ctx.read(read)


def _heard(ctx: Context, reader: Reader, endpoint: Endpoint, row: Row) -> Heard | None:
    event = ctx.event(reader, row) if endpoint.bot is None else ctx.event_for(reader, endpoint.bot, row)
    return Heard(row.gid, row.kind, row.at, event) if event is not None else None


_Find = Callable[[Reader, int, int], tuple[RowBatch, list[Row]]]
"""From a reader, a gid and a number: the rows of the log after the gid, and those among them that are wanted."""


def _finder(ctx: Context, endpoint: Endpoint) -> _Find:
    wanted = EventFilter(endpoint.kinds)
    return _of_node(ctx, wanted) if endpoint.bot is None else _of_bot(endpoint.bot, wanted, echo=endpoint.echo)


def _of_bot(bot: int, wanted: EventFilter, *, echo: bool) -> _Find:
    """Without what the bot itself has caused: a program that answers each message would answer its own."""

    def find(reader: Reader, after: int, most: int) -> tuple[RowBatch, list[Row]]:
        batch = log_rows_for(reader, bot, after, wanted.names, most)
        return batch, [row for row in batch.rows if row.kind in wanted and (echo or row.actor != bot)]

    return find


def _of_node(ctx: Context, wanted: EventFilter) -> _Find:
    settings = ctx.settings(WebhooksSettings)
    allowed, messages = node_may_get(settings), EventFilter([MESSAGES] if settings.messages else [])

    def find(reader: Reader, after: int, most: int) -> tuple[RowBatch, list[Row]]:
        batch = log_rows(reader, after, wanted.names, most)
        rows = [row for row in batch.rows if row.kind in wanted and row.kind in allowed]
        free = {row.gid for row in without_recipient(reader, rows)}
        return batch, [row for row in rows if row.gid in free or row.kind in messages]

    return find
