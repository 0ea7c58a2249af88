"""When a delivery is tried again."""

from __future__ import annotations

_SECOND, _MINUTE, _HOUR = 1_000, 60_000, 3_600_000
WAITS_MS = (
    10 * _SECOND, _MINUTE, 5 * _MINUTE, 15 * _MINUTE, _HOUR, 2 * _HOUR, 4 * _HOUR, 8 * _HOUR, 8 * _HOUR,
)  # fmt: skip
"""After the first attempt, the second, and so on."""
SPREAD = 0.2
"""Each wait is up to this share longer or shorter, so that what failed together does not come back together."""


def next_attempt(attempts: int, now: int, ends: int, least_seconds: float, chance: float) -> int | None:
    """When to try again after `attempts` failures; None if it was the last attempt.

    Times are in milliseconds. `ends` is when it is too late. `least_seconds` is what the other side asks to wait, and
    `chance`, from 0 to 1, where in the spread the wait lies.
    """
    if attempts > len(WAITS_MS):
        return None
    wait = WAITS_MS[max(attempts, 1) - 1] * (1 - SPREAD + 2 * SPREAD * chance)
    at = now + int(max(wait, least_seconds * 1_000))
    return at if at < ends else None
