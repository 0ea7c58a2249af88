"""How much one requester may take: so many of something per minute, and costly work only in turn.

Rates are a token bucket for each person, address or handle, full at first, so that a burst of a minute's worth
passes. They live in memory: a restart forgives.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import trio

from chatnode.errors import Refusal

_FORGET_ABOVE = 10_000


class Rate:
    """Buckets of one kind, by key. `per_minute` 0 is no limit."""

    def __init__(self, what: str, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.what = what
        self.per_minute = per_minute
        self._clock = clock
        self._buckets: dict[object, tuple[float, float]] = {}

    def take(self, key: object) -> None:
        """Take one from the key's bucket; raises `Refusal("rate_limited")` with `retry_after` when it is empty."""
        if not self.per_minute:
            return
        now = self._clock()
        per_second = self.per_minute / 60
        level, filled_at = self._buckets.get(key, (float(self.per_minute), now))
        level = min(self.per_minute, level + (now - filled_at) * per_second)
        if level < 1:
            raise Refusal(
                "rate_limited", f"too many {self.what}; at most {self.per_minute} a minute",
                retry_after=(1 - level) / per_second,
            )  # fmt: skip
        if len(self._buckets) > _FORGET_ABOVE:
            self._forget_full(now)
        self._buckets[key] = (level - 1, now)

    def _forget_full(self, now: float) -> None:
        """After a minute without use a bucket is full, as if it were not there."""
        self._buckets = {key: bucket for key, bucket in self._buckets.items() if now - bucket[1] < 60}


class Turns:
    """Costly work: `most` pieces at a time in all, and of one requester one after the other.

    So whoever asks for much waits behind themselves, and others wait for one piece of theirs at most.
    """

    def __init__(self, most: int) -> None:
        self._all = trio.CapacityLimiter(most)
        self._waiting: dict[object, tuple[trio.Lock, int]] = {}

    @asynccontextmanager
    async def take(self, key: object) -> AsyncGenerator[None]:
        lock, users = self._waiting.get(key, (trio.Lock(), 0))
        self._waiting[key] = (lock, users + 1)
        try:
            async with lock, self._all:
                yield
        finally:
            lock, users = self._waiting.pop(key)
            if users > 1:
                self._waiting[key] = (lock, users - 1)
