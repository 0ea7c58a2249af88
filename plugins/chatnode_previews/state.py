"""What the plugin holds while a node is open: `ctx.state(Fetching)`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import trio

from chatnode.api import Context
from chatnode_previews.settings import PreviewsSettings

MOST_POSTPONED = 1_000
_LEAST_SECONDS = 1.0
_MINUTE_MS = 60_000


class Fetching:
    """What is being fetched now, and how much each user caused to be fetched in this minute.

    `busy` are the digests of addresses that are being fetched. `parsing` lets one page at a time be read, in a thread.
    `postponed` has those of addresses whose hosts are left alone for now, and the time, as of `trio.current_time`, to
    try again.
    """

    def __init__(self, per_minute: int) -> None:
        self.busy = set[bytes]()
        self.postponed: dict[bytes, float] = {}
        self.parsing = trio.CapacityLimiter(1)
        self._per_minute = per_minute
        self._minute = 0
        self._spent = Counter[int]()
        self._more = trio.Event()

    def wake(self) -> None:
        """There may be something to fetch, or room to fetch it."""
        self._more.set()

    async def wait(self) -> None:
        """Until `wake` was called since the last time, or an address can be tried again."""
        with trio.move_on_at(min(self.postponed.values(), default=math.inf)):
            await self._more.wait()
        self._more = trio.Event()

    def postpone(self, address: bytes, seconds: float) -> bool:
        """Whether there is room to remember it."""
        if len(self.postponed) >= MOST_POSTPONED:
            return False
        self.postponed[address] = trio.current_time() + max(seconds, _LEAST_SECONDS)
        return True

    def unavailable(self) -> set[bytes]:
        """The addresses that are being fetched, or have to wait."""
        now = trio.current_time()
        self.postponed = {address: until for address, until in self.postponed.items() if until > now}
        return self.busy | self.postponed.keys()

    def grant(self, person: int, wanted: int, now: int) -> int:
        """How many of `wanted` links a user, by key, may have fetched now, in milliseconds; they count as spent."""
        if not self._per_minute:
            return wanted
        minute = now // _MINUTE_MS
        if minute != self._minute:
            self._minute = minute
            self._spent.clear()
        granted = min(wanted, self._per_minute - self._spent[person])
        self._spent[person] += granted
        return granted


@asynccontextmanager
async def open_fetching(ctx: Context) -> AsyncGenerator[Fetching]:
    yield Fetching(ctx.settings(PreviewsSettings).links_per_minute)
