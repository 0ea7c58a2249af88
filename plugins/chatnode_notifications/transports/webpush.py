"""Web Push: encrypted messages to browsers and to distributors of UnifiedPush, which speak the same protocol.

RFC 8030 (the protocol), 8188 and 8291 (encryption), 8292 (who sends).
"""

from __future__ import annotations

from collections.abc import Mapping

from chatnode.api import Context, OutboundAnswer, Purpose, Refusal, now_ms, record
from chatnode_notifications.transports.addresses import check_url, origin_of
from chatnode_notifications.transports.answers import gone, later, post, rejected, sent
from chatnode_notifications.transports.contents import fitting, less_and_less, padded
from chatnode_notifications.transports.state import plugin_state
from chatnode_notifications.transports.transport import (
    Alert,
    CheckedDevice,
    Content,
    DeviceAddress,
    SendResult,
    TransportName,
)
from chatnode_notifications.transports.vapid import Vapid

_PAD_BYTES = 512
_PERSONAL_SECONDS, _ORDINARY_SECONDS = 24 * 3_600, 4 * 3_600
"""How long a push service keeps a push for a device that is off. One that is meant for the user personally is worth
delivering a day later; others are not."""
_NO_CONTACT = "this node sends no Web Push: its operator must set plugins.notifications.contact"


@record(frozen=True)
class WebPush:
    """`purpose` says where pushes of this kind may go."""

    name: TransportName
    purpose: Purpose
    usual_content: Content = "full"

    def check(self, ctx: Context, address: str, keys: Mapping[str, str]) -> CheckedDevice:
        """Raises `Refusal` for what no push could be sent to."""
        from chatnode_notifications.transports import encryption

        if plugin_state(ctx).vapid is None:
            raise Refusal("invalid", _NO_CONTACT, path="transport")
        check_url(ctx, self.purpose, address)
        checks = {"p256dh": encryption.check_public_key, "auth": encryption.check_auth}
        for name, check in checks.items():
            if not keys.get(name):
                raise Refusal("invalid", f"{self.name} needs the key {name}", path=f"keys.{name}")
            try:
                check(keys[name])
            except ValueError as error:
                raise Refusal("invalid", f"the key {name} {error}", path=f"keys.{name}") from None
        return CheckedDevice(address, {name: keys[name] for name in checks})

    async def send(self, ctx: Context, to: DeviceAddress, alert: Alert) -> SendResult:
        """Encrypt and send; with less content, if the service finds it too large."""
        state = plugin_state(ctx)
        if state.vapid is None:
            return SendResult("retry", _NO_CONTACT)
        result = SendResult("retry")
        for lesser in less_and_less(alert):
            result = await self._post(ctx, state.vapid, to, lesser)
            if result.status != _TOO_LARGE:
                break
        state.note_signature(ctx, origin_of(to.address), result.status)
        return result

    async def _post(self, ctx: Context, vapid: Vapid, to: DeviceAddress, alert: Alert) -> SendResult:
        from chatnode_notifications.transports import encryption

        plain = padded(fitting(alert, encryption.MOST_BYTES), _PAD_BYTES, encryption.MOST_BYTES)
        body = encryption.encrypt(plain, to.keys["p256dh"], to.keys["auth"])
        return await post(ctx, self.purpose, to.address, _headers(vapid, to, alert, now_ms()), body, _judge)


_TOO_LARGE = 413
_REFUSED = (401, 403)
"""The service does not take our signature: a matter of the node's key or clock, not of the device."""


def _headers(vapid: Vapid, to: DeviceAddress, alert: Alert, now: int) -> list[tuple[str, str]]:
    note = alert.note
    longest = _PERSONAL_SECONDS if note.personal else _ORDINARY_SECONDS
    return [
        ("Content-Type", "application/octet-stream"),
        ("Content-Encoding", "aes128gcm"),
        ("TTL", str(max(0, min(longest, (alert.expires_at - now) // 1000)))),
        ("Urgency", "high" if note.personal else "normal"),
        ("Topic", vapid.topic(note.conversation or note.id)),
        ("Authorization", vapid.authorization(to.address, now)),
    ]


def _judge(answer: OutboundAnswer) -> SendResult:
    if 200 <= answer.status < 300:
        return sent(answer)
    if answer.status in (404, 410):
        return gone(answer)
    if answer.status in _REFUSED:
        return later(answer, f"the push service answered {answer.status}: it does not accept the node's signature")
    if answer.status == 429 or answer.status >= 500:
        return later(answer)
    return rejected(answer)


WEBPUSH = WebPush("webpush", Purpose("webpush", ports=(443,), https_only=True))
UNIFIEDPUSH = WebPush("unifiedpush", Purpose("unifiedpush", ports=(443, 8443), https_only=True))
