"""The table `notifications_deliveries`: items on their way to registrations."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

from chatnode.api import DAY_MS, Querying, RestoreNote, Transaction, json_array, record

DeliveryState = Literal["pending", "sent", "failed", "bounced", "suppressed", "expired"]
CLAIM_MS = 60_000
"""A claim without an outcome, because the node was killed, is due again after this time."""
_LATEST_MS = DAY_MS
"""What is due later than this was stored by a clock that was ahead."""


@record(frozen=True)
class ClaimedDelivery:
    """A delivery that is being tried; keys are those of the tables. `attempts` counts this one."""

    key: int
    item: int
    registration: int
    attempts: int


@record(frozen=True)
class DeliveryOutcome:
    """What to store of a delivery. `due_at` is for one that is pending; `uncounted`: it was no attempt."""

    key: int
    state: DeliveryState
    due_at: int
    sent_at: int | None
    status: int | None
    error: str | None
    uncounted: bool = False


def next_due(reader: Querying) -> int | None:
    """When the next pending delivery is due, in milliseconds."""
    return reader.execute("SELECT min(due_at) FROM notifications_deliveries WHERE state = 'pending'").fetchone()[0]


def claim(tx: Transaction, now: int, most: int, busy: Collection[int]) -> list[ClaimedDelivery]:
    """Take deliveries that are due, the longest due first, but for those that are `busy`."""
    tx.execute(
        "UPDATE notifications_deliveries SET due_at = :now WHERE state = 'pending' AND due_at > :latest",
        {"now": now, "latest": now + _LATEST_MS},
    )
    rows = tx.execute(
        "UPDATE notifications_deliveries SET attempts = attempts + 1, tried_at = :now, due_at = :again WHERE key IN "
        "(SELECT key FROM notifications_deliveries WHERE state = 'pending' AND due_at <= :now "
        "AND key NOT IN (SELECT value FROM json_each(:busy)) ORDER BY due_at LIMIT :most) "
        "RETURNING key, item, registration, attempts",
        {"now": now, "again": now + CLAIM_MS, "busy": json_array(busy), "most": most},
    )
    return sorted((ClaimedDelivery(*row) for row in rows), key=lambda each: each.key)


def store_outcomes(tx: Transaction, outcomes: Sequence[DeliveryOutcome]) -> None:
    """One that ended otherwise meanwhile, with its registration or by an operator, stays as it is."""
    tx.executemany(
        "UPDATE notifications_deliveries SET state = ?, due_at = ?, sent_at = ?, status = ?, error = ?, "
        "attempts = attempts - ? WHERE key = ? AND state = 'pending'",
        [
            (each.state, each.due_at, each.sent_at, each.status, each.error, int(each.uncounted), each.key)
            for each in outcomes
        ],
    )


def after_restore(tx: Transaction, note: RestoreNote) -> None:
    """What was pending when the backup was made was told long ago."""
    tx.execute(
        "UPDATE notifications_deliveries SET state = 'expired', error = ? WHERE state = 'pending'",
        ("a backup was restored",),
    )
