"""Keeping the database in order."""

from __future__ import annotations

from chatnode.model.times import DAY_MS
from chatnode.storage.database import Transaction

KEPT_MS = 7 * DAY_MS
"""For so long after its end it can still be said of a session or invite that it has expired."""


def remove_expired(tx: Transaction) -> tuple[int, int]:
    """Removes sessions and invites that ended more than a week ago; returns how many of each."""
    before = tx.now - KEPT_MS
    sessions = tx.execute("DELETE FROM sessions WHERE expires_at < ?", (before,)).rowcount
    invites = tx.execute("DELETE FROM invites WHERE expires_at < ?", (before,)).rowcount
    return sessions, invites


def optimize(tx: Transaction) -> None:
    """Takes milliseconds: `analysis_limit` bounds how many rows of each index are looked at."""
    tx.execute("PRAGMA analysis_limit=400")
    tx.execute("PRAGMA optimize")
