"""Presence and typing."""

from __future__ import annotations

from typing import Annotated

from chatnode.model.emoji import EMOJI_CHARS
from chatnode.model.fields import Id, Items, Limit, Text, Who, Whole
from chatnode.model.people import PersonRef
from chatnode.model.presence import HistoryEntry, Presence
from chatnode.model.records import record

StatusText = Annotated[str, Text(1_000)]  # the real bound is a setting: presence.status_chars
Emoji = Annotated[str, Text(EMOJI_CHARS)]
People = Annotated[list[Who], Items(10_000)]  # the real bound is a setting: limits.page_items
Seconds = Annotated[int, Whole(1, 366 * 86_400)]
Entry = Annotated[int, Whole(0)]


@record
class SetStatus:
    """Text, emoji or both; neither clears the status. It ends after `seconds`, if given."""

    text: StatusText | None = None
    emoji: Emoji | None = None
    seconds: Seconds | None = None


@record
class SetVisible:
    visible: bool


@record
class Visible:
    visible: bool


@record
class PresenceOf:
    presence: Presence


@record
class GetPresence:
    people: People


@record
class PresenceList:
    people: list[Presence]


@record
class ListPresenceHistory:
    """The newest changes, or those before an `entry`; of the requester unless `person` is given."""

    person: Who | None = None
    before: Entry | None = None
    limit: Limit = 50


@record
class PresenceHistory:
    """Newest first. `days` is how long changes are kept; 0 means not at all."""

    days: int
    history: list[HistoryEntry]


@record
class SayTyping:
    conversation: Id
    stop: bool = False


@record
class TypingSaid:
    """Send it again before `until` while the user keeps typing."""

    until: str | None = None


@record
class Typist:
    person: PersonRef
    until: str


@record
class TypistList:
    typing: list[Typist]
