"""The section `[plugins.notifications]`."""

from __future__ import annotations

import attrs

from chatnode.api import setting


@attrs.frozen
class NotificationsSettings:
    """The plugin's settings. For maximum numbers, 0 means no limit."""

    contact: str = setting(
        "",
        "Whom push services may write to about your node's pushes: a mailto: or https: address. Web Push needs it.",
    )
    max_content: str = setting(
        "full",
        "The most that an alert may say: full (with the text), sender (who wrote where) or nothing. Users may choose "
        "less.",
        choices=("full", "sender", "nothing"),
    )

    # ---- who is notified, and when

    settle_seconds: float = setting(
        2.0, "Seconds after which a message is judged: users who have it open have read it by then.", minimum=0
    )
    online_delay_seconds: float = setting(
        30.0, "Seconds before users are notified who were active in the last minute on a connected device.", minimum=0
    )
    idle_delay_seconds: float = setting(
        10.0, "Seconds before users are notified who are connected, but not active.", minimum=0
    )
    repeat_seconds: float = setting(
        60.0,
        "Minimum seconds between two notifications of one conversation; not for what is meant for the user personally.",
        minimum=0,
    )
    max_age_hours: int = setting(
        24, "Hours after which a message or a notification is too old to alert anybody.", minimum=1
    )

    # ---- what is kept

    keep_read_days: int = setting(90, "Days to keep notifications that were read.", minimum=1)
    keep_unread_days: int = setting(365, "Days to keep notifications that were never read.", minimum=1)

    changes_per_minute: int = setting(
        120, "Maximum number of changes per user and minute, such as marking as read; 0 means no limit.", minimum=0
    )

    # ---- mail

    mail_wait_seconds: int = setting(
        120, "Seconds after the last notification of a conversation until a mail tells of it.", minimum=0
    )
    mail_longest_wait_seconds: int = setting(
        600, "Seconds after the first notification of a conversation until a mail tells of it at the latest.", minimum=0
    )
    mail_items: int = setting(500, "Maximum number of notifications in one mail; others are in the next.", minimum=1)
    mail_lines: int = setting(
        20, "Maximum number of notifications that a mail shows of one conversation; others are counted.", minimum=1
    )
    mail_codes_per_minute: int = setting(
        3, "Maximum number of times per minute that a user may add or verify a mail address.", minimum=0
    )
    mail_codes_per_day: int = setting(
        10, "Maximum number of codes in 24 hours that one user may ask for, and that one address gets.", minimum=0
    )
    mail_keep_days: int = setting(
        90, "Days for which it is kept when a mail was sent, or why not; its text never is.", minimum=3
    )
