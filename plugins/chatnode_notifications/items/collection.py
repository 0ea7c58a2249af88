"""Notifications, as they can be filtered, sorted and counted."""

from __future__ import annotations

from chatnode.api import CHAT, Collection, Field, kinds
from chatnode_notifications.notes import BODY, IS_LEFT, SEEN, TITLE

_DELIVERIES = (
    "FROM (SELECT state, sent_at, error FROM notifications_deliveries d WHERE d.item = item.key UNION ALL "
    "SELECT coalesce(mail.state, 'pending'), CASE mail.state WHEN 'sent' THEN mail.ended_at END, mail.error "
    "FROM notifications_mail_items told LEFT JOIN notifications_mails mail ON mail.key = told.mail "
    "WHERE told.item = item.key) d"
)
"""To its devices and by mail."""
_RANK = (
    "(CASE d.state WHEN 'bounced' THEN 4 WHEN 'failed' THEN 3 WHEN 'expired' THEN 3 WHEN 'pending' THEN 2 ELSE 1 END)"
)
_WORST = f"coalesce((SELECT max({_RANK}) {_DELIVERIES}), 1)"
_STATUS = f"(CASE {_WORST} WHEN 4 THEN 'BOUNCED' WHEN 3 THEN 'FAILED' WHEN 2 THEN 'PENDING' ELSE 'SENT' END)"

NOTIFICATIONS = Collection(
    "chat_notifications",
    "What you were notified of, and whether it reached your devices and mailbox: the worst of its deliveries. Without "
    "any, it counts as SENT.",
    SEEN.source(),
    f"item.person = :me AND {IS_LEFT}",
    (
        Field("notification_id", kinds.PublicId(), "item.id", ("id",)),
        Field("conversation_id", kinds.PublicId(), "conv.id", ("conversation",), nullable=True, groups=True),
        Field("message_id", kinds.PublicId(), "m.id", ("message",), nullable=True),
        Field("recipient_id", kinds.PersonId(), "owner.id", ("recipient",), groups=True),
        Field("sender_id", kinds.PersonId(), "sender.id", ("sender",), nullable=True, groups=True),
        Field(
            "notification_type", kinds.Choice(("MESSAGE", "MENTION", "SYSTEM")),
            f"(CASE {SEEN.kind} WHEN 'mention' THEN 'MENTION' WHEN 'system' THEN 'SYSTEM' ELSE 'MESSAGE' END)",
            ("type",), groups=True,
        ),
        Field("reason", kinds.String(), SEEN.reason, groups=True),
        Field("title", kinds.String(), TITLE, sorts=False),
        Field("body", kinds.String(), BODY, sorts=False),
        Field("message_count", kinds.Integer(), SEEN.count, ("count",)),
        Field("is_sent", kinds.Flag(), f"EXISTS (SELECT 1 {_DELIVERIES} WHERE d.state = 'sent')", groups=True),
        Field("sent_at", kinds.Timestamp(), f"(SELECT min(d.sent_at) {_DELIVERIES})", nullable=True),
        Field("is_read", kinds.Flag(), "(item.read_at IS NOT NULL)", groups=True),
        Field("read_at", kinds.Timestamp(), "item.read_at", nullable=True),
        Field(
            "device_tokens", kinds.Json(),
            "(SELECT json_group_array(r.label) FROM notifications_deliveries d "
            "JOIN notifications_registrations r ON r.key = d.registration WHERE d.item = item.key)", sorts=False,
        ),
        Field("delivery_status", kinds.Choice(("PENDING", "SENT", "FAILED", "BOUNCED")), _STATUS, groups=True),
        Field(
            "error_message", kinds.String(),
            f"(SELECT d.error {_DELIVERIES} WHERE d.error IS NOT NULL ORDER BY {_RANK} DESC LIMIT 1)", nullable=True,
            sorts=False,
        ),
        Field("created_at", kinds.Timestamp(), "item.created_at", ("at",)),
    ),
    key=("notification_id",), order="-created_at", permission=CHAT,
)  # fmt: skip
