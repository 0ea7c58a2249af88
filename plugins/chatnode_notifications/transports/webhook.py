"""A user's own webhook, signed as Standard Webhooks 1.0 has it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

import orjson

from chatnode.api import (
    Context,
    OutboundAnswer,
    Purpose,
    Refusal,
    new_webhook_secret,
    now_ms,
    record,
    rfc3339,
    webhook_headers,
)
from chatnode_notifications.transports.addresses import check_url
from chatnode_notifications.transports.answers import gone, later, post, sent
from chatnode_notifications.transports.contents import payload
from chatnode_notifications.transports.transport import (
    Alert,
    CheckedDevice,
    Content,
    DeviceAddress,
    SendResult,
    TransportName,
)

_PURPOSE = Purpose("notification webhook", ports=(443, 8443), https_only=True)
_PREFIX = "whsec_"
_LEAST_BYTES, _MOST_BYTES = 24, 64
"""Of a secret (Standard Webhooks 1.0, "Signature scheme")."""


@record(frozen=True)
class Webhook:
    """Any address that takes a POST."""

    name: TransportName = "webhook"
    usual_content: Content = "full"

    def check(self, ctx: Context, address: str, keys: Mapping[str, str]) -> CheckedDevice:
        """Without a secret of the client's own, one is made, and shown once. Raises `Refusal`."""
        check_url(ctx, _PURPOSE, address)
        if secret := keys.get("secret"):
            _check_secret(secret)
            return CheckedDevice(address, {"secret": secret})
        secret = new_webhook_secret()
        return CheckedDevice(address, {"secret": secret}, shown=secret)

    async def send(self, ctx: Context, to: DeviceAddress, alert: Alert) -> SendResult:
        """Post the alert. Its id is the same at each attempt, so the receiver recognizes a repeat."""
        body = orjson.dumps({
            "type": "notification", "timestamp": rfc3339(alert.note.created_at), "data": payload(alert),
        })  # fmt: skip
        headers = webhook_headers([to.keys["secret"]], alert.id, now_ms() // 1000, body)
        headers.append(("Content-Type", "application/json"))
        return await post(ctx, _PURPOSE, to.address, headers, body, _judge)


def _check_secret(secret: str) -> None:
    try:
        found = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if not secret.startswith(_PREFIX) or not _LEAST_BYTES <= len(found) <= _MOST_BYTES:
        raise Refusal(
            "invalid", f"expected {_PREFIX} and {_LEAST_BYTES} to {_MOST_BYTES} bytes in base64", path="keys.secret"
        )


def _judge(answer: OutboundAnswer) -> SendResult:
    if 200 <= answer.status < 300:
        return sent(answer)
    return gone(answer) if answer.status == 410 else later(answer)


WEBHOOK = Webhook()
