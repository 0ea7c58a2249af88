"""What the tables know about scans. One verdict holds for a content, and so for every file that has it.

`scan_due` is set while a content waits for the scanner: when it is new, when its last scan failed, and when it is to be
scanned again. Content that was found safe stays safe meanwhile.
"""

from __future__ import annotations

from typing import Literal

from chatnode.api import Querying, Reader, Transaction, record
from chatnode_attachments.scanning.verdicts import Clean, Infected, ScanVerdict, Unknown
from chatnode_attachments.store.uploads import discard

BATCH = 500
"""Rows of one transaction, so that no message waits for long."""
FIRST_RETRY_MS, LAST_RETRY_MS = 1_000, 600_000

Outcome = Literal["safe", "unsafe", "unchanged"]


@record(frozen=True)
class DueContent:
    """A content that is to be scanned. `name` is the name of its file, never used for another content."""

    key: int
    name: str
    bytes: int


@record(frozen=True)
class ScanBacklog:
    """What waits for the scanner. `oldest_at` is when the oldest of it was stored, in milliseconds."""

    waiting: int
    failed: int
    oldest_at: int | None


def due(reader: Reader, now: int, most: int) -> list[DueContent]:
    """The contents whose turn it is, oldest first."""
    rows = reader.execute(
        "SELECT key, name, bytes FROM attachments_blobs WHERE scan_due IS NOT NULL AND scan_due <= ? "
        "AND place = 'local' ORDER BY scan_due, key LIMIT ?",
        (now, most),
    )
    return [DueContent(*row) for row in rows.fetchall()]


def next_due(reader: Reader, but: frozenset[int]) -> int | None:
    """When the next content is due, in milliseconds; without those with the keys `but`."""
    rows = reader.execute(
        "SELECT key, scan_due FROM attachments_blobs WHERE scan_due IS NOT NULL AND place = 'local' "
        "ORDER BY scan_due, key LIMIT ?",
        (len(but) + 1,),
    )
    return next((at for key, at in rows.fetchall() if key not in but), None)


def backlog(reader: Querying) -> ScanBacklog:
    row = reader.execute(
        "SELECT count(*), coalesce(sum(scan = 'error'), 0), min(created_at) FROM attachments_blobs "
        "WHERE scan_due IS NOT NULL AND scan IN ('pending', 'error') AND place = 'local'"
    ).fetchone()
    return ScanBacklog(*row)


def store_verdict(tx: Transaction, content: DueContent, verdict: ScanVerdict) -> Outcome:
    """Store a verdict. What is unsafe goes into the trash with its thumbnails; the row stays, and says so."""
    found = tx.execute(
        "SELECT scan, scan_tries FROM attachments_blobs WHERE key = ? AND name = ? AND place = 'local' "
        "AND scan IN ('pending', 'error', 'safe')",
        (content.key, content.name),
    ).fetchone()
    if found is None:
        return "unchanged"  # it was removed meanwhile
    scan, tries = found
    match verdict:
        case Clean(by):
            tx.execute(
                "UPDATE attachments_blobs SET scan = 'safe', scan_tries = 0, scan_due = NULL, scanned_at = ?, "
                "scan_with = ?, scan_says = NULL WHERE key = ?",
                (tx.now, by, content.key),
            )
            return "unchanged" if scan == "safe" else "safe"
        case Infected(name, by):
            tx.execute(
                "UPDATE attachments_blobs SET scan = 'unsafe', place = 'removed', derive = 'none', placeholder = NULL, "
                "scan_tries = 0, scan_due = NULL, scanned_at = ?, scan_with = ?, scan_says = ? WHERE key = ?",
                (tx.now, by, name, content.key),
            )
            tx.execute("DELETE FROM attachments_derived WHERE blob = ?", (content.key,))
            discard(tx, "blobs", content.name)
            return "unsafe"
        case Unknown(why):
            wait = min(FIRST_RETRY_MS << min(tries, 20), LAST_RETRY_MS)
            tx.execute(
                "UPDATE attachments_blobs SET scan = ?, scan_tries = scan_tries + 1, scan_due = ?, scan_says = ? "
                "WHERE key = ?",
                ("safe" if scan == "safe" else "error", tx.now + wait, why, content.key),
            )
            return "unchanged"


# ---- what is due


def unscanned(reader: Reader, after: int) -> list[int]:
    """Some of the contents that were stored while nothing was scanned, by their keys above `after`."""
    rows = reader.execute(
        "SELECT key FROM attachments_blobs WHERE key > ? AND scan = 'off' ORDER BY key LIMIT ?", (after, BATCH)
    )
    return [key for (key,) in rows.fetchall()]


def make_pending(tx: Transaction, keys: list[int]) -> None:
    """They wait for the scanner from now on."""
    tx.executemany(
        "UPDATE attachments_blobs SET scan = 'pending', scan_due = created_at WHERE key = ? AND scan = 'off'",
        [(key,) for key in keys],
    )


def wait_no_more(tx: Transaction) -> list[int]:
    """Nothing is scanned on this node any more: some contents stop waiting. Returns their keys."""
    rows = tx.execute(
        "UPDATE attachments_blobs SET scan = CASE WHEN scan = 'safe' THEN 'safe' ELSE 'off' END, scan_due = NULL, "
        "scan_tries = 0, scan_says = NULL "
        "WHERE key IN (SELECT key FROM attachments_blobs WHERE scan_due IS NOT NULL LIMIT ?) RETURNING key",
        (BATCH,),
    )
    return [key for (key,) in rows.fetchall()]


def scanned_before(reader: Reader, at: int, after: int) -> list[int]:
    """Some of the safe contents whose last scan began before a time, by their keys above `after`."""
    rows = reader.execute(
        "SELECT key FROM attachments_blobs WHERE key > ? AND scan = 'safe' AND scanned_at < ? AND scan_due IS NULL "
        "AND place = 'local' ORDER BY key LIMIT ?",
        (after, at, BATCH),
    )
    return [key for (key,) in rows.fetchall()]


def scan_again(tx: Transaction, keys: list[int]) -> None:
    """Scan them soon. What is unsafe is forgotten: its bytes are gone, but if they are uploaded again, they are scanned
    instead of being refused at once."""
    tx.executemany(
        "UPDATE attachments_blobs SET scan_due = ?, scan_tries = 0, "
        "scan = CASE WHEN scan = 'safe' THEN 'safe' ELSE 'pending' END WHERE key = ?",
        [(tx.now, key) for key in keys],
    )


def scan_if_older(tx: Transaction, key: int, version: str) -> None:
    """Scan a safe content again unless this version of the scanner found it safe."""
    tx.execute(
        "UPDATE attachments_blobs SET scan_due = ? WHERE key = ? AND scan = 'safe' AND scan_due IS NULL "
        "AND (scan_with IS NULL OR scan_with <> ?)",
        (tx.now, key, version),
    )
