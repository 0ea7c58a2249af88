"""The node's scanner without clamd."""

from __future__ import annotations

import trio
from chatnode_attachments.scanning.scanner import MOST_WAIT, Scanner
from chatnode_attachments.settings import AttachmentsSettings
from trio.testing import MockClock


async def test_clamd_is_looked_for_until_it_is_there(autojump_clock: MockClock) -> None:
    scanner = Scanner(AttachmentsSettings(clamd="unix:/nowhere/clamd"))
    reasons: list[str] = []
    with trio.move_on_after(2_000 * MOST_WAIT) as half_a_day:
        await scanner.run(reasons.append)
    assert half_a_day.cancelled_caught
    assert len(reasons) == 1
    assert scanner.state == "down"
