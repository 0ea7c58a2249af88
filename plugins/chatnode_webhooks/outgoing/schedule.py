"""When what failed is tried again."""

from __future__ import annotations

import random

WAITS = (5, 300, 1_800, 7_200, 18_000, 36_000)
"""Seconds before each further attempt, as the Standard Webhooks specification suggests: some 17 hours in all."""
JITTER = 0.2
"""Waits are up to this part shorter or longer, so that what failed together does not come back together."""
PROBES = (5, 30, 120, 300, 900, 1_800)
"""Seconds before each probe of a stalled endpoint; the last one is repeated."""
MOST_WAIT = 36_000
"""No receiver is left alone for longer because it asks for that."""


def next_due(now: int, attempts: int, asked: float | None) -> int | None:
    """When an event that failed `attempts` times is due again, in milliseconds; None if it is given up. `asked`: the
    seconds that the receiver wants to be left alone."""
    if attempts > len(WAITS):
        return None
    seconds = WAITS[attempts - 1] * random.uniform(1 - JITTER, 1 + JITTER)
    return now + int(max(seconds, min(asked or 0, MOST_WAIT)) * 1000)


def next_probe(now: int, probes: int, asked: float | None = None) -> int:
    """When a stalled endpoint is tried again, after `probes` failed ones."""
    seconds = PROBES[min(probes, len(PROBES) - 1)] * random.uniform(1 - JITTER, 1 + JITTER)
    return now + int(max(seconds, min(asked or 0, MOST_WAIT)) * 1000)
