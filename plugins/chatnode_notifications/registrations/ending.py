"""Registrations end with the session that made them."""

from __future__ import annotations

from collections.abc import Sequence

from chatnode.api import (
    DAY_MS,
    Consumer,
    Context,
    Row,
    SessionRevoked,
    Task,
    Transaction,
    Write,
    counted,
    json_array,
    now_ms,
)

_GONE_DAYS = 30
_SLICE = 500


async def follow_revoked(ctx: Context, rows: Sequence[Row]) -> Write[object] | None:
    """Delete what the devices had registered that were signed out."""
    keys = json_array(row.subject for row in rows)
    sql = "DELETE FROM notifications_registrations WHERE session IN (SELECT value FROM json_each(?))"
    return lambda tx: tx.execute(sql, (keys,))


async def forget(ctx: Context) -> str | None:
    """Delete registrations of sessions that expired and of accounts that were deactivated, and what is long gone."""
    now = now_ms()
    count = 0
    while done := await ctx.write(lambda tx: _forget(tx, now)):
        count += done
    return f"removed {counted(count, 'device')}" if count else None


def _forget(tx: Transaction, now: int) -> int:
    return tx.execute(
        "DELETE FROM notifications_registrations WHERE key IN (SELECT r.key FROM notifications_registrations r "
        "JOIN people p ON p.key = r.person LEFT JOIN sessions s ON s.key = r.session "
        "WHERE p.deactivated_at IS NOT NULL OR (r.session IS NOT NULL AND (s.key IS NULL OR s.expires_at <= :now)) "
        "OR (r.state = 'gone' AND coalesce(r.last_ok_at, r.created_at) < :old) LIMIT :most)",
        {"now": now, "old": now - _GONE_DAYS * DAY_MS, "most": _SLICE},
    ).rowcount


CONSUMER = Consumer("sessions", follow_revoked, frozenset({SessionRevoked.name}))
TASK = Task("forget_devices", forget, every=86_400)
