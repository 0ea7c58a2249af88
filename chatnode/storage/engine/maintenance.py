"""Keeping the database in order."""

from __future__ import annotations

from collections.abc import Callable

from chatnode.model.times import DAY_MS
from chatnode.storage.engine.connection import DatabaseError, Reader, was_interrupted
from chatnode.storage.engine.deadlines import interrupting
from chatnode.storage.engine.gaps import empty_log
from chatnode.storage.engine.transaction import Transaction

KEPT_MS = 7 * DAY_MS
"""How long after its end a session or invite is kept, to report that it has expired."""


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


def vacuum(connection: Reader, wanted: Callable[[], bool]) -> bool:
    """Rewrite the database without its unused pages; returns whether it came to its end. For `Database.maintain`.

    Given up as soon as the connection is `wanted` for a write, but for the last part, which moves the pages.
    """
    connection.execute("PRAGMA temp_store=FILE")  # as large as the database: not in memory
    try:
        with interrupting(connection, wanted):
            connection.execute("VACUUM")
    except DatabaseError as error:
        if was_interrupted(error):
            return False
        raise
    finally:
        connection.execute("PRAGMA temp_store=MEMORY")
    empty_log(connection)
    return True
