"""For operators: the queue of deliveries."""

from __future__ import annotations

from typing import Annotated, Any

from chatnode.api import (
    OPERATE,
    Context,
    Id,
    Querying,
    Refusal,
    Transaction,
    Whole,
    command,
    record,
    rfc3339,
    rfc3339_or_none,
)
from chatnode_notifications.delivering.rows import DeliveryState
from chatnode_notifications.transports.addresses import origin_of
from chatnode_notifications.transports.transport import TransportName


@record
class ListQueue:
    """Deliveries in a state, by default those that wait, the oldest first."""

    state: DeliveryState = "pending"
    transport: TransportName | None = None
    after: Annotated[int, Whole(0)] = 0
    limit: Annotated[int, Whole(1)] = 50


@record
class QueuedDelivery:
    """A notification on its way to a device. `server` is where to; absent if the device was removed."""

    notification: str
    person: str
    state: DeliveryState
    attempts: int
    due_at: str
    registration: str | None = None
    transport: TransportName | None = None
    server: str | None = None
    tried_at: str | None = None
    status: int | None = None
    error: str | None = None


@record
class DeliveryQueue:
    deliveries: list[QueuedDelivery]
    next: int | None = None


@record
class SelectDeliveries:
    """Deliveries to a device, of a notification, by a transport; `everything` for all."""

    registration: Id | None = None
    notification: Id | None = None
    transport: TransportName | None = None
    everything: bool = False


@record
class DeliveriesChanged:
    deliveries: int


@command("notifications.queue", permission=OPERATE, reads=True)
async def list_queue(ctx: Context, asked: ListQueue) -> DeliveryQueue:
    """Notifications on their way to devices, or those that did not arrive, and why."""
    limit = ctx.page_size(asked.limit)
    rows = await ctx.query(lambda reader: _page(reader, asked, limit))
    return DeliveryQueue([_shown(*row[1:]) for row in rows], rows[-1][0] if len(rows) == limit else None)


@command("notifications.retry", permission=OPERATE, repeatable=True)
async def retry_deliveries(ctx: Context, asked: SelectDeliveries) -> DeliveriesChanged:
    """Try again now what waits for its next attempt, and what failed, as long as it is not too old."""
    return DeliveriesChanged(
        await ctx.write(lambda tx: _change(ctx, tx, asked, "retry", _RETRY, "('pending', 'failed')"))
    )


@command("notifications.forget", permission=OPERATE, repeatable=True)
async def forget_deliveries(ctx: Context, asked: SelectDeliveries) -> DeliveriesChanged:
    """Give up what waits for its next attempt. The notifications stay in their users' lists."""
    return DeliveriesChanged(await ctx.write(lambda tx: _change(ctx, tx, asked, "forget", _FORGET, "('pending')")))


_RETRY = "state = 'pending', attempts = 0, due_at = :now"
_FORGET = "state = 'expired', error = 'an operator gave it up'"


def _page(reader: Querying, asked: ListQueue, limit: int) -> list[Any]:
    return reader.execute(
        "SELECT d.key, i.id, p.id, d.state, d.attempts, d.due_at, r.id, r.transport, r.address, d.tried_at, d.status, "
        "d.error FROM notifications_deliveries d JOIN notifications_items i ON i.key = d.item "
        "JOIN people p ON p.key = i.person LEFT JOIN notifications_registrations r ON r.key = d.registration "
        "WHERE d.state = :state AND d.key > :after AND (:transport IS NULL OR r.transport = :transport) "
        "ORDER BY d.key LIMIT :limit",
        {"state": asked.state, "after": asked.after, "transport": asked.transport, "limit": limit},
    ).fetchall()


def _shown(
    notification: str, person: str, state: DeliveryState, attempts: int, due_at: int, registration: str | None,
    transport: TransportName | None, address: str | None, tried_at: int | None, status: int | None, error: str | None,
) -> QueuedDelivery:  # fmt: skip
    return QueuedDelivery(
        notification, person, state, attempts, rfc3339(due_at), registration, transport,
        (origin_of(address) or None) if address else None, rfc3339_or_none(tried_at),
        status, error,
    )  # fmt: skip


def _change(ctx: Context, tx: Transaction, asked: SelectDeliveries, action: str, change: str, states: str) -> int:
    wanted = {"registration": asked.registration, "notification": asked.notification, "transport": asked.transport}
    if not any(wanted.values()) and not asked.everything:
        raise Refusal("invalid", "name a registration, a notification or a transport, or ask for everything")
    conditions = {
        "registration": "registration IN (SELECT r.key FROM notifications_registrations r WHERE r.id = :registration)",
        "notification": "item IN (SELECT i.key FROM notifications_items i WHERE i.id = :notification)",
        "transport": "registration IN (SELECT r.key FROM notifications_registrations r WHERE r.transport = :transport)",
    }
    where = "".join(f" AND {conditions[name]}" for name, value in wanted.items() if value is not None)
    sql = f"UPDATE notifications_deliveries SET {change} WHERE state IN {states}{where}"  # noqa: S608 -- constants
    count = tx.execute(sql, {**wanted, "now": tx.now}).rowcount
    if count:
        ctx.audit(tx, f"queue.{action}", asked.registration or asked.notification or "", deliveries=count)
    return count


COMMANDS = (list_queue, retry_deliveries, forget_deliveries)
