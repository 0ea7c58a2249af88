"""Sends the events of one endpoint, at its own pace.

The log is the queue. An event that fails gets a row with a retry time of its own, and does not delay the others. The
position in the log and these rows are stored together: after a crash nothing is missing, and what was sent since the
last store is sent again, with the same id.
"""

from __future__ import annotations

from math import inf

import trio

from chatnode.api import Context, Refusal, now_ms
from chatnode_webhooks.outgoing.answering import pass_on
from chatnode_webhooks.outgoing.attempts import Attempt
from chatnode_webhooks.outgoing.deliveries import TRIM_EVERY, ReplayRange
from chatnode_webhooks.outgoing.endpoints import Endpoint
from chatnode_webhooks.outgoing.envelopes import make_body, webhook_id
from chatnode_webhooks.outgoing.kinds import EventFilter
from chatnode_webhooks.outgoing.later import with_address
from chatnode_webhooks.outgoing.pace import SendingRate
from chatnode_webhooks.outgoing.reading import read_one
from chatnode_webhooks.outgoing.schedule import MOST_WAIT
from chatnode_webhooks.outgoing.sending import send
from chatnode_webhooks.outgoing.settling import Done, Settled, Unsettled, store_outcomes
from chatnode_webhooks.outgoing.supply import QueuedEvent, Supply
from chatnode_webhooks.settings import WebhooksSettings

IN_FLIGHT = 4
CALM_FAILURES = 4
"""Failures in a row after which one event is sent at a time: what does not answer must not hold many connections."""
SETTLE_SECONDS = 1.0
SETTLE_EVENTS, SETTLE_FAILED = 100, 5
"""Number of events after which they are stored; fewer while they fail, so that the endpoint stalls in time."""
KEPT_IN_MEMORY = 10_000
"""Maximum number of rows of the log, none of them for it, to read again after a crash; this saves writes."""
BOT_SECONDS = 60.0
"""Between two looks while its bot cannot act."""


