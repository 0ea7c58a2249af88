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

_FULL_AFTER_SECONDS = 60.0
"""After so long without use a bucket is full, as if it were not there."""


class Rate:
    """Buckets of one kind, by key. `per_minute` 0 is no limit. `clock` gives seconds."""

    def __init__(self, what: str, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.what = what
        self.per_minute = per_minute
        self._clock = clock
        self._buckets: dict[object, tuple[float, float]] = {}
        self._before: dict[object, tuple[float, float]] = {}  # last used in the previous period
        self._began = clock()

    def __len__(self) -> int:
        """How many buckets are kept."""
        return len(self._buckets) + len(self._before)

    def take(self, key: object) -> None:
        """Take one from the key's bucket; raises `Refusal("rate_limited")` with `retry_after` when it is empty."""
        if not self.per_minute:
            return
        now = self._clock()
        if now - self._began >= _FULL_AFTER_SECONDS:
            self._begin(now)
        per_second = self.per_minute / 60
        level, filled_at = self._buckets.get(key) or self._before.get(key) or (float(self.per_minute), now)
        level = min(self.per_minute, level + (now - filled_at) * per_second)
        if level < 1:
            raise Refusal(
                "rate_limited", f"too many {self.what}; at most {self.per_minute} a minute",
                retry_after=(1 - level) / per_second,
            )  # fmt: skip
        self._buckets[key] = (level - 1, now)

    def give_back(self, key: object) -> None:
        """Undo one `take` of the key, for a request that turned out to cost nothing."""
        if (bucket := self._buckets.get(key)) is not None:
            self._buckets[key] = (min(self.per_minute, bucket[0] + 1), bucket[1])

    def _begin(self, now: float) -> None:
        """Begin a period: buckets that were not used in the whole previous one are full, and are dropped together."""
        self._before, self._buckets, self._began = self._buckets, {}, now


class KeyedLocks:
    """A lock for each key, kept only while it is held or waited for. Waiters get it in order of arrival."""

    def __init__(self) -> None:
        self._locks: dict[object, tuple[trio.Lock, int]] = {}

    def __len__(self) -> int:
        return len(self._locks)

    @asynccontextmanager
    async def take(self, key: object) -> AsyncGenerator[None]:
        lock, users = self._locks.get(key, (trio.Lock(), 0))
        self._locks[key] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            lock, users = self._locks.pop(key)
            if users > 1:
                self._locks[key] = (lock, users - 1)


class Turns:
    """Costly work: `most` pieces at a time in all, and of one requester one after the other.

    So a requester who asks for much waits behind themselves, and others wait for one piece of theirs at most.
    """

    def __init__(self, most: int) -> None:
        self._all = trio.CapacityLimiter(most)
        self._each = KeyedLocks()

    def __len__(self) -> int:
        """How many requesters work or wait."""
        return len(self._each)

    @asynccontextmanager
    async def take(self, key: object) -> AsyncGenerator[None]:
        async with self._each.take(key), self._all:
            yield
