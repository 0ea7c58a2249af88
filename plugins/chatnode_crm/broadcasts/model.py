"""What the commands on broadcasts take and give."""

from __future__ import annotations

from typing import Annotated, Literal

from chatnode.api import Id, Text, Time, Whole, record
from chatnode_crm.segments.selection import Selection

BroadcastState = Literal["snapshot", "sending", "done", "cancelled"]
DeliveryState = Literal["waiting", "sent", "opted_out", "unreachable"]
_Time = Annotated[str, Text(5, 5, r"([01][0-9]|2[0-3]):[0-5][0-9]|24:00", hint="expected a time of day, such as 09:00")]


@record
class SendingWindow:
    """From `opens` up to and without `closes`; 22:00 to 06:00 is over midnight. `zone` is the IANA name of a time zone,
    by default the setting `time_zone`. With `zone_field`, the custom field with a contact's own zone, it is that."""

    opens: _Time
    closes: _Time
    zone: Annotated[str, Text(64)] = ""
    zone_field: Annotated[str, Text(64)] | None = None


@record
class CreateBroadcast:
    """`contacts` is the audience when the broadcast begins. `per_minute` limits the messages per minute."""

    title: Annotated[str, Text(200, 1)]
    contacts: Selection
    text: Annotated[str, Text(4_000, 1, free=True)]
    per_minute: Annotated[int, Whole(1, 60_000)] | None = None
    window: SendingWindow | None = None
    starts_at: Time | None = None


@record
class BroadcastFigures:
    """`audience` contacts, of which `waiting` are still to get it. `opted_out` did not get it because they do not want
    any. `read` leaves out users who hide what they read. `stopped` opted out after this broadcast. `unreachable` is by
    reason: `no_account`, or the code of the refusal, such as `forbidden` for users who blocked the bot."""

    audience: int
    waiting: int
    sent: int
    read: int
    answered: int
    stopped: int
    opted_out: int
    unreachable: dict[str, int]


@record
class Broadcast:
    """A message of a bot to many contacts, each in their direct conversation with it. `work` is its durable work.
    `error` says why sending stopped; it is absent again once the broadcast is resumed."""

    broadcast: str
    title: str
    text: str
    bot: str
    state: BroadcastState
    per_minute: int
    created_at: str
    starts_at: str
    work: str
    window: SendingWindow | None = None
    list: str | None = None
    ended_at: str | None = None
    error: str | None = None


@record
class OfBroadcast:
    broadcast: Id


@record
class ListBroadcasts:
    """Newest first. `before` takes the `next` of the previous page."""

    before: Annotated[int, Whole(1)] | None = None
    limit: Annotated[int, Whole(1)] = 50


@record
class Broadcasts:
    broadcasts: list[Broadcast]
    next: int | None = None


@record
class BroadcastReply:
    broadcast: Broadcast


@record
class BroadcastResults:
    """The figures of a broadcast, which stay the same when contacts are erased."""

    broadcast: Broadcast
    figures: BroadcastFigures
    paused: bool = False


@record
class ListDeliveries:
    """What became of each contact of the audience, only those in a state if it is given."""

    broadcast: Id
    state: DeliveryState | None = None
    after: Annotated[int, Whole(0)] = 0
    limit: Annotated[int, Whole(1)] = 50


@record
class Delivery:
    """One contact of the audience. `read` is absent if it is not known."""

    contact: str
    state: DeliveryState
    reason: str | None = None
    at: str | None = None
    read: bool | None = None
    answered_at: str | None = None
    stopped_at: str | None = None


@record
class Deliveries:
    deliveries: list[Delivery]
    next: int | None = None
