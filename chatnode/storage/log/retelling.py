"""The log for plugins: its rows, a row as an event, and what one user may see of it, page by page."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from chatnode.model.events import Event
from chatnode.protocol import codec
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.row import Row
from chatnode.storage.log import consumers, log
from chatnode.storage.log.consumers import RowBatch
from chatnode.storage.people import people

_ALL = 2**62


def log_rows(reader: Reader, after_gid: int, kinds: Collection[str], most: int = 500) -> RowBatch:
    """Rows of the log with gids above `after_gid`, of events with these names, oldest first and up to `most`.

    One call looks at a limited part of the log, so `rows` may be empty before the end. Pass `reached` as the next
    call's `after_gid`; the end is reached when it equals `head`. A gid is only valid within one `Context.epoch`.
    """
    return consumers.pending(reader, after_gid, kinds, most)


def event(reader: Reader, row: Row) -> dict[str, Any] | None:
    """The event of a row as plain values, with the current state; None if there is nothing left to send."""
    made = log.event_of(reader, row)
    return _plain(row.gid, made) if made is not None else None


def events_for(reader: Reader, person: int, after: int, most: int) -> tuple[list[dict[str, Any]], int]:
    """What a user may see of the log above `after`: up to `most` events, and the gid to pass as the next page's
    `after`.

    Raises `Refusal("forbidden")` for an account that cannot act, and `ValueError` if `most` is below 1.
    """
    if most < 1:
        raise ValueError(f"a page has at least 1 event, not {most}")
    account = people.check_can_act(reader, person)
    head = log.head(reader)
    gids = log.gids_since(reader, account, after, _ALL) or []
    page = gids[:most]
    reached = page[-1] if len(gids) > most else head
    return [_plain(gid, made) for gid, made in log.events_of(reader, account, page)], reached


def _plain(gid: int, made: Event) -> dict[str, Any]:
    return {"gid": gid, "event": made.name, **codec.to_plain(made)}
