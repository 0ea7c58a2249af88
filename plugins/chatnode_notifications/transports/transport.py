"""What the transports have in common: what they are given, and what they answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

import attrs

from chatnode.api import Context, record
from chatnode_notifications.notes import Note

TransportName = Literal["webpush", "unifiedpush", "ntfy", "webhook", "desktop"]
Content = Literal["full", "sender", "nothing"]
"""How much an alert says: with the text, only who wrote where, or only that there is something."""
SendOutcome = Literal["sent", "retry", "gone", "rejected", "postponed", "unneeded"]


@record(frozen=True)
class DeviceAddress:
    """A registration, as far as sending needs it. `address` and `keys` are secrets of the device: never log them."""

    key: int
    id: str
    person: int
    session: int | None
    transport: TransportName
    address: str = attrs.field(repr=False)
    keys: Mapping[str, str] = attrs.field(repr=False)


@record(frozen=True)
class Alert:
    """What to tell a device. `id` is the same at each attempt. `badge` is the user's number of conversations with
    unread notifications; `read` are other conversations whose notifications the device can close, by id, with how far
    they were read. `expires_at` is in milliseconds."""

    id: str
    note: Note
    content: Content
    badge: int
    read: Mapping[str, int]
    expires_at: int


@record(frozen=True)
class SendResult:
    """What became of an attempt.

    `sent`: the other side has it. `retry`: try again later, not before `seconds`. `gone`: the address does not exist
    any more. `rejected`: it will never be taken. `postponed`: nothing was sent; wait `seconds`. `unneeded`: the device
    does not need it. `why` is for people and has no address; `status` is the HTTP status, if there was one.
    """

    outcome: SendOutcome
    why: str = ""
    status: int | None = None
    seconds: float = 0.0


@record(frozen=True)
class CheckedDevice:
    """What to store of a registration. `shown` is a secret that the user is shown once."""

    address: str = attrs.field(repr=False)
    keys: Mapping[str, str] = attrs.field(factory=dict[str, str], repr=False)
    shown: str | None = attrs.field(default=None, repr=False)


class Transport(Protocol):
    """A way to a device."""

    @property
    def name(self) -> TransportName:
        """What registrations call it."""
        ...

    @property
    def usual_content(self) -> Content:
        """How much a device gets that did not say how much it wants."""
        ...

    def check(self, ctx: Context, address: str, keys: Mapping[str, str]) -> CheckedDevice:
        """Check what a client registers. Raises `Refusal`."""
        ...

    async def send(self, ctx: Context, to: DeviceAddress, alert: Alert) -> SendResult:
        """Make one attempt. Raises nothing of the network."""
        ...
