"""What the plugin holds while a node is open: `ctx.state(Fetching)`."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import trio

from chatnode.api import Context
from chatnode_previews.settings import PreviewsSettings

_MINUTE_MS = 60_000


class Fetching:
    """What is being fetched now, and how much each user caused to be fetched in this minute.

    `busy` are the digests of addresses that are being fetched. `parsing` lets one page at a time be read, in a thread.
    """

    def __init__(self, per_minute: int) -> None:
        self.busy = set[bytes]()
        self.parsing = trio.CapacityLimiter(1)
        self._per_minute = per_minute
        self._minute = 0
        self._spent = Counter[int]()
        self._more = trio.Event()

    def wake(self) -> None:
        """There may be something to fetch, or room to fetch it."""
        self._more.set()

    async def wait(self) -> None:
        """Until `wake` was called since the last time."""
        await self._more.wait()
        self._more = trio.Event()

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
