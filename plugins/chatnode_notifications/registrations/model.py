"""What the commands on devices take and give."""

from __future__ import annotations

from typing import Annotated, Literal

from chatnode.api import Id, Text, Whole, record
from chatnode_notifications.transports.transport import Content, SendOutcome, TransportName

RegistrationState = Literal["active", "failing", "suspended", "gone"]
_Key = Annotated[str, Text(200)]


@record
class DeviceKeys:
    """Secrets of a device: `p256dh` and `auth` for Web Push and UnifiedPush, as browsers give them, in base64url;
    `secret` (`whsec_…`) for a webhook whose receiver has one already."""

    p256dh: _Key = ""
    auth: _Key = ""
    secret: _Key = ""


@record
class RegisterDevice:
    """`address` is where alerts go: a browser's `endpoint`, a UnifiedPush endpoint, an ntfy topic, a webhook's URL;
    empty for `desktop`. `content` is how much alerts say, by default what the transport usually does: `sender` for
    ntfy, which is not encrypted, else `full`."""

    transport: TransportName
    address: Annotated[str, Text(1_000)] = ""
    keys: DeviceKeys | None = None
    label: Annotated[str, Text(100)] = ""
    content: Content | None = None


@record
class RegisteredDevice:
    """A device or address that alerts go to; `server` is where, as far as that is no secret.

    `active`: it gets alerts. `failing`: the last attempt failed, for the reason in `last_error`. `suspended`: it has
    failed for days, and gets nothing until it is registered again. `gone`: its service says that it does not exist any
    more. `content` is what was asked for when it was registered.
    """

    registration: str
    transport: TransportName
    label: str
    state: RegistrationState
    created_at: str
    server: str | None = None
    content: Content | None = None
    current: bool = False
    failing_since: str | None = None
    last_ok_at: str | None = None
    last_error: str | None = None


@record
class DeviceRegistered:
    """`secret` is what a webhook's receiver verifies signatures with; it is shown this once."""

    device: RegisteredDevice
    secret: str | None = None


@record
class OfRegistration:
    registration: Id


@record
class DeviceUnregistered:
    """`removed` is false if there was no such device."""

    removed: bool


@record
class ListDevices:
    after: Annotated[int, Whole(0)] = 0
    limit: Annotated[int, Whole(1)] = 50


@record
class DeviceList:
    devices: list[RegisteredDevice]
    next: int | None = None


@record
class VapidKey:
    """`key` is the `applicationServerKey` to subscribe with, in base64url; absent on a node that sends no Web Push."""

    key: str | None = None


@record
class TriedDevice:
    """`status` is the HTTP status that the service answered, `why` says what failed."""

    outcome: SendOutcome
    status: int | None = None
    why: str | None = None
