"""How fast events are sent to one endpoint."""

from __future__ import annotations

import trio

BURST_SECONDS = 6.0
"""Events of this many seconds may be sent at once."""

_NEXT_TO_NOTHING = 1e-9
"""What rounding leaves: no clock can wait for that."""


class SendingRate:
    """At most `per_minute` events, a tenth of them at once; 0 for any number."""

    def __init__(self, per_minute: int) -> None:
        self._rate = per_minute / 60
        self._most = max(1.0, self._rate * BURST_SECONDS)
        self._left = self._most
        self._at = trio.current_time()

    def wait(self) -> float:
        """Seconds until the next one."""
        if not self._rate:
            return 0.0
        now = trio.current_time()
        self._left = min(self._most, self._left + (now - self._at) * self._rate)
        self._at = now
        missing = 1 - self._left
        return missing / self._rate if missing > _NEXT_TO_NOTHING else 0.0

    def take(self) -> None:
        """One was sent."""
        self._left -= 1
