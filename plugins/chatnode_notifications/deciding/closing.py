"""Closing what is due: it becomes an item, in the transaction that hands it to the transports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import trio

from chatnode.api import Context, Reader, Task, Transaction, json_array, now_ms, record
from chatnode_notifications.deciding import sends
from chatnode_notifications.deciding.due import Postponed, bundles_with, is_due, judge_again
from chatnode_notifications.deciding.rules import presence_of, rules_of
from chatnode_notifications.deciding.table import NodeRules, Presence
from chatnode_notifications.items.adding import ItemDraft, add_items
from chatnode_notifications.items.figures import ADDED
from chatnode_notifications.tasks import CLOSING
from chatnode_notifications.transports.state import plugin_state

MOST_CLOSED = 25
"""Bundles, and notifications that were sent, that are closed in one transaction: some milliseconds."""
_LOOK_SECONDS = 5.0
"""The task looks for work at least as often, and `_COMMIT_SECONDS` after it was woken: by a consumer, whose write is
not committed yet then."""
_COMMIT_SECONDS = 0.2


@record(frozen=True)
class _Due:
    """What is due, by key, and whose it is; `next_at` is when something else is."""

    bundles: Mapping[int, int]
    sends: Mapping[int, int]
    next_at: int | None


async def close_due(ctx: Context, ahead_ms: int = 0) -> int | None:
    """Close everything that is due, or will be within `ahead_ms`. Returns the time, in milliseconds, at which something
    else is due; None if there is nothing."""
    while True:
        found = await ctx.read(partial(_find_due, now=now_ms() + ahead_ms))
        if not found.bundles and not found.sends:
            return found.next_at
        now = now_ms()
        people = {*found.bundles.values(), *found.sends.values()}
        presence: dict[int, Presence] = {person: presence_of(ctx, person, now) for person in people}
        added = await ctx.write(partial(_close, found, presence, rules_of(ctx), ahead_ms))
        ctx.count(ADDED, added)


def _find_due(reader: Reader, now: int) -> _Due:
    found: list[dict[int, int]] = []
    for table in ("notifications_bundles", "notifications_items"):
        rows = reader.execute(
            f"SELECT key, person FROM {table} WHERE {is_due('due_at')} ORDER BY due_at LIMIT :most",  # noqa: S608
            {"now": now, "most": MOST_CLOSED},
        )
        found.append(dict(rows.fetchall()))
    times = [
        at
        for table in ("notifications_bundles", "notifications_items")
        for (at,) in reader.execute(f"SELECT min(due_at) FROM {table} WHERE due_at > ?", (now,))  # noqa: S608
        if at is not None
    ]
    bundles, sent = found
    return _Due(bundles, sent, min(times, default=None))


def _close(found: _Due, presence: Mapping[int, Presence], rules: NodeRules, ahead_ms: int, tx: Transaction) -> int:
    """Returns how many items were added."""
    now = tx.now + ahead_ms
    sends.close(tx, found.sends, presence, rules, now)
    bundles = bundles_with(tx, found.bundles)
    judged = judge_again(tx, bundles, presence, rules, now)
    later = [each for each in judged if isinstance(each, Postponed)]
    tx.executemany(
        "UPDATE notifications_bundles SET due_at = ? WHERE key = ?", [(each.due_at, each.bundle.key) for each in later]
    )
    _remove(tx, [bundle.key for bundle, each in zip(bundles, judged, strict=True) if not isinstance(each, Postponed)])
    return len(add_items(tx, [each for each in judged if isinstance(each, ItemDraft)]))


def _remove(tx: Transaction, keys: Sequence[int]) -> None:
    tx.execute(
        "DELETE FROM notifications_bundles WHERE key IN (SELECT value FROM json_each(?))",
        (json_array(keys),),
    )


def judge_soon(tx: Transaction, person: int) -> None:
    """The user has chosen other settings: judge again what is held back for them."""
    tx.execute(
        "UPDATE notifications_bundles SET due_at = :now WHERE person = :person AND due_at > :now",
        {"person": person, "now": tx.now},
    )
    tx.execute(
        "UPDATE notifications_items SET due_at = :now WHERE person = :person AND due_at > :now",
        {"person": person, "now": tx.now},
    )


async def keep_closing(ctx: Context) -> None:
    """Until cancelled."""
    while True:
        next_at = await close_due(ctx)
        wait = _LOOK_SECONDS if next_at is None else min(_LOOK_SECONDS, (next_at - now_ms()) / 1_000)
        if await plugin_state(ctx).wakes.wait(CLOSING, max(0.0, wait)):
            await trio.sleep(_COMMIT_SECONDS)


TASK = Task(CLOSING, keep_closing)
