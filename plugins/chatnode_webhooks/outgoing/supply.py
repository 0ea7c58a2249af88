"""Which event an endpoint gets next: a new one of the log, a replayed one, or one that failed before."""

from __future__ import annotations

from collections.abc import Collection
from math import inf

import attrs
import trio

from chatnode.api import Context, Reader, now_ms, record
from chatnode_webhooks.outgoing import deliveries
from chatnode_webhooks.outgoing.deliveries import FAR_MS, FailedEvent, ReplayRange
from chatnode_webhooks.outgoing.endpoints import Endpoint
from chatnode_webhooks.outgoing.reading import Heard
from chatnode_webhooks.outgoing.tracks import Track

REST_SECONDS, MOST_REST = 0.05, 1.0
"""Between two looks at the log: twice as long each time that there was nothing for it."""


@record(frozen=True)
class QueuedEvent:
    """An event to send. One that failed before has neither `heard` nor `track`: it is read again when it is sent, and
    `due_at` is when that was to be."""

    gid: int
    kind: str
    heard: Heard | None = None
    track: Track | None = None
    due_at: int | None = None


class Supply:
    """One per endpoint. `live` is its way through what is new."""

    def __init__(self, ctx: Context, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.live = Track(endpoint.cursor)
        self.replay: Track | None = None
        self._ctx = ctx
        self._next_due: int | None = 0
        self._failed_first = False
        self._rest, self._rest_until = 0.0, -inf

    async def next(self, busy: Collection[int]) -> QueuedEvent | None:
        """The next event, None if there is none now. `busy` are gids that are being sent, or are not settled yet.

        What failed and what is new take turns, so that neither waits for the other. A stalled endpoint gets what
        failed only, one at a time. Raises `Refusal("forbidden")` while the endpoint's bot cannot act.
        """
        if self.endpoint.state == "stalled":
            return await self._probe(busy)
        self._failed_first = not self._failed_first
        if self._failed_first:
            return await self._failed(busy) or await self._new()
        return await self._new() or await self._failed(busy)

    def seconds(self) -> float:
        """How long there is nothing to send, unless the log grows."""
        if self.endpoint.state == "stalled":
            return ((self.endpoint.probe_at or 0) - now_ms()) / 1000
        waits = [inf]
        if self.live.may_have_more:
            waits.append(self._rest_until - trio.current_time())
        if self.replay is not None and self.replay.may_have_more:
            waits.append(0.0)
        if self._next_due is not None:
            waits.append(0.0 if _is_due(self._next_due) else (self._next_due - now_ms()) / 1000)
        return min(waits)

    def unsent(self, item: QueuedEvent) -> None:
        """It was taken, and nothing was sent."""
        if item.track is not None and item.heard is not None:
            item.track.put_back(item.heard)
        else:
            self._next_due = 0

    def settled(self, endpoint: Endpoint, next_due: int | None) -> None:
        """How things are stored now."""
        self.endpoint, self._next_due = endpoint, next_due

    async def start(self) -> None:
        """Begin with what is to be sent again. A range may end above what was stored as sent when it was asked for: all
        that was sent is stored by now."""
        await self.load_replay()
        if self.replay is not None:
            key, cursor = self.endpoint.key, self.live.position
            await self._ctx.write(lambda tx: deliveries.end_replays_at(tx, key, cursor), repeatable=True)
            await self.load_replay()

    async def load_replay(self) -> None:
        """Begin with the next range that is to be sent again, if there is one."""
        found: ReplayRange | None = await self._ctx.read(
            lambda reader: deliveries.next_replay(reader, self.endpoint.key)
        )
        self.replay = Track(found.cursor, found.upto, found.key) if found is not None else None

    async def _probe(self, busy: Collection[int]) -> QueuedEvent | None:
        if busy or (self.endpoint.probe_at or 0) > now_ms():
            return None
        found = await self._ctx.read(lambda reader: deliveries.to_probe(reader, self.endpoint.key))
        if found is not None:
            return QueuedEvent(found.gid, found.kind, due_at=found.due_at)
        self.endpoint = attrs.evolve(self.endpoint, state="active")  # nothing is left to wait for
        return await self._new()

    async def _failed(self, busy: Collection[int]) -> QueuedEvent | None:
        if self._next_due is None or not _is_due(self._next_due):
            return None
        key, limit = self.endpoint.key, len(busy) + 1

        def read(reader: Reader) -> tuple[list[FailedEvent], int | None]:
            return deliveries.due(reader, key, now_ms(), limit), deliveries.next_due_at(reader, key)

        found, next_due = await self._ctx.read(read)
        for each in found:
            if each.gid not in busy:
                return QueuedEvent(each.gid, each.kind, due_at=each.due_at)
        self._next_due = None if found else next_due  # those that are busy are known again when they are settled
        return None

    async def _new(self) -> QueuedEvent | None:
        if self.live.may_have_more and trio.current_time() >= self._rest_until:
            if (item := await self._next_of(self.live)) is not None:
                self._rest = 0.0
                return item
            self._rest = min(MOST_REST, max(REST_SECONDS, self._rest * 2))
            self._rest_until = trio.current_time() + self._rest
        return await self._next_of(self.replay) if self.replay is not None else None

    async def _next_of(self, track: Track) -> QueuedEvent | None:
        heard = await track.next_event(self._ctx, self.endpoint)
        return QueuedEvent(heard.gid, heard.kind, heard, track) if heard is not None else None


def _is_due(at: int) -> bool:
    """One that is far away is due too: it is from before the clock was set back."""
    return not now_ms() < at <= now_ms() + FAR_MS
