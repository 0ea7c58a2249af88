"""Deletes what is no longer needed: what was given up long ago, and answers, which may repeat what was sent; and
endpoints of bots that have ended.

Answers also go as soon as any message is edited or deleted, or a user erased: nobody knows which of them repeats it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chatnode.api import (
    DAY_MS,
    Consumer,
    Context,
    MessageDeleted,
    MessageEdited,
    RemovalNote,
    Row,
    Task,
    Transaction,
    Write,
    counted,
    now_ms,
)
from chatnode_webhooks.outgoing import deliveries, endpoints
from chatnode_webhooks.outgoing.showing import record_changed
from chatnode_webhooks.settings import WebhooksSettings

_HOUR_SECONDS = 3_600.0
_AT_A_TIME = 1_000


async def clean(ctx: Context) -> str | None:
    """Delete what is old; returns what was done, or None."""
    now = now_ms()
    kept_since, answers_since = now - ctx.settings(WebhooksSettings).keep_days * DAY_MS, now - DAY_MS
    deleted = 0
    while True:
        some = await ctx.write(
            lambda tx: deliveries.clean(tx, kept_since, answers_since, _AT_A_TIME), repeatable=True
        )  # fmt: skip
        deleted += some
        if some < _AT_A_TIME:
            break
    for key in await ctx.read(lambda reader: endpoints.of_ended_bots(reader, kept_since)):
        await ctx.write(lambda tx, key=key: _remove(tx, key, kept_since), repeatable=True)
    await ctx.write(lambda tx: endpoints.delete_removed(tx, kept_since), repeatable=True)
    return f"deleted {counted(deleted, 'event')} that could not be delivered" if deleted else None


def _remove(tx: Transaction, key: int, before: int) -> None:
    """Unless its bot can act again."""
    if key in endpoints.of_ended_bots(tx, before):
        endpoints.remove(tx, key)
        found = endpoints.by_key(tx, key)
        assert found is not None
        record_changed(tx, found)


async def after_removal(ctx: Context, note: RemovalNote) -> Mapping[str, int]:
    """Forget the answers before the node looks for what is left of an erased user."""
    await ctx.write(deliveries.forget_answers, repeatable=True)
    return {}


async def _forget_answers(ctx: Context, rows: Sequence[Row]) -> Write[object] | None:
    return deliveries.forget_answers


FORGETTING = Consumer(
    "forgetting_answers", _forget_answers, frozenset({MessageDeleted.name, MessageEdited.name}),
    where=deliveries.KEEPS_ANSWERS, repeatable=True,
)  # fmt: skip
UPKEEP = Task("outgoing_upkeep", clean, every=_HOUR_SECONDS)
