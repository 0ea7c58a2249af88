"""Deletes what is no longer needed: what was given up long ago, and answers, which may repeat what was sent; and
endpoints of bots that have ended."""

from __future__ import annotations

from chatnode.api import Context, Task, Transaction, counted, now_ms
from chatnode_webhooks.outgoing import deliveries, endpoints
from chatnode_webhooks.outgoing.showing import record_changed
from chatnode_webhooks.settings import WebhooksSettings

_DAY_MS = 86_400_000
_HOUR_SECONDS = 3_600.0
_AT_A_TIME = 1_000


async def clean(ctx: Context) -> str | None:
    """Delete what is old; returns what was done, or None."""
    now = now_ms()
    kept_since, answers_since = now - ctx.settings(WebhooksSettings).keep_days * _DAY_MS, now - _DAY_MS
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


UPKEEP = Task("outgoing_upkeep", clean, every=_HOUR_SECONDS)
