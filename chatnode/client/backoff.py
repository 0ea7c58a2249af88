"""How long to wait before connecting again."""

from __future__ import annotations

import random

import trio

FIRST_SECONDS = 0.25
MOST_SECONDS = 10.0
STEADY_SECONDS = 5.0
"""A connection that held for so long was a good one: the waits begin anew."""


class Backoff:
    """Doubling waits, each between half and all of its length, so that clients of a node that comes back do
    not all knock at once."""

    def __init__(self) -> None:
        self._tries = 0
        self._connected_at: float | None = None

    def connected(self) -> None:
        self._connected_at = trio.current_time()

    def next_wait(self, least: float = 0.0) -> float:
        """Seconds to wait now, `least` if the node named a time itself."""
        if self._connected_at is not None and trio.current_time() - self._connected_at > STEADY_SECONDS:
            self._tries = 0
        self._connected_at = None
        longest = min(MOST_SECONDS, FIRST_SECONDS * 2.0 ** min(self._tries, 20))
        self._tries += 1
        return max(least, longest * random.uniform(0.5, 1.0))
