"""The task that runs a courier for each endpoint."""

from __future__ import annotations

import attrs
import trio

from chatnode.api import Context, Reader, log_rows
from chatnode_webhooks.outgoing import endpoints
from chatnode_webhooks.outgoing.courier import Courier
from chatnode_webhooks.outgoing.kinds import CHANGED
from chatnode_webhooks.outgoing.notices import notify

FIRST_PAUSE, MOST_PAUSE = 1.0, 60.0
"""Seconds before a courier that failed is started again, as when the disk is full; doubled each time."""
STEADY_SECONDS = 30.0
"""A courier that has run for this long begins with the first pause again."""
_KINDS = frozenset({CHANGED})
_END = 2**62


@attrs.define(eq=False)
class _Kept:
    """An endpoint whose courier is kept running. `changed`: it must be read again."""

    courier: Courier | None = None
    changed: bool = False


async def send_events(ctx: Context) -> None:
    """Run couriers until cancelled. A node without endpoints waits for one to be added, and does nothing else."""
    async with trio.open_nursery() as nursery:
        await _Board(ctx, nursery).run()


class _Board:
    def __init__(self, ctx: Context, nursery: trio.Nursery) -> None:
        self._ctx = ctx
        self._nursery = nursery
        self._kept: dict[int, _Kept] = {}

    async def run(self) -> None:
        """Start what is there, then follow the log for what is changed."""
        seen, keys = await self._ctx.read(self._begin)
        if await self._ctx.read(lambda reader: endpoints.of_other_epoch(reader, self._ctx.epoch)):
            await self._ctx.write(lambda tx: endpoints.begin_again(tx, self._ctx.epoch, seen))
        for key in keys:
            self._look_at(key)
        while True:
            await self._ctx.wait_for_log(seen, _KINDS)
            seen = await self._follow(seen)

    @staticmethod
    def _begin(reader: Reader) -> tuple[int, list[int]]:
        return log_rows(reader, _END, _KINDS, 1).head, endpoints.to_look_after(reader)

    async def _follow(self, seen: int) -> int:
        """Look at the endpoints that were changed since; returns the end of the log."""
        while True:
            after = seen
            found = await self._ctx.read(lambda reader, after=after: log_rows(reader, after, _KINDS))
            for key in dict.fromkeys(row.subject for row in found.rows):
                self._look_at(key)
            seen = found.reached
            if seen >= found.head:
                return seen

    def _look_at(self, key: int) -> None:
        kept = self._kept.get(key)
        if kept is None:
            self._kept[key] = kept = _Kept()
            self._nursery.start_soon(self._keep, key, kept)
            return
        kept.changed = True
        if kept.courier is not None:
            kept.courier.end()

    async def _keep(self, key: int, kept: _Kept) -> None:
        """Keep a courier running for as long as the endpoint is to be sent to."""
        pause = FIRST_PAUSE
        while True:
            began = trio.current_time()
            try:
                if not await self._run_courier(key, kept):
                    del self._kept[key]
                    return
            except Exception as error:  # one endpoint must not end the others
                steady = trio.current_time() - began >= STEADY_SECONDS
                pause = FIRST_PAUSE if steady else min(MOST_PAUSE, pause * 2)
                self._ctx.log.warning("a webhook endpoint waits %.0f s: %s", pause, type(error).__name__)
                await trio.sleep(pause)

    async def _run_courier(self, key: int, kept: _Kept) -> bool:
        """Run one until it ends; returns False if the endpoint needs none."""
        kept.changed = False
        endpoint = await self._ctx.read(lambda reader: endpoints.by_key(reader, key))
        if endpoint is not None and endpoint.notice is not None:
            await notify(self._ctx, endpoint, endpoint.notice)
        if endpoint is None or not endpoint.runs:
            return kept.changed
        if not kept.changed:
            kept.courier = Courier(self._ctx, endpoint)
            try:
                await kept.courier.run()
            finally:
                kept.courier = None
        return True
