"""The section `[plugins.notifications]`."""

from __future__ import annotations

from urllib.parse import urlsplit

import attrs

from chatnode.api import setting
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


@attrs.frozen
class NotificationsSettings:
    """The plugin's settings. For maximum numbers, 0 means no limit."""

    contact: str = setting(
        "",
        "Your address for the operators of push services, mailto: or https:, in case your node's pushes trouble them. "
        "Web Push and UnifiedPush need it.",
        read=check_contact,
    )
    transports: tuple[str, ...] = setting(
        TRANSPORTS, f"How users may be notified: any of {', '.join(TRANSPORTS)}.", read=_check_transport
    )
    max_content: str = setting(
        "full",
        "The most that an alert may say: full (with the text), sender (who wrote where) or nothing. Users may choose "
        "less.",
        choices=("full", "sender", "nothing"),
    )
    max_age_hours: int = setting(24, "Hours after which a notification that was not delivered is dropped.", minimum=1)
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
