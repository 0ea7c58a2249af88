"""Hours in which broadcasts are sent, and how fast."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
import trio
import trio.testing
from chatnode_crm.broadcasts import sending as module
from chatnode_crm.broadcasts.windows import Window, as_time, minutes_of
from hypothesis import given
from hypothesis import strategies as st

from chatnode.api import zone_of
from chatnode.node import Node
from chatnode.testing import User
from tests.plugins.crm.broadcasts.sending import create
from tests.plugins.crm.people.making import count, of_account
from tests.plugins.sql import rows

DAY = Window(9 * 60, 18 * 60)
NIGHT = Window(22 * 60, 6 * 60)


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def test_open_in_the_zone_of_the_recipient() -> None:
    at = ms("2026-07-01T07:30:00Z")
    assert [DAY.is_open(zone, at) for zone in ("UTC", "Europe/Paris", "Asia/Tokyo", "America/New_York")] == [
        False, True, True, False,
    ]  # fmt: skip
    assert [NIGHT.is_open("UTC", ms(f"2026-07-01T{hour}:00:00Z")) for hour in ("05", "06", "21", "22", "00")] == [
        True, False, False, True, True,
    ]  # fmt: skip


def test_when_it_opens_next() -> None:
    assert DAY.next_opening("Europe/Paris", ms("2026-07-01T05:30:00Z")) == ms("2026-07-01T07:00:00Z")
    assert DAY.next_opening("Europe/Paris", ms("2026-07-01T17:00:00Z")) == ms("2026-07-02T07:00:00Z")
    assert DAY.next_opening("Europe/Paris", ms("2026-07-01T08:00:00Z")) == ms("2026-07-01T08:00:00Z")
    midnight = Window(minutes_of("24:00"), minutes_of("06:00"))
    assert midnight.next_opening("UTC", ms("2026-07-01T07:00:00Z")) == ms("2026-07-02T00:00:00Z")
    # The hour from 2:00 to 3:00 is skipped on this day.
    spring = Window(2 * 60 + 30, 4 * 60)
    assert spring.next_opening("Europe/Paris", ms("2026-03-29T00:00:00Z")) == ms("2026-03-29T01:30:00Z")


@pytest.mark.parametrize(
    ("window", "now", "opening"),
    [
        ((2 * 60 + 30, 10 * 60), "00:10", "00:30"), ((2 * 60 + 30, 10 * 60), "01:10", "01:30"),
        ((2 * 60 + 10, 2 * 60 + 20), "00:50", "01:10"),
    ],
)  # fmt: skip
def test_it_opens_twice_at_the_end_of_summer_time(window: tuple[int, int], now: str, opening: str) -> None:
    """It is 2:30 in Paris at 0:30 and again at 1:30."""
    found = Window(*window).next_opening("Europe/Paris", ms(f"2026-10-25T{now}:00Z"))
    assert found == ms(f"2026-10-25T{opening}:00Z")


ZONES = ["UTC", "Europe/Paris", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia"]


@given(
    st.integers(0, 1440), st.integers(0, 1440), st.sampled_from(ZONES),
    st.datetimes(datetime(2000, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC)),
)  # fmt: skip
def test_it_is_open_soon_after_it_opens_and_within_two_days(opens: int, closes: int, zone: str, at: datetime) -> None:
    window, now = Window(opens, closes), int(at.timestamp() * 1000)
    opening = window.next_opening(zone, now)
    assert now <= opening <= now + 2 * 86_400_000
    if window.is_open(zone, now):
        assert opening == now
    else:
        assert opening > now
        assert opening % 60_000 == 0


def test_times_of_day() -> None:
    assert [as_time(minutes_of(text)) for text in ("00:00", "09:05", "24:00")] == ["00:00", "09:05", "24:00"]


def test_names_of_zones_that_contacts_make_up_do_not_fill_the_memory() -> None:
    for number in range(1_100):
        zone_of(f"Mars/{number}")
    assert zone_of.cache_info().currsize <= 1_024


class TestTimed:
    """On a clock that jumps."""

    @pytest.fixture
    async def node(self, inline_node: Node) -> Node:
        return inline_node

    async def audience(self, node: Node, mara: User, handles: Sequence[str], **fields: Any) -> None:
        for handle in handles:
            await of_account(node, await User.new(node, handle), mara, **fields)

    async def test_so_many_a_minute(
        self, node: Node, mara: User, kim: User, autojump_clock: trio.testing.MockClock
    ) -> None:
        await self.audience(node, mara, [f"user{number}" for number in range(6)])
        await create(kim, per_minute=6)
        began = trio.current_time()
        await node.works.run_due()
        assert 50 <= trio.current_time() - began < 60
        assert await count(node, "SELECT count(*) FROM messages") == 6

    async def test_it_waits_for_the_window(
        self, node: Node, mara: User, kim: User, autojump_clock: trio.testing.MockClock,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        midnight = ms("2026-07-01T00:00:00Z")
        began = trio.current_time()
        monkeypatch.setattr(module, "now_ms", lambda: midnight + int((trio.current_time() - began) * 1000))
        await node.call("crm.fields.define", name="zone", kind="text")
        await self.audience(node, mara, ["paris"], custom={"1": "Europe/Paris"})
        await self.audience(node, mara, ["tokyo"], custom={"1": "Asia/Tokyo"})
        await self.audience(node, mara, ["york"], custom={"1": "nonsense"})
        window = {"opens": "09:00", "closes": "18:00", "zone": "America/New_York", "zone_field": "zone"}
        await create(kim, window=window)
        await node.works.run_due()
        order = "SELECT p.handle FROM messages m JOIN crm_talks t ON t.conversation = m.conversation "
        found = await rows(node, f"{order} JOIN people p ON p.key = t.person ORDER BY m.key")
        # Tokyo at once, as it is 9:00 there; Paris at 7:00 and New York at 13:00 UTC.
        assert [handle for (handle,) in found] == ["tokyo", "paris", "york"]
        assert 13 * 3_600 <= trio.current_time() - began < 13 * 3_600 + 301
