"""When a delivery is tried again."""

from __future__ import annotations

from chatnode_notifications.delivering.retrying import WAITS_MS, next_attempt
from hypothesis import given
from hypothesis import strategies as st

DAY = 86_400_000


def test_the_waits() -> None:
    waits = [next_attempt(attempts, 0, DAY, 0, 0.5) for attempts in range(1, 11)]
    assert waits == [
        10_000, 60_000, 300_000, 900_000, 3_600_000, 7_200_000, 14_400_000, 28_800_000, 28_800_000, None,
    ]  # fmt: skip


@given(st.integers(1, 20), st.integers(0, 2 * DAY), st.floats(0, 90_000), st.floats(0, 1))
def test_never_sooner_than_asked_and_never_too_late(attempts: int, now: int, asked: float, chance: float) -> None:
    at = next_attempt(attempts, now, DAY, asked, chance)
    if at is not None:
        assert now + int(asked * 1_000) <= at < DAY
        least, most = WAITS_MS[attempts - 1] * 0.8, WAITS_MS[attempts - 1] * 1.2
        assert now + int(least) <= at <= now + max(most, asked * 1_000)
    elif attempts <= len(WAITS_MS):
        assert now + max(WAITS_MS[attempts - 1] * 1.2, asked * 1_000) >= DAY
