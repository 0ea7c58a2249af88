"""Limits per requester: rates per minute, and turns for costly work.

Rates are token buckets per user, address or handle, initially full, so a burst of a minute's worth passes. They are
in memory; a restart resets them.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import trio

from chatnode.errors import Refusal

_FULL_AFTER_SECONDS = 60.0
"""After this time without use a bucket is full and can be dropped."""


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
        """The number of buckets."""
        return len(self._buckets) + len(self._before)

    def take(self, key: object) -> None:
        """Take one token from the key's bucket; raises `Refusal("rate_limited")` with `retry_after` when it is
        empty."""
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
        """Undo a `take` of the key, for a request that turned out to be free."""
        if (bucket := self._buckets.get(key)) is not None:
            self._buckets[key] = (min(self.per_minute, bucket[0] + 1), bucket[1])

    def _begin(self, now: float) -> None:
        """Begin a period and drop the buckets that were not used in the previous one, which are full."""
        self._before, self._buckets, self._began = self._buckets, {}, now


class KeyedLocks:
    """A lock per key, kept only while held or waited for. Waiters get it in order of arrival."""

    def __init__(self) -> None:
        self._locks: dict[object, tuple[trio.Lock, int]] = {}

    def __len__(self) -> int:
        return len(self._locks)

    @asynccontextmanager
    async def hold(self, key: object) -> AsyncGenerator[None]:
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
    """Turns for costly work: at most `most` pieces at a time, one per requester.

    A requester with much work waits behind themself; others wait for at most one piece of it.
    """

    def __init__(self, most: int) -> None:
        self._all = trio.CapacityLimiter(most)
        self._each = KeyedLocks()

    def __len__(self) -> int:
        """The number of requesters that work or wait."""
        return len(self._each)

    @asynccontextmanager
    async def turn(self, key: object) -> AsyncGenerator[None]:
        async with self._each.hold(key), self._all:
            yield
