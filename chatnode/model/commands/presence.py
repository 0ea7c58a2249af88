"""Presence and typing."""

from __future__ import annotations

from typing import Annotated

import attrs

from chatnode.model.emoji import EMOJI_CHARS
from chatnode.model.fields import Id, Items, Limit, Text, Who, Whole
from chatnode.model.people import PersonRef
from chatnode.model.presence import HistoryEntry, Presence

StatusText = Annotated[str, Text(1_000)]  # the real bound is a setting: presence.status_chars
Emoji = Annotated[str, Text(EMOJI_CHARS)]
People = Annotated[list[Who], Items(10_000)]  # the real bound is a setting: limits.page_items
Seconds = Annotated[int, Whole(1, 366 * 86_400)]
Entry = Annotated[int, Whole(0)]


@attrs.define
class SetStatus:
    """Text, emoji or both; neither clears the status. It ends after `seconds`, if given."""

    text: StatusText | None = None
    emoji: Emoji | None = None
    seconds: Seconds | None = None


@attrs.define
class SetVisible:
    visible: bool


@attrs.define
class Visible:
    visible: bool


@attrs.define
class PresenceOf:
    presence: Presence


@attrs.define
class GetPresence:
    people: People


@attrs.define
class PresenceList:
    people: list[Presence]


@attrs.define
class ListPresenceHistory:
    """The newest changes, or those before an `entry`; of the requester unless `person` is given."""

    person: Who | None = None
    before: Entry | None = None
    limit: Limit = 50


@attrs.define
class PresenceHistory:
    """Newest first. `days` is how long changes are kept; 0 means not at all."""

    days: int
    history: list[HistoryEntry]


@attrs.define
class SayTyping:
    conversation: Id
    stop: bool = False


@attrs.define
class TypingSaid:
    """Send it again before `until` while the user keeps typing."""

    until: str | None = None


@attrs.define
class Typist:
    person: PersonRef
    until: str


@attrs.define
class TypistList:
    typing: list[Typist]
