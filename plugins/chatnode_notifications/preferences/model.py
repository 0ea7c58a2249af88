"""What users choose, and the commands and the event about it."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, get_args

import attrs

from chatnode.api import Event, Items, Text, TimeOrEmpty, record

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)
Content = Literal["full", "sender", "nothing"]
Mail = Literal["off", "instant", "digest"]
Every = Literal["hourly", "daily", "weekly"]

Clock = Annotated[str, Text(5, 5, r"([01][0-9]|2[0-3]):[0-5][0-9]", hint="expected a time such as 22:00")]
MOST_WINDOWS = 14


@record(frozen=True)
class QuietWindow:
    """Hours without alerts, in the user's zone, from `begins` until `ends`: 22:00 to 07:00 is over midnight, and equal
    times are a whole day. `days` are those on which it begins; every day, if absent.
    """

    begins: Clock
    ends: Clock
    days: Annotated[list[Weekday], Items(7)] | None = None


@record(frozen=True)
class DigestTime:
    """When a digest is mailed: at `at` of each day, or of the `weekday`; hourly at the minutes of `at`."""

    every: Every = "daily"
    at: Clock = "08:00"
    weekday: Weekday = "monday"

    @property
    def from_midnight(self) -> timedelta:
        """`at`, as a length of time."""
        return timedelta(hours=int(self.at[:2]), minutes=int(self.at[3:]))


@record(frozen=True)
class Preferences:
    """A user's choices. Times of the day are in `zone`, an IANA name such as Europe/Paris; without it, in UTC.

    Until `paused_until` and in `quiet` hours, nothing rings; what came is notified of at their end. `content` is how
    much a notification may say. `replies` and `threads`: whether replies to the user's messages, and messages in
    threads that they began or wrote in, count as meant for them. `mentions_through_mute`: whether what is meant for
    them rings in muted conversations too. `language` is the language of mails.
    """

    zone: str | None = None
    quiet: list[QuietWindow] = attrs.field(factory=list[QuietWindow])
    paused_until: str | None = None
    content: Content = "full"
    threads: bool = True
    replies: bool = True
    mentions_through_mute: bool = False
    mail: Mail = "off"
    digest: DigestTime = attrs.field(factory=DigestTime)
    language: str | None = None


@record
class SetPreferences:
    """Absent fields stay as they are. An empty string removes `zone`, `paused_until` or `language`, and an empty list
    the quiet hours. `paused_until` is a time, such as 2026-11-21T10:17:06Z."""

    zone: Annotated[str, Text(100)] | None = None
    quiet: Annotated[list[QuietWindow], Items(MOST_WINDOWS)] | None = None
    paused_until: TimeOrEmpty | None = None
    content: Content | None = None
    threads: bool | None = None
    replies: bool | None = None
    mentions_through_mute: bool | None = None
    mail: Mail | None = None
    digest: DigestTime | None = None
    language: (
        Annotated[str, Text(35, 0, r"|[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*", hint="expected a tag such as de or pt-BR")]
        | None
    ) = None


@record
class PreferencesReply:
    settings: Preferences


@record
class NotificationSettingsChanged(Event):
    """The recipient's settings of notifications, in full."""

    name = "notifications.settings_changed"
    settings: Preferences
