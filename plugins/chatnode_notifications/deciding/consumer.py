"""Deciding who is notified of posted messages: a consumer of the log, so that each message is decided once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import trio

from chatnode.api import Consumer, Context, MessagePosted, Reader, Row, Transaction, Write, now_ms
from chatnode_notifications.deciding import bundles, fanning
from chatnode_notifications.deciding.bundles import BundleDraft
from chatnode_notifications.deciding.judging import Judging
from chatnode_notifications.deciding.looking import Candidates, Share, place_of, read_shares
from chatnode_notifications.deciding.rules import oldest_judged
from chatnode_notifications.items.figures import JUDGED
from chatnode_notifications.settings import NotificationsSettings
from chatnode_notifications.tasks import CLOSING, FANNING_OUT
from chatnode_notifications.transports.state import plugin_state


async def decide(ctx: Context, rows: Sequence[Row]) -> Write[object] | None:
    """Judge messages once they have settled: users who have them open have read them by then, and cost no write."""
    await _settle(ctx, rows[-1])
    places, oldest = [place_of(row) for row in rows], oldest_judged(ctx)

    def read(reader: Reader) -> tuple[Candidates, list[Share]]:
        return read_shares(reader, places, oldest)

    found, later = await ctx.read(read)
    drafts = await Judging(ctx, found).run() if found.possible else []
    ctx.count(JUDGED, len(rows))
    if not drafts and not later:
        return None
    wakes = plugin_state(ctx).wakes
    wakes.wake(CLOSING)
    if later:
        wakes.wake(FANNING_OUT)
    return partial(_write, drafts, later)


async def _settle(ctx: Context, newest: Row) -> None:
    settled = ctx.settings(NotificationsSettings).settle_seconds
    wait = newest.at / 1_000 + settled - now_ms() / 1_000
    await trio.sleep(min(max(wait, 0.0), settled))  # the clock may have been set back


def _write(drafts: Sequence[BundleDraft], later: Sequence[Share], tx: Transaction) -> None:
    bundles.store(tx, drafts)
    fanning.put_off(tx, later)


CONSUMER = Consumer("deciding", decide, frozenset({MessagePosted.name}), most=2_000, pause=2.0, repeatable=True)
