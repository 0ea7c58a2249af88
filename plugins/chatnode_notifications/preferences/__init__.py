"""What each user chooses: quiet hours, pauses, how much a notification says, and mail."""

from __future__ import annotations

from chatnode.api import Part, Table
from chatnode_notifications.limits import LIMITS
from chatnode_notifications.preferences import commands

PART = Part(
    commands=commands.COMMANDS,
    events=commands.EVENTS,
    limits=LIMITS,
    tables=(
        Table(
            "notifications_people",
            people=("person",),
            export="SELECT person, zone, quiet, paused_until, content, threads, replies, mentions_through_mute, mail, "
            "digest, language FROM notifications_people WHERE person = :person AND person > :after "
            "ORDER BY person LIMIT :limit",
        ),
    ),
)