class Courier:
    """One per endpoint, made with how the endpoint is stored. `run` it; after `end` it finishes what it has begun."""

    def __init__(self, ctx: Context, endpoint: Endpoint) -> None:
        self._ctx = ctx
        self._supply = Supply(ctx, endpoint)
        self._names = EventFilter(endpoint.kinds).names
        self._pace = SendingRate(ctx.settings(WebhooksSettings).per_minute)
        self._stored = endpoint.cursor
        self._in_flight: list[int] = []
        """Gids; one may be there twice, as one that failed and one that is replayed."""
        self._done: list[Done] = []
        self._done_since = inf
        self._since_trim = 0
        self._failures = 0
        self._held_until = -inf
        self._ending = self._watching = False
        self._woken = trio.Event()

    @property
    def _endpoint(self) -> Endpoint:
        return self._supply.endpoint

    def end(self) -> None:
        """Begin no more; the endpoint was changed."""
        self._ending = True
        self._woken.set()

    async def run(self) -> None:
        """Until `end`, or until the endpoint is not to be sent to any more."""
        await self._supply.start()
        async with trio.open_nursery() as nursery:
            try:
                while self._in_flight or not self._ending:
                    self._woken = trio.Event()
                    await self._begin_sending(nursery)
                    if self._should_settle():
                        await self._settle()
                    await self._wait(nursery)
            finally:
                await self._settle()
            nursery.cancel_scope.cancel()

    # ---- sending

    async def _begin_sending(self, nursery: trio.Nursery) -> None:
        while self._may_send():
            try:
                item = await self._supply.next({*self._in_flight, *(each.gid for each in self._done)})
            except Refusal as refusal:
                self._wait_for_bot(refusal)
                return
            if item is None:
                return
            self._pace.take()
            self._in_flight.append(item.gid)
            nursery.start_soon(self._deliver, item)

    def _may_send(self) -> bool:
        now = trio.current_time()
        return self._has_room() and now >= self._held_until and not self._pace.wait()

    def _has_room(self) -> bool:
        calm = self._failures >= CALM_FAILURES or self._endpoint.state == "stalled"
        return not self._ending and len(self._in_flight) < (1 if calm else IN_FLIGHT)

    async def _deliver(self, item: QueuedEvent) -> None:
        try:
            attempt = await self._attempt(item)
        except Refusal as refusal:
            self._wait_for_bot(refusal)
            attempt = Attempt("held", 0, 0)
        self._in_flight.remove(item.gid)
        self._woken.set()
        if attempt is not None and attempt.wait is not None:
            self._held_until = max(self._held_until, trio.current_time() + min(attempt.wait, MOST_WAIT))
        if attempt is not None and attempt.outcome == "held":
            self._supply.unsent(item)
            return
        self._note(item, attempt)

    async def _attempt(self, item: QueuedEvent) -> Attempt | None:
        """None if there is nothing left to send. What failed before is judged again: the bot may have left, or the
        message may be deleted. Raises `Refusal("forbidden")` while the bot cannot act."""
        ctx, endpoint = self._ctx, self._endpoint
        heard = item.heard or await read_one(ctx, endpoint, item.gid)
        if heard is None:
            return None
        try:
            body = make_body(endpoint.format, ctx.epoch, with_address(ctx, endpoint, heard))
            attempt = await send(ctx, endpoint, webhook_id(ctx.epoch, item.gid), body)
            return await pass_on(ctx, endpoint, heard, attempt)
        except Exception as error:  # one event that cannot be sent must not be in the way of the others
            ctx.log.error("event %d cannot be sent to a webhook endpoint: %s", item.gid, type(error).__name__)
            return Attempt("failed", now_ms(), 0, error="the node failed; see its log")

    def _note(self, item: QueuedEvent, attempt: Attempt | None) -> None:
        if not self._done:
            self._done_since = trio.current_time()
        self._done.append(Done(item.gid, item.kind, attempt, item.due_at))
        if item.track is not None:
            item.track.ended(item.gid)
        if attempt is None:
            return
        sent = attempt.outcome == "sent"
        self._ctx.count("sent" if sent else "failed")
        self._failures = 0 if sent else self._failures + 1
        self._ending = self._ending or attempt.outcome == "gone"

    def _wait_for_bot(self, refusal: Refusal) -> None:
        """Raises `refusal` if it says anything else."""
        if refusal.code != "forbidden":
            raise refusal
        self._held_until = trio.current_time() + BOT_SECONDS

    # ---- storing

    def _should_settle(self) -> bool:
        if self._done:
            late = trio.current_time() - self._done_since >= SETTLE_SECONDS
            most = SETTLE_FAILED if self._failures >= CALM_FAILURES else SETTLE_EVENTS
            return late or not self._in_flight or len(self._done) >= most
        replay = self._supply.replay
        return self._supply.live.cursor - self._stored >= KEPT_IN_MEMORY or (replay is not None and replay.is_over)

    async def _settle(self) -> None:
        """Store what was done. Not cancellable: nothing that was sent is forgotten because the node stops."""
        replay, cursor = self._supply.replay, self._supply.live.cursor
        if not self._done and cursor == self._stored and replay is None:
            return
        done, self._done, self._done_since = self._done, [], inf
        trim = self._since_trim + len(done) >= TRIM_EVERY
        place = None if replay is None else ReplayRange(replay.key or 0, replay.cursor, replay.upto or 0)
        found = Unsettled(done, cursor, place, trim)
        try:
            settled = await self._store(found)
        except BaseException:
            self._done = [*done, *self._done]
            raise
        self._stored = cursor
        self._since_trim = 0 if trim else self._since_trim + len(done)
        if replay is not None and replay.is_over:
            await self._supply.load_replay()
        self._use(settled)

    async def _store(self, found: Unsettled) -> Settled:
        with trio.CancelScope(shield=True):
            return await self._ctx.write(lambda tx: store_outcomes(tx, self._endpoint.key, found), repeatable=True)
        raise AssertionError("nobody cancels it")

    def _use(self, settled: Settled) -> None:
        if settled.endpoint is None or not settled.endpoint.runs:
            self._ending = True
        if settled.endpoint is not None:
            self._supply.settled(settled.endpoint, settled.next_due)

    # ---- waiting

    async def _wait(self, nursery: trio.Nursery) -> None:
        """Until something has ended, the log has grown, or something is due."""
        if self._supply.live.at_end and not self._watching and not self._ending:
            self._watching = True
            nursery.start_soon(self._watch)
        with trio.move_on_after(max(0.0, self._seconds())):
            await self._woken.wait()

    async def _watch(self) -> None:
        live = self._supply.live
        await self._ctx.wait_for_log(live.position, self._names)
        self._watching = live.at_end = False
        self._woken.set()

    def _seconds(self) -> float:
        now = trio.current_time()
        to_settle = self._done_since + SETTLE_SECONDS - now
        if not self._has_room():
            return to_settle if self._in_flight else 0.0
        return min(to_settle, max(self._held_until - now, self._pace.wait(), self._supply.seconds()))
