"""Notifies users of verdicts: all who can see the message, and if a file is unsafe, its uploader and moderators."""

from __future__ import annotations

from typing import cast

from chatnode.api import (
    MODERATE,
    Event,
    Querying,
    Reader,
    Row,
    ThumbnailSize,
    Transaction,
    holders_of,
    person_by_key,
    record_for_message,
    rfc3339,
)
from chatnode_attachments.model import AttachmentsChanged, FileInfected, FileStatus, ShownScan
from chatnode_attachments.scanning.contents import Outcome

MOST = 100
"""Files that are told of in one transaction."""


def notify_outcome(tx: Transaction, content: int, outcome: Outcome, after: int) -> int | None:
    """Tell of a new verdict on a content, for some of its files: those with keys above `after`.

    Returns the key to go on after; None at the end.
    """
    return None if outcome == "unchanged" else notify_all(tx, content, after, infected=outcome == "unsafe")


def notify_all(tx: Transaction, content: int, after: int, *, infected: bool) -> int | None:
    """Tell how the files with a content are now, like `notify_outcome`."""
    rows = tx.execute(
        "SELECT f.key, f.message FROM attachments_files f "
        "WHERE f.blob = ? AND f.key > ? AND f.removed_at IS NULL ORDER BY f.key LIMIT ?",
        (content, after, MOST),
    ).fetchall()
    for key, message in rows:
        if message is not None:
            notify_changed(tx, message)
        if infected:
            notify_infected(tx, key)
    return rows[-1][0] if len(rows) == MOST else None


def notify_now(tx: Transaction, content: int) -> None:
    """Tell in this transaction how all files with a content are: for what happens seldom."""
    after: int | None = 0
    while after is not None:
        after = notify_outcome(tx, content, "safe", after)


def notify_changed(tx: Transaction, message: int) -> None:
    """Notify the users who can see a message, given by its key, of the current state of its files."""
    conversation, seq = tx.execute("SELECT conversation, seq FROM messages WHERE key = ?", (message,)).fetchone()
    event = _changed(tx, conversation, seq)
    if event is not None:
        record_for_message(tx, conversation, seq, event)


def make_changed(reader: Reader, row: Row) -> Event | None:
    return _changed(reader, cast("int", row.conversation_key), row.subject)


def _changed(reader: Querying, conversation: int, seq: int) -> AttachmentsChanged | None:
    rows = reader.execute(
        "SELECT c.id, m.id, f.id, b.scan, b.place, b.quarantined, b.key FROM messages m "
        "JOIN conversations c ON c.key = m.conversation JOIN attachments_files f ON f.message = m.key "
        "JOIN attachments_blobs b ON b.key = f.blob "
        "WHERE m.conversation = ? AND m.seq = ? AND m.deleted_at IS NULL AND f.removed_at IS NULL "
        "ORDER BY f.position, f.key",
        (conversation, seq),
    ).fetchall()
    if not rows:
        return None
    files = [
        FileStatus(file, shown_scan(scan, place), bool(quarantined) or None, thumbnails(reader, blob) or None)
        for _, _, file, scan, place, quarantined, blob in rows
    ]
    return AttachmentsChanged(rows[0][0], rows[0][1], files)


def shown_scan(scan: str, place: str) -> ShownScan:
    """The state of a scan as users see it: one that failed is repeated.

    The content of a file that is there is removed only if it is unsafe. It is so until it is uploaded again, also if a
    moderator has it forgotten.
    """
    if place == "removed":
        return "unsafe"
    return "pending" if scan == "error" else cast("ShownScan", scan)


def thumbnails(reader: Querying, blob: int) -> list[ThumbnailSize]:
    """The thumbnails of a content, smallest first; none once it was removed."""
    rows = reader.execute(
        "SELECT kind, width, height FROM attachments_derived WHERE blob = ? ORDER BY width, kind", (blob,)
    )
    return [ThumbnailSize(*row) for row in rows.fetchall()]


def notify_infected(tx: Transaction, file: int) -> None:
    """Tell the uploader of a file, by its key, and the moderators what was found in it."""
    event = _infected(tx, file)
    if event is not None:
        uploader = tx.execute("SELECT uploader FROM attachments_files WHERE key = ?", (file,)).fetchone()[0]
        moderators = [account.key for account in holders_of(tx, MODERATE)]
        tx.record(event, people=list(dict.fromkeys([uploader, *moderators])), subject=file, actor=uploader)


def make_infected(reader: Reader, row: Row) -> Event | None:
    return _infected(reader, row.subject, row.actor)


def _infected(reader: Querying, file: int, uploaded_by: int | None = None) -> FileInfected | None:
    """`uploaded_by`: nothing if the key is that of somebody else's file now."""
    row = reader.execute(
        "SELECT f.id, f.uploader, b.scan_says, b.scanned_at, m.id, c.id FROM attachments_files f "
        "JOIN attachments_blobs b ON b.key = f.blob LEFT JOIN messages m ON m.key = f.message "
        "LEFT JOIN conversations c ON c.key = m.conversation WHERE f.key = ? AND b.scan = 'unsafe'",
        (file,),
    ).fetchone()
    if row is None:
        return None
    id, uploader, found, at, message, conversation = row
    if uploaded_by not in (None, uploader):
        return None
    return FileInfected(id, person_by_key(reader, uploader).ref, found, rfc3339(at), message, conversation)
