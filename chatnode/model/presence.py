"""Presence and typing: ephemeral events, which are pushed but not in the log."""

from __future__ import annotations

from typing import Literal, TypedDict

from chatnode.model.events import Event
from chatnode.model.people import PersonRef
from chatnode.model.records import record
from chatnode.model.times import rfc3339_or_none

Change = Literal["online", "offline", "status"]


@record
class Presence(Event):
    """A user's presence now. `text`, `emoji` and `until` are the status they set; absent fields are unknown or not
    set."""

    name = "presence"
    person: PersonRef
    online: bool
    last_active_at: str | None = None
    text: str | None = None
    emoji: str | None = None
    until: str | None = None


@record
class PresenceState(Event):
    """All users who share a conversation with the recipient and are online or have a status; nobody else is online."""

    name = "presence.state"
    people: list[Presence]


@record
class Typing(Event):
    """`person` is typing in the conversation until `until`, unless renewed; without `until` they stopped."""

    name = "typing"
    conversation: str
    person: PersonRef
    until: str | None = None


class _There(TypedDict):
    online: bool


class Badge(_There, total=False):
    """A `Presence` without the user, for where the user is already named; compact, because lists may show thousands."""

    last_active_at: str
    text: str
    emoji: str
    until: str


@record(frozen=True)
class PresenceStatus:
    """A status that a user has set; `until` is in milliseconds, None for no end."""

    text: str | None = None
    emoji: str | None = None
    until: int | None = None

    def holds(self, now: int) -> bool:
        return (self.text is not None or self.emoji is not None) and (self.until is None or self.until > now)


NO_STATUS = PresenceStatus()


def presence_for_others(
    person: PersonRef, online: bool, active_at: int | None, status: PresenceStatus, now: int
) -> Presence:
    """A user's presence as others see it. Times are in milliseconds; a status that has ended by `now` is left out."""
    last = rfc3339_or_none(active_at)
    if not status.holds(now):
        return Presence(person, online, last)
    until = rfc3339_or_none(status.until)
    return Presence(person, online, last, status.text, status.emoji, until)


@record(frozen=True)
class HistoryEntry:
    """A change in a user's presence; `entry` is numbered across all users."""

    entry: int
    at: str
    change: Change
    text: str | None = None
    emoji: str | None = None
