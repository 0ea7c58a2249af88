"""What is removed some time after it was deleted: old entries of the journal, values of deleted fields, and words that
the index has only marked. In small transactions, with a rest after each, so that nobody waits for them."""

from __future__ import annotations

from collections.abc import Callable

import orjson
import trio

from chatnode.api import DAY_MS, Context, Task, Transaction, counted, now_ms
from chatnode_crm.contacts import fields, index, journal
from chatnode_crm.settings import CrmSettings

AT_ONCE = 200
"""Rows per transaction."""
_REST = 0.01


async def tidy(ctx: Context) -> str | None:
    """Do all that is due."""
    until = now_ms() - ctx.settings(CrmSettings).changes_days * DAY_MS
    entries = await _repeat(ctx, lambda tx: journal.remove_old(tx, until, AT_ONCE))
    values = await _strip(ctx)
    await _repeat(ctx, _tidy_words)
    if not entries and not values:
        return None
    removed = counted(entries, "journal entry", "journal entries")
    return f"removed {removed}, {counted(values, 'value')} of deleted fields"


async def _repeat(ctx: Context, step: Callable[[Transaction], int]) -> int:
    """Run a step until it does nothing; returns the sum."""
    done = 0
    while more := await ctx.write(step, repeatable=True):
        done += more
        await trio.sleep(_REST)
    return done


def _tidy_words(tx: Transaction) -> int:
    if tx.execute("SELECT 1 FROM crm_upkeep WHERE name = 'words'").fetchone() is None:
        return 0
    if index.tidy(tx):
        return 1
    tx.execute("DELETE FROM crm_upkeep WHERE name = 'words'")
    return 0


async def _strip(ctx: Context) -> int:
    """Remove the values of deleted fields from contacts. They were not shown any more."""
    if not await ctx.read(lambda reader: reader.execute("SELECT 1 FROM crm_upkeep WHERE name = 'fields'").fetchone()):
        return 0
    done, after = 0, 0
    while True:
        more, after = await ctx.write(lambda tx, after=after: _strip_some(tx, after), repeatable=True)
        done += more
        if not after:
            return done
        await trio.sleep(_REST)


def _strip_some(tx: Transaction, after: int) -> tuple[int, int]:
    """How many values were removed, and the last contact that was looked at; 0 at the end."""
    known = fields.by_key(tx)
    rows = tx.execute(
        "SELECT key, custom FROM crm_contacts WHERE key > ? AND custom IS NOT NULL ORDER BY key LIMIT ?",
        (after, AT_ONCE),
    ).fetchall()
    changed: list[tuple[str | None, int]] = []
    removed = 0
    for key, custom in rows:
        values = orjson.loads(custom)
        kept = {name: value for name, value in values.items() if name in known}
        if len(kept) < len(values):
            changed.append((orjson.dumps(kept).decode() if kept else None, key))
            removed += len(values) - len(kept)
    tx.executemany("UPDATE crm_contacts SET custom = ? WHERE key = ?", changed)
    if not rows:
        tx.execute("DELETE FROM crm_upkeep WHERE name = 'fields'")
    return removed, rows[-1][0] if rows else 0


TASK = Task("contacts_upkeep", tidy, every=86_400)
