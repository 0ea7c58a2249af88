"""Sends what is due, many at a time, and writes down what became of it.

A delivery is claimed in a transaction, sent, and its outcome stored in another one, together with others. A claim that
got no outcome, because the node was killed, is due again a minute later: a device may hear of it twice, with the same
id, and never not at all.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

import trio

from chatnode.api import HOUR_MS, Context, Refusal, Transaction, now_ms, record
from chatnode_notifications.delivering import rows
from chatnode_notifications.delivering.judging import HeldDelivery, Judged, Ready, SendingRules, SettledDelivery, judge
from chatnode_notifications.delivering.lanes import Lanes
from chatnode_notifications.delivering.outcomes import held_outcome, outcome_of, settled_outcome
from chatnode_notifications.delivering.rows import ClaimedDelivery, DeliveryOutcome
from chatnode_notifications.registrations.rows import record_result
from chatnode_notifications.settings import NotificationsSettings
from chatnode_notifications.transports import TRANSPORTS
from chatnode_notifications.transports.addresses import origin_of
from chatnode_notifications.transports.transport import Content, DeviceAddress, SendResult

MOST_CLAIMED = 100
"""In one transaction."""
MOST_IN_MEMORY = 400
AT_A_TIME = 32
PATIENCE = 20.0
"""Seconds after which one that waits for others to the same server is put back, to be judged again later."""
_POLL = 0.25
_LONGEST_SLEEP = 60.0
_REST = 0.1
"""Seconds after a batch with deliveries to servers that are busy."""
_AFTER_FAULT = 1.0
_ACTIVE_MS = 90_000
"""Milliseconds without activity after which a browser may have suspended its page. The page's connection still looks
alive, so the browser gets a push as well."""
_OUR_ERROR = "an error of the node; see its log"


@record(frozen=True)
class _Done:
    outcome: DeliveryOutcome
    word: str
    transport: str | None
    registration: int
    result: SendResult | None = None


class Sender:
    """One per node. `clock` returns milliseconds since 1970."""

    def __init__(self, ctx: Context, clock: Callable[[], int] = now_ms) -> None:
        self._ctx = ctx
        self._clock = clock
        self._lanes = Lanes(AT_A_TIME)
        self._busy: set[int] = set()
        self._done: list[_Done] = []
        self._finished = trio.Event()

    # ---- running

    async def run(self) -> None:
        """Until cancelled."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._keep_storing)
                while True:
                    commits = self._ctx.commits()
                    await self._start_due(nursery)
                    await self._wait(commits)
        finally:
            with trio.move_on_after(5) as scope:
                scope.shield = True
                await self._store()

    async def _wait(self, commits: int) -> None:
        """Until something is due. Whatever makes something due was committed, and to count commits costs nothing."""
        due = await self._ctx.read(rows.next_due)
        seconds = _LONGEST_SLEEP if due is None else min(max((due - self._clock()) / 1000, _POLL), _LONGEST_SLEEP)
        ends = trio.current_time() + seconds
        await trio.sleep(_POLL)
        while self._ctx.commits() == commits and trio.current_time() < ends:  # noqa: ASYNC110 - no event tells of it
            await trio.sleep(_POLL)

    async def _start_due(self, nursery: trio.Nursery) -> None:
        while True:
            due = await self._ctx.read(rows.next_due)
            if due is None or self._clock() < due < self._clock() + 24 * HOUR_MS:
                return
            while len(self._busy) > MOST_IN_MEMORY - MOST_CLAIMED:
                await self._finished.wait()
            if not await self._start_batch(nursery):
                return
            if self._lanes.crowded:
                await trio.sleep(_REST)

    # ---- sending

    async def _start_batch(self, nursery: trio.Nursery) -> int:
        """Claim deliveries that are due and start to send them; returns how many were claimed."""
        ctx, now = self._ctx, self._clock()
        claim = partial(rows.claim, now=now, most=MOST_CLAIMED, busy=frozenset(self._busy))
        claimed = await ctx.write(claim, repeatable=True)
        if not claimed:
            return 0
        self._busy |= {each.key for each in claimed}
        try:
            judged = await self._judge(claimed, self._rules(now))
        except BaseException:
            self._busy -= {each.key for each in claimed}
            raise
        for each in judged:
            if isinstance(each, SettledDelivery):
                self._finish(_Done(settled_outcome(each, now), each.state, each.transport, each.claimed.registration))
            elif isinstance(each, HeldDelivery):
                self._finish(_Done(held_outcome(each), "postponed", None, each.claimed.registration))
            else:
                nursery.start_soon(self._attempt, each)
        return len(claimed)

    async def _judge(self, claimed: Sequence[ClaimedDelivery], rules: SendingRules) -> list[Judged]:
        """One that cannot be judged fails alone."""
        try:
            return await self._ctx.read(lambda reader: judge(reader, claimed, rules))
        except Refusal:
            raise
        except Exception as error:
            if len(claimed) > 1:
                return [judged for each in claimed for judged in await self._judge([each], rules)]
            self._ctx.log.error("a notification cannot be made", exc_info=error, extra={"delivery": claimed[0].key})
            return [SettledDelivery(claimed[0], "failed", _OUR_ERROR)]

    def _rules(self, now: int) -> SendingRules:
        settings = self._ctx.settings(NotificationsSettings)
        return SendingRules(
            now, settings.max_age_hours * HOUR_MS, cast("Content", settings.max_content), settings.transports,
            self._ctx.base_url, self._ctx.epoch,
        )  # fmt: skip

    async def _attempt(self, ready: Ready) -> None:
        result = await self._result(ready)
        outcome, word = outcome_of(ready, result, self._clock(), random.random())
        self._finish(_Done(outcome, word, ready.to.transport, ready.to.key, result))

    async def _result(self, ready: Ready) -> SendResult:
        to = ready.to
        if _has_it_already(self._ctx, to, self._clock()):
            return SendResult("unneeded", "the device is connected and has the message")
        result = SendResult("postponed", "its server is busy", seconds=5)
        origin = origin_of(to.address)
        if not self._lanes.has_room(origin):
            return result
        with trio.move_on_after(PATIENCE) as waiting:
            async with self._lanes.turn(origin):
                waiting.deadline = math.inf
                result = await self._send(ready)
        return result

    async def _send(self, ready: Ready) -> SendResult:
        try:
            return await TRANSPORTS[ready.to.transport].send(self._ctx, ready.to, ready.alert)
        except Exception as error:  # one delivery that cannot be sent stops no other
            self._ctx.log.error(
                "a notification cannot be sent by %s", ready.to.transport, exc_info=error,
                extra={"delivery": ready.claimed.key},
            )  # fmt: skip
            return SendResult("retry", _OUR_ERROR)

    # ---- outcomes

    def _finish(self, done: _Done) -> None:
        self._done.append(done)
        self._finished.set()
        self._finished = trio.Event()

    async def _keep_storing(self) -> None:
        while True:
            finished = self._finished
            if not self._done:
                await finished.wait()
            await self._store()

    async def _store(self) -> None:
        """Write all outcomes there are, in one transaction. While the disk is full, again and again."""
        if not self._done:
            return
        batch, self._done = self._done, []
        try:
            await self._ctx.write(lambda tx: _write(tx, batch, self._clock()), repeatable=True)
        except Refusal:
            self._done = [*batch, *self._done]
            await trio.sleep(_AFTER_FAULT)
            return
        self._busy -= {each.outcome.key for each in batch}
        self._finished.set()
        self._finished = trio.Event()
        for each in batch:
            if each.transport is not None and each.word != "postponed":
                self._ctx.count(f"{each.transport}_{each.word}")


def _write(tx: Transaction, batch: Sequence[_Done], now: int) -> None:
    rows.store_outcomes(tx, [each.outcome for each in batch])
    for each in batch:
        if each.result is not None:
            record_result(tx, each.registration, each.result, now)


def _has_it_already(ctx: Context, to: DeviceAddress, now: int) -> bool:
    """Whether a push would tell a device of a message that it has got over its own connection."""
    if to.transport not in ("webpush", "unifiedpush") or to.session is None:
        return False
    if not any(each.session == to.session and not each.behind for each in ctx.live_sessions(to.person)):
        return False
    active = ctx.last_active(to.person)
    return to.transport == "unifiedpush" or (active is not None and now - active < _ACTIVE_MS)


async def send_notifications(ctx: Context) -> str | None:
    """Send notifications when they are due."""
    await Sender(ctx).run()
    return None
