"""Presence and typing: what is told of people while it is so, without a place in the log."""

from __future__ import annotations

from typing import Literal, TypedDict

import attrs

from chatnode.model.events import Event
from chatnode.model.people import PersonRef
from chatnode.model.times import rfc3339

Change = Literal["online", "offline", "status"]


@attrs.define
class Presence(Event):
    """How somebody is now. `text`, `emoji` and `until` are the status they have set; what is not there is not known
    or not set."""

    name = "presence"
    person: PersonRef
    online: bool
    last_active_at: str | None = None
    text: str | None = None
    emoji: str | None = None
    until: str | None = None


@attrs.define
class PresenceState(Event):
    """Everybody whom the reader shares a conversation with and who is online or has a status; nobody else is."""

    name = "presence.state"
    people: list[Presence]


@attrs.define
class Typing(Event):
    """`person` types in the conversation until then, if no further event says so; without `until` they stopped."""

    name = "typing"
    conversation: str
    person: PersonRef
    until: str | None = None


class _There(TypedDict):
    online: bool


class Badge(_There, total=False):
    """A `Presence` beside somebody who is named already: plain, as thousands may be shown together."""

    last_active_at: str
    text: str
    emoji: str
    until: str


PASSING: dict[str, type[Event]] = {event.name: event for event in (Presence, PresenceState, Typing)}
"""Events that are not in the log, by name. `docs/protocol.md` describes them."""


@attrs.frozen
class Status:
    """What somebody says of themself; `until` in milliseconds, None for as long as they leave it."""

    text: str | None = None
    emoji: str | None = None
    until: int | None = None

    def holds(self, now: int) -> bool:
        return (self.text is not None or self.emoji is not None) and (self.until is None or self.until > now)


NO_STATUS = Status()


def as_told(person: PersonRef, online: bool, active_at: int | None, status: Status, now: int) -> Presence:
    """How somebody is, for others. Times are in milliseconds; a status that has ended by `now` is none."""
    last = rfc3339(active_at) if active_at is not None else None
    if not status.holds(now):
        return Presence(person, online, last)
    until = rfc3339(status.until) if status.until is not None else None
    return Presence(person, online, last, status.text, status.emoji, until)


@attrs.frozen
class HistoryEntry:
    """One change of somebody's presence; `entry` counts over all people."""

    entry: int
    at: str
    change: Change
    text: str | None = None
    emoji: str | None = None
