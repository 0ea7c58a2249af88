"""How alerts reach devices: a module for each way, all with one interface."""

from __future__ import annotations

from collections.abc import Mapping

from chatnode_notifications.transports.desktop import DESKTOP
from chatnode_notifications.transports.ntfy import NTFY
from chatnode_notifications.transports.transport import Transport
from chatnode_notifications.transports.webhook import WEBHOOK
from chatnode_notifications.transports.webpush import UNIFIEDPUSH, WEBPUSH

TRANSPORTS: Mapping[str, Transport] = {each.name: each for each in (WEBPUSH, UNIFIEDPUSH, NTFY, WEBHOOK, DESKTOP)}
