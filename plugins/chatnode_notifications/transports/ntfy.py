"""ntfy: one request for each alert, to a topic of a server (docs.ntfy.sh/publish, "Publish as JSON").

It is not encrypted, so by default an alert says only who wrote where. ntfy has no name for an alert by which it would
recognize a repeat: an alert may ring twice if the node is killed in the wrong moment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import orjson

from chatnode.api import Context, OutboundAnswer, Purpose, Refusal, record
from chatnode_notifications.settings import NotificationsSettings
from chatnode_notifications.transports.addresses import check_url, origin_of
from chatnode_notifications.transports.answers import later, post, rejected, sent
from chatnode_notifications.transports.contents import less_and_less, payload
from chatnode_notifications.transports.transport import (
    Alert,
    CheckedDevice,
    Content,
    DeviceAddress,
    SendResult,
    TransportName,
)

_TOPIC = re.compile(r"/[-_A-Za-z0-9]{1,64}")
_HIGH, _DEFAULT, _SILENT = 4, 3, 2
"""Priorities."""
_PURPOSE = Purpose("ntfy", ports=(443, 8443), https_only=True)
_TOO_LARGE = 413
_WITHOUT_CONTENT = {"title": "chatnode", "body": "You have a new notification."}


@record(frozen=True)
class Ntfy:
    """Topics of any server; the token of the settings is for the one server that they name."""

    name: TransportName = "ntfy"
    usual_content: Content = "sender"

    def check(self, ctx: Context, address: str, keys: Mapping[str, str]) -> CheckedDevice:
        """Raises `Refusal` unless the address is a topic's."""
        parts = check_url(ctx, _PURPOSE, address)
        if not _TOPIC.fullmatch(parts.path) or parts.query or parts.fragment:
            raise Refusal("invalid", "expected a topic, such as https://ntfy.sh/your-secret-topic", path="address")
        return CheckedDevice(address)

    async def send(self, ctx: Context, to: DeviceAddress, alert: Alert) -> SendResult:
        """Publish; with less content, if the server finds it too large."""
        settings, server = ctx.settings(NotificationsSettings), origin_of(to.address)
        headers = [("Content-Type", "application/json")]
        if settings.ntfy_token and server == settings.ntfy_server:
            headers.append(("Authorization", f"Bearer {settings.ntfy_token}"))
        result = SendResult("retry")
        for lesser in less_and_less(alert):
            body = orjson.dumps(published(to.address.rpartition("/")[2], lesser))
            result = await post(ctx, _PURPOSE, f"{server}/", headers, body, _judge)
            if result.status != _TOO_LARGE:
                break
        return result


def published(topic: str, alert: Alert) -> dict[str, object]:
    """The alert as ntfy takes it."""
    fields = payload(alert)
    if alert.content == "nothing":
        fields |= _WITHOUT_CONTENT
    priority = _SILENT if alert.note.silent else _HIGH if alert.note.personal else _DEFAULT
    body = fields.get("body") or f"{alert.note.count} new"
    found = {"topic": topic, "title": fields["title"], "message": body, "priority": priority}
    return found | ({"click": fields["url"]} if fields.get("url") else {})


def _judge(answer: OutboundAnswer) -> SendResult:
    if 200 <= answer.status < 300:
        return sent(answer)
    if answer.status in (401, 403, 408, 429) or answer.status >= 500:
        return later(answer)
    return rejected(answer)


NTFY = Ntfy()
