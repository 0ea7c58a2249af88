"""What the commands on endpoints take and give. Times are RFC 3339 in UTC."""

from __future__ import annotations

from typing import Annotated

from chatnode.api import Id, Items, PersonRef, Text, Time, Who, Whole, record
from chatnode_webhooks.outgoing.deliveries import DeliveryState
from chatnode_webhooks.outgoing.endpoints import Format, State
from chatnode_webhooks.outgoing.kinds import Kind

Address = Annotated[str, Text(2_048, 1)]
About = Annotated[str, Text(200)]
Kinds = Annotated[list[Kind], Items(50)]
Limit = Annotated[int, Whole(1)]
Gid = Annotated[int, Whole(1)]
EventId = Annotated[
    str,
    Text(40, 1, r"evt_[0-9a-f]{8}_[0-9]{1,15}", hint="expected the webhook-id of an event, such as evt_1f2e3d4c_17"),
]


@record
class AddEndpoint:
    """`kinds` are names of events, such as `message.posted`, beginnings such as `message.*`, or `*` for all.

    Without a `bot`, the endpoint belongs to the node. `echo`: it also gets what the bot itself has caused.
    """

    url: Address
    kinds: Kinds
    bot: Who | None = None
    format: Format = "standard"
    echo: bool = False
    about: About = ""


@record
class OfEndpoint:
    endpoint: Id


@record
class UpdateEndpoint:
    """Fields that are absent stay as they are."""

    endpoint: Id
    url: Address | None = None
    kinds: Kinds | None = None
    format: Format | None = None
    echo: bool | None = None
    about: About | None = None


@record
class ResumeEndpoint:
    """With `skip`, events that happened meanwhile are not sent, and those that failed before stay as they are."""

    endpoint: Id
    skip: bool = False


@record
class ListEndpoints:
    """`after` takes the `next` of the previous page."""

    bot: Who | None = None
    after: Id | None = None
    limit: Limit = 50


@record
class EndpointInfo:
    """An endpoint. `state`: `active`; `paused` by you; `stalled`: too much has failed, so it is only probed until it
    answers; `disabled` by the node, for the `reason`; or `removed`.

    `pending` events have failed and will be tried again, `dead` ones were given up. Every attempt since `failing_since`
    has failed.
    """

    endpoint: str
    url: str
    kinds: list[str]
    format: Format
    state: State
    created_at: str
    pending: int
    dead: int
    echo: bool = False
    about: str = ""
    bot: PersonRef | None = None
    reason: str | None = None
    failing_since: str | None = None
    sent_at: str | None = None
    failed_at: str | None = None


@record
class EndpointReply:
    endpoint: EndpointInfo


@record
class EndpointSecret:
    """`secret` is shown this once. `old_until`: the one from before signs too until then."""

    endpoint: EndpointInfo
    secret: str
    old_until: str | None = None


@record
class EndpointList:
    """In the order of ids; without `next` on the last page."""

    endpoints: list[EndpointInfo]
    next: str | None = None


@record
class EndpointTest:
    """What came of a test event. `answer` is the beginning of an answer other than 2xx."""

    sent: bool
    ms: int
    status: int | None = None
    error: str | None = None
    answer: str | None = None


@record
class ListFailed:
    """`after` takes the `next` of the previous page."""

    endpoint: Id
    state: DeliveryState | None = None
    after: Gid | None = None
    limit: Limit = 50


@record
class DeliveryInfo:
    """An event that failed. `event` is its webhook-id, for `webhooks.replay`; `answer` the beginning of the last
    answer, kept for a day."""

    event: str
    gid: int
    kind: str
    state: DeliveryState
    attempts: int
    due_at: str | None = None
    tried_at: str | None = None
    status: int | None = None
    error: str | None = None
    answer: str | None = None


@record
class DeliveryPage:
    """Newest first; without `next` on the last page."""

    deliveries: list[DeliveryInfo]
    next: int | None = None


@record
class ListAttempts:
    """`after` takes the `next` of the previous page."""

    endpoint: Id
    after: Gid | None = None
    limit: Limit = 50


@record
class AttemptInfo:
    """One attempt to post an event; it succeeded with a `status` of 2xx. `error` says what failed, or what was wrong
    with the answer to an invocation."""

    event: str
    kind: str
    at: str
    ms: int
    status: int | None = None
    error: str | None = None


@record
class Attempts:
    """The newest attempts, newest first; without `next` on the last page."""

    attempts: list[AttemptInfo]
    next: int | None = None


@record
class ReplayEvents:
    """Either one `event`, by its webhook-id, or all from a gid or a time on, up to a gid, which is included, or a time.

    Without `to_gid` or `to_time`, all that the endpoint has had so far.
    """

    endpoint: Id
    event: EventId | None = None
    from_gid: Gid | None = None
    from_time: Time | None = None
    to_gid: Gid | None = None
    to_time: Time | None = None


@record
class Replaying:
    """The range of the log that is sent again: what the endpoint gets of it. Absent for a single event, and if there
    is nothing."""

    from_gid: int | None = None
    to_gid: int | None = None


@record
class Recovered:
    """How many events will be sent again."""

    events: int
