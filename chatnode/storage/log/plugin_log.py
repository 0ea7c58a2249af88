"""The log for plugins: its rows, a row as an event, and what one user may see of both, page by page."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from chatnode.model.events import Event
from chatnode.protocol import codec
from chatnode.storage.engine.additions import additions
from chatnode.storage.engine.connection import Querying, Reader
from chatnode.storage.engine.row import Row
from chatnode.storage.log import consumers, following, log
from chatnode.storage.log.consumers import RowBatch
from chatnode.storage.people import people


def event_names(reader: Querying) -> frozenset[str]:
    """The names of the events that the log may have: those of the core, and of the plugins that run now."""
    return frozenset(additions(reader).events)


def log_rows(reader: Querying, after_gid: int, kinds: Collection[str] | None, most: int = 500) -> RowBatch:
    """Rows of the log with gids above `after_gid`, of events with these names, oldest first and up to `most`. With None
    for `kinds`, of all events.

    One call looks at a limited part of the log, so `rows` may be empty before the end. Pass `reached` as the next
    call's `after_gid`; the end is reached when it equals `head`. A gid is only valid within one `Context.epoch`.
    """
    return consumers.pending(reader, after_gid, kinds, most)


def log_rows_for(
    reader: Reader, person: int, after_gid: int, kinds: Collection[str] | None = None, most: int = 500
) -> RowBatch:
    """Like `log_rows`, only the rows that the user with the key `person` may see.

    `Context.event_for` makes their events. Raises `Refusal("forbidden")` for an account that cannot act.
    """
    return following.rows_for(reader, people.check_can_act(reader, person), after_gid, kinds, most)


def without_recipient(reader: Reader, rows: Sequence[Row]) -> list[Row]:
    """Those of `rows` that are of no conversation and not for one user alone.

    Events for several users are among them, so ask only for kinds of events that are for consumers.
    """
    return following.without_recipient(reader, rows)


def event(reader: Reader, row: Row) -> dict[str, Any] | None:
    """The event of a row as plain values, with the current state; None if there is nothing left to send."""
    made = log.event_of(reader, row)
    return _plain(row.gid, made) if made is not None else None


def event_for(reader: Reader, person: int, row: Row) -> dict[str, Any] | None:
    """The event of a row from `log_rows_for`, as that user may see it now; None if there is nothing left to send."""
    made = log.event_for(reader, person, row)
    return _plain(row.gid, made) if made is not None else None


def events_for(reader: Reader, person: int, after: int, most: int) -> tuple[list[dict[str, Any]], int]:
    """What a user may see of the log above `after`: up to `most` events, and the gid to pass as the next page's
    `after`.

    Raises `Refusal("forbidden")` for an account that cannot act, and `ValueError` if `most` is below 1.
    """
    if most < 1:
        raise ValueError(f"a page has at least 1 event, not {most}")
    found = log_rows_for(reader, person, after, None, most)
    events = [each for row in found.rows if (each := event_for(reader, person, row)) is not None]
    return events, found.reached


def _plain(gid: int, made: Event) -> dict[str, Any]:
    return {"gid": gid, "event": made.name, **codec.to_plain(made)}
