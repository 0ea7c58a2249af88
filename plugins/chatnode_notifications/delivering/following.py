"""New items get deliveries, in the transaction that adds them."""

from __future__ import annotations

from collections.abc import Sequence

from chatnode.api import Transaction, json_array
from chatnode_notifications.notes import NewItem
from chatnode_notifications.registrations.rows import USABLE

_ADD = (
    "INSERT INTO notifications_deliveries (item, registration, due_at) "  # noqa: S608 -- constants
    "SELECT i.key, r.key, :now FROM notifications_items i "
    "JOIN notifications_registrations r ON r.person = i.person "
    "LEFT JOIN conversation_settings c ON c.person = i.person AND c.conversation = i.conversation "
    f"WHERE i.key IN (SELECT value FROM json_each(:items)) AND {USABLE} "
    "AND CASE r.transport WHEN 'webhook' THEN 1 WHEN 'desktop' THEN coalesce(c.desktop, 1) "
    "ELSE coalesce(c.mobile, 1) END = 1 "
    "ON CONFLICT (item, registration) DO NOTHING"
)


def add_deliveries(tx: Transaction, items: Sequence[NewItem]) -> None:
    """One for each device that the user wants alerts of this conversation on."""
    if items:
        tx.execute(_ADD, {"now": tx.now, "items": json_array(each.key for each in items)})
