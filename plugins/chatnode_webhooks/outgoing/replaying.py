"""Commands about what was sent, what failed, and what is to be sent again."""

from __future__ import annotations

from chatnode.api import (
    CHAT,
    Context,
    Reader,
    Refusal,
    Transaction,
    command,
    log_rows,
    milliseconds,
    rfc3339,
    rfc3339_or_none,
)
from chatnode_webhooks.outgoing import deliveries
from chatnode_webhooks.outgoing.deliveries import FailedEvent
from chatnode_webhooks.outgoing.endpoints import Endpoint
from chatnode_webhooks.outgoing.envelopes import gid_of, webhook_id
from chatnode_webhooks.outgoing.model import (
    AttemptInfo,
    Attempts,
    DeliveryInfo,
    DeliveryPage,
    ListAttempts,
    ListFailed,
    OfEndpoint,
    Recovered,
    ReplayEvents,
    Replaying,
)
from chatnode_webhooks.outgoing.reading import read_one
from chatnode_webhooks.outgoing.rights import find_managed, find_own
from chatnode_webhooks.outgoing.showing import record_changed
from chatnode_webhooks.outgoing.times import gid_before
from chatnode_webhooks.permissions import MANAGE

_NEWEST = 2**62


@command("webhooks.deliveries", permission=CHAT, or_permission=MANAGE, reads=True)
async def list_deliveries(ctx: Context, asked: ListFailed) -> DeliveryPage:
    """The events of an endpoint that have failed: `pending` ones will be retried, `dead` ones will not."""
    limit = ctx.page_size(asked.limit)

    def read(reader: Reader) -> list[FailedEvent]:
        endpoint = find_own(ctx, reader, asked.endpoint, reads=True)
        return deliveries.page(reader, endpoint.key, asked.state, asked.after or _NEWEST, limit)

    found = await ctx.read(read)
    shown = [
        DeliveryInfo(
            webhook_id(ctx.epoch, each.gid), each.gid, each.kind, each.state, each.attempts,
            rfc3339(each.due_at) if each.state == "pending" else None,
            rfc3339_or_none(each.tried_at), each.status, each.error, each.answer,
        )
        for each in found
    ]  # fmt: skip
    return DeliveryPage(shown, found[-1].key if len(found) == limit else None)


@command("webhooks.attempts", permission=CHAT, or_permission=MANAGE, reads=True)
async def list_attempts(ctx: Context, asked: ListAttempts) -> Attempts:
    """The last attempts to post events to an endpoint, up to a thousand of them."""
    limit = ctx.page_size(asked.limit)

    def read(reader: Reader) -> list[deliveries.StoredAttempt]:
        endpoint = find_own(ctx, reader, asked.endpoint, reads=True)
        return deliveries.attempts_page(reader, endpoint.key, asked.after or _NEWEST, limit)

    found = await ctx.read(read)
    shown = [
        AttemptInfo(webhook_id(ctx.epoch, each.gid), each.kind, rfc3339(each.at), each.ms, each.status, each.error)
        for each in found
    ]
    return Attempts(shown, found[-1].key if len(found) == limit else None)


@command("webhooks.replay", permission=CHAT, or_permission=MANAGE, limit="changes", repeatable=True)
async def replay(ctx: Context, asked: ReplayEvents) -> Replaying:
    """Send events to an endpoint again: one, or all of a range of the log. They have the same ids as before.

    They are as they are now: of a message that was deleted since, only that is sent. New events are not held up.
    """
    ranged = [each for each in (asked.from_gid, asked.from_time, asked.to_gid, asked.to_time) if each is not None]
    if asked.event is not None:
        if ranged:
            raise Refusal("invalid", "is for one event; leave out the range", path="event")
        return await _replay_one(ctx, asked.endpoint, gid_of(ctx.epoch, asked.event))
    if (asked.from_gid is None) == (asked.from_time is None):
        raise Refusal("invalid", "give `event`, or one of `from_gid` and `from_time`", path="from_gid")
    if asked.to_gid is not None and asked.to_time is not None:
        raise Refusal("invalid", "give one of `to_gid` and `to_time`", path="to_time")
    return await _replay_range(ctx, asked)


@command("webhooks.recover", permission=CHAT, or_permission=MANAGE, limit="changes", repeatable=True)
async def recover(ctx: Context, asked: OfEndpoint) -> Recovered:
    """Resend to an endpoint all events that could not be delivered."""

    def write(tx: Transaction) -> int:
        endpoint = find_managed(ctx, tx, asked.endpoint)
        count = deliveries.recover(tx, endpoint.key)
        if count:
            ctx.audit(tx, "recover", endpoint.id, events=count)
            _changed(ctx, tx, endpoint)
        return count

    return Recovered(await ctx.write(write, repeatable=True))


async def _replay_one(ctx: Context, id: str, gid: int) -> Replaying:
    endpoint = await ctx.read(lambda reader: find_managed(ctx, reader, id))
    heard = await read_one(ctx, endpoint, gid)
    if heard is None:
        raise Refusal("not_found", "there is no such event for this endpoint, or no longer", path="event")

    def write(tx: Transaction) -> None:
        found = find_managed(ctx, tx, id)
        deliveries.queue(tx, found.key, gid, heard.kind)
        ctx.audit(tx, "replay", id, gid=gid)
        _changed(ctx, tx, found)

    await ctx.write(write, repeatable=True)
    return Replaying()


async def _replay_range(ctx: Context, asked: ReplayEvents) -> Replaying:
    from_ms = milliseconds(asked.from_time) if asked.from_time is not None else None
    to_ms = milliseconds(asked.to_time) if asked.to_time is not None else None

    def write(tx: Transaction) -> Replaying:
        endpoint = find_managed(ctx, tx, asked.endpoint)
        after = (asked.from_gid or 1) - 1 if from_ms is None else gid_before(tx, from_ms)
        end = log_rows(tx, _NEWEST, None, 1).head
        upto = min(asked.to_gid or end, end) if to_ms is None else gid_before(tx, to_ms + 1)
        if upto <= after:
            return Replaying()
        deliveries.start_replay(tx, endpoint.key, after, upto)
        ctx.audit(tx, "replay", endpoint.id, from_gid=after + 1, to_gid=upto)
        _changed(ctx, tx, endpoint)
        return Replaying(after + 1, upto)

    return await ctx.write(write, repeatable=True)


def _changed(ctx: Context, tx: Transaction, endpoint: Endpoint) -> None:
    record_changed(tx, endpoint, ctx.account.key if ctx.account is not None else None)


COMMANDS = (list_deliveries, list_attempts, replay, recover)
