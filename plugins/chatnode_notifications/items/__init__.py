"""What users were notified of: listed, read, filtered, and kept for a while."""

from __future__ import annotations

from chatnode.api import EventKind, Part, Table
from chatnode_notifications.items import collection, commands, correcting, figures, reading, showing, upkeep
from chatnode_notifications.items.model import NotificationAdded, NotificationRead, NotificationsRead

_ITEMS = Table(
    "notifications_items", people=("person", "sender"), message="message",
    export="SELECT i.key, i.id AS notification, i.kind, c.id AS conversation, m.id AS message, i.count, i.title, "
    "i.body, i.url, i.created_at, i.read_at FROM notifications_items i "
    "LEFT JOIN conversations c ON c.key = i.conversation "
    "LEFT JOIN messages m ON m.conversation = i.conversation AND m.seq = i.last_seq "
    "WHERE i.person = :person AND i.key > :after ORDER BY i.key LIMIT :limit",
)  # fmt: skip

PART = Part(
    commands=commands.COMMANDS,
    events=(
        EventKind(NotificationAdded, showing.make_added),
        EventKind(NotificationRead, showing.make_read),
        EventKind(NotificationsRead, showing.make_all_read),
    ),
    tables=(_ITEMS, Table("notifications_bundles", people=("person",))),
    collections=(collection.NOTIFICATIONS,),
    consumers=(reading.CONSUMER, correcting.CONSUMER),
    tasks=upkeep.TASKS,
    metrics=figures.METRICS,
)
