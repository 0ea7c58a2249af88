"""Lists and tags that were deleted: what is left of them, and how their rows are removed little by little."""

from __future__ import annotations

from typing import Literal

from chatnode.api import Transaction
from chatnode_crm.pivots import MEMBERS, TAGGINGS, Pivot

GroupKind = Literal["list", "tag"]
_PIVOTS: dict[GroupKind, Pivot] = {"list": MEMBERS, "tag": TAGGINGS}
AT_ONCE = 500
"""Rows that are removed in one transaction."""


def bury(tx: Transaction, kind: GroupKind, key: int, id: str) -> None:
    """After a list or a tag was deleted: events still find its id. A few rows are removed at once, more by `sweep`."""
    tx.execute("INSERT INTO crm_tombstones (kind, key, id, at) VALUES (?, ?, ?, ?)", (kind, key, id, tx.now))
    _remove_rows(tx, kind, key, AT_ONCE)


def sweep(tx: Transaction, most: int) -> int:
    """Remove up to `most` rows of a list or tag that was deleted; returns how many. Fewer: there may be others left."""
    found = tx.execute("SELECT kind, key FROM crm_tombstones WHERE swept = 0 LIMIT 1").fetchone()
    if found is None:
        return 0
    kind, key = found
    return _remove_rows(tx, kind, key, most)


def is_swept(tx: Transaction) -> bool:
    """Whether there is nothing left to remove."""
    return tx.execute("SELECT 1 FROM crm_tombstones WHERE swept = 0 LIMIT 1").fetchone() is None


def _remove_rows(tx: Transaction, kind: GroupKind, key: int, most: int) -> int:
    pivot = _PIVOTS[kind]
    removed = tx.execute(
        f"DELETE FROM {pivot.table} WHERE {pivot.group} = :key AND contact IN "  # noqa: S608 -- constants
        f"(SELECT contact FROM {pivot.table} WHERE {pivot.group} = :key ORDER BY contact LIMIT :most)",
        {"key": key, "most": most},
    ).rowcount
    if removed < most:
        tx.execute("UPDATE crm_tombstones SET swept = 1 WHERE kind = ? AND key = ?", (kind, key))
    return removed
