"""What `notifications.explain` takes and gives."""

from __future__ import annotations

from typing import Literal

from chatnode.api import Id, record

Outcome = Literal["notified", "waiting", "due", "unreachable", "suppressed", "inbox", "never"]


@record
class ExplainNotification:
    message: Id


@record
class ExplainedRow:
    """A row of the decision table. `effect` is how it ends the matter, if it matches; `until`, how long it postpones
    the alert."""

    row: int
    condition: str
    matched: bool
    effect: str | None = None
    until: str | None = None


@record
class ExplainedDelivery:
    """What became of a notification on one device; `label` and `transport` are empty for one that is removed."""

    label: str
    transport: str
    state: str
    attempts: int
    error: str | None = None


@record
class Explanation:
    """`outcome`: `notified`, or `waiting` until `due_at`; otherwise what would happen now: `due` at `due_at`,
    `unreachable` (no device and no mail, and it was not meant for the user personally), `suppressed` because it was
    read, `inbox` (it counts as unread, without an alert) or `never`. `decided_by` is the number of the row that ends
    the matter or postpones it longest. `devices` is the number of devices that alerts can go to.
    """

    outcome: Outcome
    reason: str
    personal: bool
    rows: list[ExplainedRow]
    devices: int
    mail: str
    deliveries: list[ExplainedDelivery]
    decided_by: int | None = None
    due_at: str | None = None
