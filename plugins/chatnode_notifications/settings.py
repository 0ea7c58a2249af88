"""The section `[plugins.notifications]`."""

from __future__ import annotations

from urllib.parse import urlsplit

from chatnode.api import record, setting
from chatnode_notifications.contact import check_contact

TRANSPORTS = ("webpush", "unifiedpush", "ntfy", "webhook", "desktop")


def _check_transport(text: str) -> str:
    if text not in TRANSPORTS:
        raise ValueError(f"expected one of {', '.join(TRANSPORTS)}")
    return text


def _check_server(text: str) -> str:
    if not text:
        return text
    parts = urlsplit(text)
    if parts.scheme not in ("https", "http") or not parts.netloc or parts.path.strip("/") or parts.query:
        raise ValueError("expected the address of a server, such as https://ntfy.example.org")
    return f"{parts.scheme}://{parts.netloc}".lower()


@record(frozen=True)
class NotificationsSettings:
    """The plugin's settings. For maximum numbers, 0 means no limit."""

    contact: str = setting(
        "",
        "Your address for the operators of push services, mailto: or https:, so that they can reach you about problems."
        " Web Push and UnifiedPush need it.",
        read=check_contact,
    )
    transports: tuple[str, ...] = setting(
        TRANSPORTS, f"How users may be notified: any of {', '.join(TRANSPORTS)}.", read=_check_transport
    )
    max_content: str = setting(
        "full",
        "Maximum content of an alert: full (with the text), sender (who wrote where) or nothing. Users may choose "
        "less.",
        choices=("full", "sender", "nothing"),
    )

    # ---- who is notified, and when

    settle_seconds: float = setting(
        2.0, "Seconds before deciding which users to notify; meanwhile some read the message.", minimum=0
    )
    online_delay_seconds: float = setting(
        30.0, "Seconds before notifying users who were active in the last minute on a connected device.", minimum=0
    )
    idle_delay_seconds: float = setting(
        10.0, "Seconds before notifying users who are connected, but not active.", minimum=0
    )
    repeat_seconds: float = setting(
        60.0,
        "Minimum seconds between two notifications of one conversation; personal messages are exempt.",
        minimum=0,
    )
    max_age_hours: int = setting(
        24, "Hours after which a message or a notification is too old for an alert.", minimum=1
    )

    # ---- what is kept

    keep_read_days: int = setting(90, "Days to keep notifications that were read.", minimum=1)
    keep_unread_days: int = setting(365, "Days to keep notifications that were never read.", minimum=1)

    changes_per_minute: int = setting(
        120, "Maximum number of changes per user and minute, such as marking as read; 0 means no limit.", minimum=0
    )

    # ---- mail

    mail_wait_seconds: int = setting(
        120, "Seconds after the last notification of a conversation until an email is sent about it.", minimum=0
    )
    mail_longest_wait_seconds: int = setting(
        600,
        "Maximum seconds after the first notification of a conversation until an email is sent about it.",
        minimum=0,
    )
    mail_items: int = setting(500, "Maximum number of notifications in one email; others are in the next.", minimum=1)
    mail_lines: int = setting(
        20, "Maximum number of notifications that an email shows of one conversation; others are counted.", minimum=1
    )
    mail_codes_per_minute: int = setting(
        3, "Maximum number of times per minute that a user may add or verify an email address.", minimum=0
    )
    mail_codes_per_day: int = setting(
        10, "Maximum number of codes in 24 hours that one user may request, and that one address is sent.", minimum=0
    )
    mail_keep_days: int = setting(
        90, "Days to keep when each email was sent, or why it was not; texts are never kept.", minimum=3
    )

    # ---- devices

    registrations: int = setting(10, "Maximum number of devices and addresses per user.", minimum=0)
    registrations_per_minute: int = setting(
        30, "Maximum number of devices and addresses that a user may register per minute.", minimum=0
    )
    tests_per_minute: int = setting(
        6, "Maximum number of test notifications that a user may send per minute.", minimum=0
    )
    ntfy_server: str = setting(
        "", "Your own ntfy server, such as https://ntfy.example.org; the only one that gets `ntfy_token`.",
        read=_check_server,
    )  # fmt: skip
    ntfy_token: str = setting("", "Access token for your own ntfy server; empty for none.", secret=True)
