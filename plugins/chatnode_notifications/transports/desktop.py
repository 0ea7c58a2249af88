"""The desktop: alerts to a client that is connected now, which shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chatnode.api import Context, Event, PersonRef, Refusal, record
from chatnode_notifications.transports.contents import payload
from chatnode_notifications.transports.transport import (
    Alert,
    CheckedDevice,
    Content,
    DeviceAddress,
    SendResult,
    TransportName,
)


@record
class DesktopNotification(Event):
    """Show a notification on this device, which has registered for it (`notifications.register`).

    `badge` is the number of conversations with unread notifications. `read`: close what is shown of these
    conversations up to these messages. What the user does not want shown is absent, up to everything but
    `notification`, its id, and `badge`.
    """

    name = "notification"
    notification: str
    badge: int
    kind: str | None = None
    conversation: str | None = None
    message: str | None = None
    seq: int | None = None
    count: int | None = None
    title: str | None = None
    body: str | None = None
    sender: PersonRef | None = None
    personal: bool | None = None
    silent: bool | None = None
    url: str | None = None
    read: dict[str, int] | None = None


@record(frozen=True)
class Desktop:
    """One device: the session that registered it. Its tabs settle among themselves which of them shows an alert."""

    name: TransportName = "desktop"
    usual_content: Content = "full"

    def check(self, ctx: Context, address: str, keys: Mapping[str, str]) -> CheckedDevice:
        """Raises `Refusal` where there is no session, or an address."""
        if address:
            raise Refusal("invalid", "desktop has no address; alerts go to the device that registers", path="address")
        if ctx.session is None:
            raise Refusal("invalid", "desktop is for a signed-in device", path="transport")
        return CheckedDevice(f"session:{ctx.session}")

    async def send(self, ctx: Context, to: DeviceAddress, alert: Alert) -> SendResult:
        """To the device's connections; there is no later for what is shown on a screen."""
        live = [each for each in ctx.live_sessions(to.person) if each.session == to.session]
        if live and ctx.push(shown(alert), sessions=live):
            return SendResult("sent")
        return SendResult("unneeded", "the device is not connected")


def shown(alert: Alert) -> DesktopNotification:
    """The alert as an event."""
    fields: dict[str, Any] = payload(alert)
    del fields["v"]
    fields["notification"] = fields.pop("id")  # a frame with an `id` is a reply
    if "sender" in fields:
        fields["sender"] = alert.note.sender
    return DesktopNotification(**fields)


DESKTOP = Desktop()
