"""Turns to send: few at a time for each server, so that one that does not answer holds up no other."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import trio

PER_ORIGIN = 4
MOST_WAITING = 100
"""For a turn at one origin; more are put back into the table."""


class Lanes:
    """`at_a_time` turns in all, and `PER_ORIGIN` for each origin."""

    def __init__(self, at_a_time: int) -> None:
        self._all = trio.CapacityLimiter(at_a_time)
        self._lanes: dict[str, trio.CapacityLimiter] = {}

    @property
    def crowded(self) -> bool:
        """Whether an origin has no room for more that wait."""
        return any(not self.has_room(origin) for origin in self._lanes)

    def has_room(self, origin: str) -> bool:
        """Whether one more may wait for its turn."""
        lane = self._lanes.get(origin)
        return lane is None or lane.statistics().tasks_waiting < MOST_WAITING

    @asynccontextmanager
    async def turn(self, origin: str) -> AsyncGenerator[None]:
        """Wait for a turn at an origin; empty is where nothing is sent over the network."""
        if not origin:
            yield
            return
        lane = self._lanes.setdefault(origin, trio.CapacityLimiter(PER_ORIGIN))
        try:
            async with lane, self._all:
                yield
        finally:
            found = lane.statistics()
            if not found.borrowed_tokens and not found.tasks_waiting:
                self._lanes.pop(origin, None)
