"""Events that are pushed to live sessions and are not in the log."""

from __future__ import annotations

from chatnode.model.events import Event
from chatnode.model.presence import Presence, PresenceState, Typing
from chatnode.model.records import record


@record
class WorkProgress(Event):
    """The progress of one of the recipient's work items: `done` of `total`, at `rate` per second; see `WorkInfo`."""

    name = "work.progress"
    work: str
    done: int
    total: int | None = None
    rate: float | None = None


EPHEMERAL: dict[str, type[Event]] = {event.name: event for event in (Presence, PresenceState, Typing, WorkProgress)}
"""Ephemeral events, by name. `docs/protocol.md` describes them."""
